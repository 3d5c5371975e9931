/* json_fuzz.c - documents that nobody meant to write, against the reader of JSON.
 *
 *     json_fuzz [SECONDS [SEED]]
 *
 * Good documents are mutated and joined. Whatever comes of it: the reader ends, stays within the text, which stands in
 * memory of just its size, and says the same of what it read once that is written again; its numbers are strtod()'s.
 * Built with sanitizers, it finds the rest. A failure prints the seed of the round and the bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/json.h"

enum { LONGEST = 2048, ROUNDS_A_LOOK = 1000 };

static const struct wps_json_limits limits = { .bytes = 16 * LONGEST, .values = 400, .depth = 12 };

static const char *const corpus[] = {
    "{\"code\":\"Error.X\",\"details\":[{\"code\":\"a\"},null],\"inner\":{\"inner\":{}}}",
    "[1,-2.5e-3,0.1,1e400,123456789012345678901234567890,true,false,null]",
    " { \"a\\u00e9\\ud83d\\ude00\" : \"\\\"\\\\\\/\\b\\f\\n\\r\\t\" , \"\" : [ ] } ",
    "\"zo\xc3\xab \xf0\x9f\x98\x80\"",
    "{\"a\":1,\"a\":2}",
    "[[[[[[[[[[[[\"deep\"]]]]]]]]]]]]",
};
static const char *const words[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "\\u0000", "0", "-", ".", "e", "E+", "9",
    "00", "5e-324", "true", "nul", " ", "\n", "\xef\xbb\xbf", "\xff", "\xed\xa0\x80", "\x01", "{\"a\":", "[1,",
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t state;

static size_t below(size_t limit) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return limit ? (size_t)(state * UINT64_C(2685821657736338717) >> 16) % limit : 0;
}

/* ------------------------------------------------------------------ documents */

struct document {
    char bytes[LONGEST];
    size_t length;
};

static void insert(struct document *document, size_t at, const char *text)
{
    size_t length = strlen(text);

    if (length > LONGEST - document->length)
        return;
    memmove(document->bytes + at + length, document->bytes + at, document->length - at);
    memcpy(document->bytes + at, text, length);
    document->length += length;
}

static void erase(struct document *document, size_t at, size_t length)
{
    memmove(document->bytes + at, document->bytes + at + length, document->length - at - length);
    document->length -= length;
}

static void make_document(struct document *document)
{
    document->length = 0;
    insert(document, 0, corpus[below(COUNT(corpus))]);
    for (size_t i = below(6); i > 0; i--) {
        size_t at = below(document->length + 1), left = document->length - at;
        switch (below(5)) {
        case 0: insert(document, at, corpus[below(COUNT(corpus))]); break;
        case 1: insert(document, at, words[below(COUNT(words))]); break;
        case 2: erase(document, at, below(left < 8 ? left + 1 : 8)); break;
        case 3: erase(document, at, left); break;
        default:
            if (left)
                document->bytes[at] = (char)below(256);
        }
    }
}

/* ------------------------------------------------------------------ checks */

static bool is_same_number(struct wps_slice raw)
{
    char text[LONGEST + 1];
    double mine, other;

    memcpy(text, raw.data, raw.length);
    text[raw.length] = '\0';
    other = strtod(text, NULL);
    if (!wps_json_double(raw, &mine))
        return other - other != 0; /* infinite */
    return mine == other;
}

/* Writes the text in memory of the size that it is said to need at most. */
static bool write_text(const struct wps_json_reader *reader, struct wps_buffer *out)
{
    char *room = malloc(reader->raw.length ? reader->raw.length : 1);
    struct wps_slice text = { room, 0 };
    bool good;

    if (!room)
        return false;
    text.length = wps_json_unescape(reader, room);
    good = text.length <= reader->raw.length && (reader->any_bytes || wps_slice_is_utf8(text));
    wps_json_string(out, text);
    free(room);
    return good;
}

/* Reads it all and writes it again; false: something is wrong with the reader. */
static bool read_and_write(struct wps_json_reader *reader, struct wps_buffer *out)
{
    static const char *const fixed[] = { [WPS_JSON_OBJECT] = "{", [WPS_JSON_OBJECT_END] = "}", [WPS_JSON_ARRAY] = "[",
                                         [WPS_JSON_ARRAY_END] = "]", [WPS_JSON_TRUE] = "true",
                                         [WPS_JSON_FALSE] = "false", [WPS_JSON_NULL] = "null" };
    enum wps_json_event event, before = WPS_JSON_NAME;
    size_t events = 0;

    for (event = wps_json_next(reader); event != WPS_JSON_END && event != WPS_JSON_PROBLEM;
         event = wps_json_next(reader)) {
        bool opens = before == WPS_JSON_OBJECT || before == WPS_JSON_ARRAY || before == WPS_JSON_NAME;
        if (events++ > 2 * limits.values || reader->at > reader->text.length || reader->depth > limits.depth)
            return false;
        if (!opens && event != WPS_JSON_OBJECT_END && event != WPS_JSON_ARRAY_END)
            wps_buffer_text(out, ",");
        if (event == WPS_JSON_NUMBER) {
            wps_buffer_append(out, reader->raw.data, reader->raw.length);
            if (!is_same_number(reader->raw))
                return false;
        } else if (event == WPS_JSON_NAME || event == WPS_JSON_STRING) {
            if (!write_text(reader, out))
                return false;
            if (event == WPS_JSON_NAME)
                wps_buffer_text(out, ":");
        } else {
            wps_buffer_text(out, fixed[event]);
        }
        before = event;
    }
    return wps_json_next(reader) == event && (event == WPS_JSON_PROBLEM) == (reader->problem != NULL)
           && (event == WPS_JSON_PROBLEM || !reader->depth);
}

static bool check(const struct document *document, size_t *outcomes)
{
    char *copy = malloc(document->length ? document->length : 1);
    struct wps_slice text = { copy, document->length }, again;
    struct wps_buffer once = { .maximum = limits.bytes }, twice = { .maximum = limits.bytes };
    bool any_bytes = below(2) == 0, good = copy != NULL;
    struct wps_json_reader reader;

    if (good)
        memcpy(copy, document->bytes, document->length);
    wps_json_begin(&reader, text, &limits);
    reader.any_bytes = any_bytes;
    good = good && read_and_write(&reader, &once);
    outcomes[reader.problem != NULL]++;
    if (good && !reader.problem) {
        again.data = once.data;
        again.length = once.length;
        wps_json_begin(&reader, again, &limits);
        reader.any_bytes = any_bytes;
        good = read_and_write(&reader, &twice) && !reader.problem && once.length == twice.length
               && memcmp(once.data, twice.data, once.length) == 0;
    }
    wps_buffer_free(&once);
    wps_buffer_free(&twice);
    free(copy);
    return good;
}

static void report(const struct document *document, uint64_t seed)
{
    printf("SEED %" PRIu64 " fails at once, on %zu bytes:\n", seed, document->length);
    for (size_t i = 0; i < document->length; i++) {
        unsigned char byte = (unsigned char)document->bytes[i];
        printf(byte >= ' ' && byte < 0x7f ? "%c" : "\\x%02x", byte);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    time_t stop = time(NULL) + seconds;
    size_t outcomes[2] = { 0 }, rounds = 0;
    struct document document;
    bool good = true;

    while (good && (rounds % ROUNDS_A_LOOK || time(NULL) < stop)) {
        state = (seed + rounds) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        make_document(&document);
        good = check(&document, outcomes);
        if (!good)
            report(&document, seed + rounds);
        rounds++;
    }
    printf("json: %zu documents: %zu read, %zu refused%s\n", rounds, outcomes[0], outcomes[1], good ? "" : "; FAILED");
    return good && outcomes[0] && outcomes[1] ? 0 : 1;
}

/* http1_fuzz.c - responses that nobody meant to send, against the HTTP/1.1 codec.
 *
 *     http1_fuzz [SECONDS [SEED]]
 *
 * Well-formed and broken responses are mutated and joined; each result is read whole, byte by byte and at random
 * splits. Whatever it is, the outcome must be the same, within the limits, and stay what it is. Built with sanitizers,
 * it finds the rest. A failure prints the seed of the round and the bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/http1.h"

enum { LONGEST = 4096, HEADER_BYTES = 512, BODY_BYTES = 256, ROUNDS_A_LOOK = 1000 };

static const char *const corpus[] = {
    "HTTP/1.1 204 No Content\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"code\":\"none\"",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;a=b\r\npedia\r\n0\r\nTrailer: x\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nto the end",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 502\r\nServer: x\r\nContent-Length: 300\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
};
static const char *const words[] = {
    "\r\n", "\r\n\r\n", "\n", "\r", " ", "\t", ":", ";", ",", "0", "00", "ffffffffffffffff", "18446744073709551616",
    "-1", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 \r\n\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "\x7f", "\xff", "1", "2", "3",
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ------------------------------------------------------------------ randomness */

static uint64_t state;

static uint64_t random_bits(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}

static size_t below(size_t limit)
{
    return limit ? (size_t)(random_bits() >> 16) % limit : 0;
}

/* ------------------------------------------------------------------ mutation */

struct message {
    char bytes[LONGEST];
    size_t length;
};

static void insert(struct message *message, size_t at, const char *bytes, size_t length)
{
    if (length > LONGEST - message->length)
        return;
    memmove(message->bytes + at + length, message->bytes + at, message->length - at);
    memmove(message->bytes + at, bytes, length);
    message->length += length;
}

static void erase(struct message *message, size_t at, size_t length)
{
    memmove(message->bytes + at, message->bytes + at + length, message->length - at - length);
    message->length -= length;
}

static void mutate(struct message *message)
{
    size_t at = below(message->length + 1), left = message->length - at;
    const char *word = words[below(COUNT(words))], *seed = corpus[below(COUNT(corpus))];
    char copy[64];
    size_t length = below(left < sizeof copy ? left + 1 : sizeof copy + 1);
    char byte = (char)random_bits();

    switch (below(7)) {
    case 0:
        if (left)
            message->bytes[at] = (char)(message->bytes[at] ^ 1 << below(8));
        break;
    case 1:
        insert(message, at, &byte, 1);
        break;
    case 2:
        insert(message, at, word, strlen(word));
        break;
    case 3:
        erase(message, at, length);
        break;
    case 4: /* repeat a piece */
        memcpy(copy, message->bytes + at, length);
        for (size_t times = below(20); times; times--)
            insert(message, at, copy, length);
        break;
    case 5: /* go on as another response */
        erase(message, at, left);
        length = below(strlen(seed) + 1);
        insert(message, at, seed + length, strlen(seed) - length);
        break;
    default: /* put a NUL */
        insert(message, at, "", 1);
        break;
    }
}

static void make_message(struct message *message)
{
    message->length = 0;
    for (size_t parts = 1 + below(2); parts; parts--) {
        const char *seed = corpus[below(COUNT(corpus))];
        insert(message, message->length, seed, strlen(seed));
    }
    for (size_t times = below(8); times; times--)
        mutate(message);
}

/* ------------------------------------------------------------------ reading */

enum cut { WHOLE, BYTEWISE, ANYWHERE };

static enum wps_http1_progress read_message(struct wps_http1 *http, const struct message *message, enum cut cut,
                                            bool head, bool ends)
{
    const struct wps_http1_limits limits = { HEADER_BYTES, BODY_BYTES };
    const struct wps_http1_request request = { .method = wps_slice_of(head ? "HEAD" : "POST"),
                                               .target = wps_slice_of("/"), .host = wps_slice_of("h") };
    enum wps_http1_progress progress = WPS_HTTP1_MORE;

    if (wps_http1_request(http, &request, &limits))
        return WPS_HTTP1_FAILED;
    for (size_t at = 0; at < message->length;) {
        size_t left = message->length - at;
        size_t length = cut == WHOLE ? left : cut == BYTEWISE ? 1 : 1 + below(left < 40 ? left : 40);
        char *piece = malloc(length); /* of exactly that size, so that reading past it is seen */

        if (!piece)
            abort();
        memcpy(piece, message->bytes + at, length);
        progress = wps_http1_feed(http, piece, length);
        free(piece);
        at += length;
    }
    return ends ? wps_http1_end(http) : progress;
}

static bool within_limits(const struct wps_http1 *http, enum wps_http1_progress progress)
{
    if (http->head.length > HEADER_BYTES || http->body.length > BODY_BYTES)
        return false;
    if (progress == WPS_HTTP1_FAILED)
        return http->error.kind == WPS_PROTOCOL || http->error.kind == WPS_TRANSPORT;
    return progress == WPS_HTTP1_MORE
           || (http->status >= 200 && http->status <= 599 && http->headers.length <= http->head.length
               && !memchr(http->headers.data, '\0', http->headers.length)
               && !memchr(http->reason.data, '\r', http->reason.length));
}

static bool same_bytes(const struct wps_buffer *a, const struct wps_buffer *b)
{
    return a->length == b->length && memcmp(wps_buffer_string(a), wps_buffer_string(b), a->length) == 0;
}

static bool same_outcome(enum wps_http1_progress progress, const struct wps_http1 *a, const struct wps_http1 *b)
{
    switch (progress) {
    case WPS_HTTP1_MORE:
        return a->state == b->state;
    case WPS_HTTP1_FAILED:
        return a->error.kind == b->error.kind && strcmp(a->error.message, b->error.message) == 0;
    default:
        return a->status == b->status && a->keep_alive == b->keep_alive && wps_slice_equal(a->reason, b->reason)
               && wps_slice_equal(a->headers, b->headers) && same_bytes(&a->body, &b->body);
    }
}

static bool check(const struct message *message, struct wps_http1 *one, struct wps_http1 *other, size_t *outcomes)
{
    bool head = below(8) == 0, ends = below(2) == 0;
    enum wps_http1_progress expected = read_message(one, message, WHOLE, head, ends);
    bool good = within_limits(one, expected);

    outcomes[expected]++;
    for (enum cut cut = BYTEWISE; cut <= ANYWHERE && good; cut++)
        good = read_message(other, message, cut, head, ends) == expected && same_outcome(expected, one, other);
    if (good && expected == WPS_HTTP1_FAILED) /* for good */
        good = wps_http1_feed(other, "HTTP/1.1 204 \r\n\r\n", 17) == expected && same_outcome(expected, one, other);
    return good;
}

/* ------------------------------------------------------------------ running */

static void report(const struct message *message, uint64_t seed)
{
    printf("SEED %" PRIu64 " fails at once, on %zu bytes:\n", seed, message->length);
    for (size_t i = 0; i < message->length; i++) {
        unsigned char byte = (unsigned char)message->bytes[i];
        printf(byte >= ' ' && byte < 0x7f && byte != '\\' ? "%c" : "\\x%02x", byte);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    time_t stop = time(NULL) + seconds;
    struct wps_http1 one = { .status = 0 }, other = { .status = 0 };
    size_t outcomes[3] = { 0 }, rounds = 0;
    struct message message;
    bool good = true;

    while (good && (rounds % ROUNDS_A_LOOK || time(NULL) < stop)) {
        state = (seed + rounds) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        make_message(&message);
        good = check(&message, &one, &other, outcomes);
        if (!good)
            report(&message, seed + rounds);
        rounds++;
    }
    wps_http1_free(&one);
    wps_http1_free(&other);
    printf("http1: %zu messages: %zu incomplete, %zu whole, %zu refused%s\n", rounds, outcomes[WPS_HTTP1_MORE],
           outcomes[WPS_HTTP1_DONE], outcomes[WPS_HTTP1_FAILED], good ? "" : "; FAILED");
    return good && outcomes[WPS_HTTP1_DONE] && outcomes[WPS_HTTP1_FAILED] ? 0 : 1;
}

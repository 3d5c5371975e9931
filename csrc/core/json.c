/* json.c - JSON as events, and strings and numbers as JSON. */
#include "core/json.h"
#include "core/words.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ bytes */

static enum wps_json_event fail(struct wps_json_reader *reader, const char *problem)
{
    if (!reader->problem)
        reader->problem = problem;
    return reader->event = WPS_JSON_PROBLEM;
}

/* The byte at `at`, or -1 at the end. */
static int peek(const struct wps_json_reader *reader)
{
    return reader->at < reader->text.length ? (unsigned char)reader->text.data[reader->at] : -1;
}

static enum wps_json_event fail_here(struct wps_json_reader *reader, const char *problem)
{
    return fail(reader, peek(reader) < 0 ? "it ends too early" : problem);
}

static void skip_blanks(struct wps_json_reader *reader)
{
    int byte = peek(reader);

    while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
        reader->at++;
        byte = peek(reader);
    }
}

static bool is_digit(int byte)
{
    return byte >= '0' && byte <= '9';
}

/* ------------------------------------------------------------------ strings */

/* The value of four hexadecimal digits, or -1. */
static long hexadecimal(const char *digits, size_t length)
{
    long value = 0;

    if (length < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char digit = wps_lower(digits[i]);
        if (is_digit(digit))
            value = value * 16 + (digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = value * 16 + (digit - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static bool is_high_surrogate(long unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(long unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The length of the escape at `text`, 0 where it is none. */
static size_t escape_length(struct wps_slice text)
{
    long unit;

    if (text.length < 2 || !text.data[1] || !strchr("\"\\/bfnrtu", text.data[1]))
        return 0;
    if (text.data[1] != 'u')
        return 2;
    unit = hexadecimal(text.data + 2, text.length - 2);
    if (unit < 0 || is_low_surrogate(unit))
        return 0;
    if (!is_high_surrogate(unit))
        return 6;
    if (text.length < 12 || text.data[6] != '\\' || text.data[7] != 'u')
        return 0;
    return is_low_surrogate(hexadecimal(text.data + 8, text.length - 8)) ? 12 : 0;
}

/* Reads the string whose opening quote is next. */
static bool scan_string(struct wps_json_reader *reader)
{
    size_t start = ++reader->at;
    bool plain = true; /* ASCII only */

    reader->escaped = false;
    for (int byte = peek(reader); byte != '"'; byte = peek(reader)) {
        size_t length = 1;

        if (byte < 0x20) {
            fail_here(reader, "a string has a control byte");
            return false;
        }
        if (byte == '\\') {
            struct wps_slice rest = { reader->text.data + reader->at, reader->text.length - reader->at };
            length = escape_length(rest);
            if (!length) {
                fail(reader, "a string has an invalid escape, or half a surrogate pair");
                return false;
            }
            reader->escaped = true;
        }
        plain = plain && byte < 0x80;
        reader->at += length;
    }
    reader->raw.data = reader->text.data + start;
    reader->raw.length = reader->at - start;
    reader->at++;
    if (!plain && !reader->any_bytes && !wps_slice_is_utf8(reader->raw)) {
        reader->at = start;
        fail(reader, "a string is not UTF-8");
        return false;
    }
    return true;
}

static char *put_utf8(char *out, long point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
        *out++ = (char)(0x80 | (point & 63));
    } else if (point < 0x10000) {
        *out++ = (char)(0xe0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 63));
        *out++ = (char)(0x80 | (point & 63));
    } else {
        *out++ = (char)(0xf0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 63));
        *out++ = (char)(0x80 | (point >> 6 & 63));
        *out++ = (char)(0x80 | (point & 63));
    }
    return out;
}

/* Writes what the escape at `text`, a good one, stands for; returns the end of it. */
static char *put_escape(char *out, const char *text)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, text[1]);
    long unit;

    if (text[1] != 'u') {
        memcpy(out, letter ? bytes + (letter - letters) : text + 1, 1);
        return out + 1;
    }
    unit = hexadecimal(text + 2, 4);
    if (is_high_surrogate(unit))
        unit = 0x10000 + ((unit - 0xd800) << 10) + (hexadecimal(text + 8, 4) - 0xdc00);
    return put_utf8(out, unit);
}

size_t wps_json_unescape(const struct wps_json_reader *reader, char *out)
{
    const char *from = reader->raw.data, *end = from + reader->raw.length;
    char *start = out;

    while (from < end) {
        struct wps_slice rest = { from, (size_t)(end - from) };
        const char *escape = memchr(from, '\\', rest.length);
        size_t plain = escape ? (size_t)(escape - from) : rest.length;

        memcpy(out, from, plain);
        out += plain;
        from += plain;
        if (escape) {
            rest.data = escape;
            rest.length -= plain;
            out = put_escape(out, escape);
            from += escape_length(rest);
        }
    }
    return (size_t)(out - start);
}

void wps_json_text(const struct wps_json_reader *reader, struct wps_buffer *buffer)
{
    char *room = wps_buffer_reserve(buffer, reader->raw.length);

    if (room)
        wps_buffer_commit(buffer, wps_json_unescape(reader, room));
}

/* Is the last name this one? */
static bool is_name(const struct wps_json_reader *reader, const char *name)
{
    enum { LONGEST_NAME = 64, LONGEST_ESCAPE = 6 }; /* an escape stands for one byte at least */
    char text[LONGEST_NAME * LONGEST_ESCAPE];
    struct wps_slice plain = { text, 0 };

    if (!reader->escaped)
        return wps_slice_equal(reader->raw, wps_slice_of(name));
    if (reader->raw.length > sizeof text)
        return false;
    plain.length = wps_json_unescape(reader, text);
    return wps_slice_equal(plain, wps_slice_of(name));
}

/* ------------------------------------------------------------------ events */

void wps_json_begin(struct wps_json_reader *reader, struct wps_slice text, const struct wps_json_limits *limits)
{
    static const char mark[] = "\xef\xbb\xbf";

    memset(reader, 0, sizeof *reader);
    reader->text = text;
    reader->limits = *limits;
    if (reader->limits.depth > WPS_JSON_MAX_DEPTH)
        reader->limits.depth = WPS_JSON_MAX_DEPTH;
    if (text.length > limits->bytes)
        fail(reader, "it is too long");
    else if (text.length >= 3 && memcmp(text.data, mark, 3) == 0)
        reader->at = 3;
}

static bool in_object(const struct wps_json_reader *reader)
{
    size_t level = reader->depth - 1;

    return reader->objects[level / 8] & 1u << level % 8;
}

static enum wps_json_event open_container(struct wps_json_reader *reader, enum wps_json_event event)
{
    size_t level = reader->depth;
    unsigned bit = 1u << level % 8;

    if (level == reader->limits.depth)
        return fail(reader, "it is nested too deep");
    reader->at++;
    reader->depth++;
    if (event == WPS_JSON_OBJECT) {
        reader->objects[level / 8] |= (unsigned char)bit;
        reader->state = WPS_JSON_AT_FIRST_NAME;
    } else {
        reader->objects[level / 8] &= (unsigned char)~bit;
        reader->state = WPS_JSON_AT_FIRST_ITEM;
    }
    return reader->event = event;
}

static enum wps_json_event close_container(struct wps_json_reader *reader)
{
    reader->event = in_object(reader) ? WPS_JSON_OBJECT_END : WPS_JSON_ARRAY_END;
    reader->at++;
    reader->depth--;
    reader->state = WPS_JSON_AFTER_VALUE;
    return reader->event;
}

static enum wps_json_event take_word(struct wps_json_reader *reader, const char *word, enum wps_json_event event)
{
    size_t length = strlen(word);

    if (reader->text.length - reader->at < length || memcmp(reader->text.data + reader->at, word, length) != 0)
        return fail(reader, "it has a word that is none of true, false and null");
    reader->at += length;
    reader->state = WPS_JSON_AFTER_VALUE;
    return reader->event = event;
}

static bool skip_digits(struct wps_json_reader *reader)
{
    if (!is_digit(peek(reader))) {
        fail_here(reader, "a number lacks a digit");
        return false;
    }
    while (is_digit(peek(reader)))
        reader->at++;
    return true;
}

static enum wps_json_event take_number(struct wps_json_reader *reader)
{
    size_t start = reader->at;
    bool good;

    if (peek(reader) == '-')
        reader->at++;
    if (peek(reader) == '0') {
        reader->at++;
        good = !is_digit(peek(reader));
        if (!good)
            fail(reader, "a number begins with a zero");
    } else {
        good = skip_digits(reader);
    }
    if (good && peek(reader) == '.') {
        reader->at++;
        good = skip_digits(reader);
    }
    if (good && (peek(reader) == 'e' || peek(reader) == 'E')) {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-')
            reader->at++;
        good = skip_digits(reader);
    }
    if (!good)
        return WPS_JSON_PROBLEM;
    reader->raw.data = reader->text.data + start;
    reader->raw.length = reader->at - start;
    reader->state = WPS_JSON_AFTER_VALUE;
    return reader->event = WPS_JSON_NUMBER;
}

static bool count_value(struct wps_json_reader *reader)
{
    if (reader->values == reader->limits.values) {
        fail(reader, "it has too many values");
        return false;
    }
    reader->values++;
    return true;
}

static enum wps_json_event take_value(struct wps_json_reader *reader)
{
    if (peek(reader) >= 0 && !count_value(reader))
        return WPS_JSON_PROBLEM;
    switch (peek(reader)) {
    case '{': return open_container(reader, WPS_JSON_OBJECT);
    case '[': return open_container(reader, WPS_JSON_ARRAY);
    case 't': return take_word(reader, "true", WPS_JSON_TRUE);
    case 'f': return take_word(reader, "false", WPS_JSON_FALSE);
    case 'n': return take_word(reader, "null", WPS_JSON_NULL);
    case '"':
        if (!scan_string(reader))
            return WPS_JSON_PROBLEM;
        reader->state = WPS_JSON_AFTER_VALUE;
        return reader->event = WPS_JSON_STRING;
    case '-':
    case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return take_number(reader);
    default: return fail_here(reader, "a value is expected");
    }
}

/* A name and the colon behind it. */
static enum wps_json_event take_name(struct wps_json_reader *reader)
{
    if (peek(reader) != '"')
        return fail_here(reader, "a name in double quotes is expected");
    if (!count_value(reader) || !scan_string(reader))
        return WPS_JSON_PROBLEM;
    skip_blanks(reader);
    if (peek(reader) != ':')
        return fail_here(reader, "a colon is expected");
    reader->at++;
    reader->state = WPS_JSON_AT_VALUE;
    return reader->event = WPS_JSON_NAME;
}

/* A comma and what comes behind it, or the end of what the value was in. */
static enum wps_json_event take_rest(struct wps_json_reader *reader)
{
    if (!reader->depth) {
        if (peek(reader) >= 0)
            return fail(reader, "something is behind it");
        reader->state = WPS_JSON_OVER;
        return reader->event = WPS_JSON_END;
    }
    if (peek(reader) == (in_object(reader) ? '}' : ']'))
        return close_container(reader);
    if (peek(reader) != ',')
        return fail_here(reader, "a comma is expected");
    reader->at++;
    skip_blanks(reader);
    return in_object(reader) ? take_name(reader) : take_value(reader);
}

enum wps_json_event wps_json_next(struct wps_json_reader *reader)
{
    if (reader->problem)
        return WPS_JSON_PROBLEM;
    skip_blanks(reader);
    switch (reader->state) {
    case WPS_JSON_AT_FIRST_NAME: return peek(reader) == '}' ? close_container(reader) : take_name(reader);
    case WPS_JSON_AT_FIRST_ITEM: return peek(reader) == ']' ? close_container(reader) : take_value(reader);
    case WPS_JSON_AFTER_VALUE: return take_rest(reader);
    case WPS_JSON_OVER: return WPS_JSON_END;
    case WPS_JSON_AT_VALUE: break;
    }
    return take_value(reader);
}

void wps_json_skip(struct wps_json_reader *reader)
{
    size_t depth = reader->depth;

    if (reader->event == WPS_JSON_OBJECT || reader->event == WPS_JSON_ARRAY)
        while (reader->depth >= depth && wps_json_next(reader) != WPS_JSON_PROBLEM)
            ;
}

int wps_json_member(struct wps_json_reader *reader, const char *const *names, unsigned *seen)
{
    while (wps_json_next(reader) == WPS_JSON_NAME) {
        for (int i = 0; names[i]; i++) {
            if (!is_name(reader, names[i]))
                continue;
            if (*seen & 1u << i) {
                fail(reader, "a name is there twice");
                return -1;
            }
            *seen |= 1u << i;
            return i;
        }
        wps_json_next(reader);
        wps_json_skip(reader);
    }
    return -1;
}

bool wps_json_end(struct wps_json_reader *reader)
{
    return wps_json_next(reader) == WPS_JSON_END;
}

/* ------------------------------------------------------------------ writing */

static uint64_t any_escaped(uint64_t word)
{
    return wps_any_below(word, 0x20) | wps_any_equal(word, '"') | wps_any_equal(word, '\\');
}

void wps_json_string(struct wps_buffer *buffer, struct wps_slice text)
{
    size_t plain = 0; /* where the bytes begin that go out as they are */
    size_t searched = wps_slice_any(text, any_escaped) ? text.length : 0;

    wps_buffer_text(buffer, "\"");
    for (size_t i = 0; i < searched; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        char escaped[8];

        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        wps_buffer_append(buffer, text.data + plain, i - plain);
        plain = i + 1;
        snprintf(escaped, sizeof escaped, byte < 0x20 ? "\\u%04x" : "\\%c", byte);
        wps_buffer_text(buffer, escaped);
    }
    wps_buffer_append(buffer, text.data + plain, text.length - plain);
    wps_buffer_text(buffer, "\"");
}

/* Makes one point of whatever the locale has between the digits, which may be several bytes. */
static size_t mend_point(char *text, size_t length)
{
    size_t end = 0;

    for (size_t i = 0; i < length; i++) {
        if (is_digit(text[i]) || text[i] == '-' || text[i] == '+' || text[i] == 'e')
            text[end++] = text[i];
        else if (end && text[end - 1] != '.')
            text[end++] = '.';
    }
    text[end] = '\0';
    return end;
}

void wps_json_number(struct wps_buffer *buffer, double value)
{
    const double largest_whole = 9007199254740992.0; /* 2^53: every whole number up to it is one */
    bool whole = value >= -largest_whole && value <= largest_whole && value == (double)(int64_t)value;
    struct wps_slice text;
    char digits[64];
    double same;

    if (whole && value != 0) {
        wps_buffer_integer(buffer, (int64_t)value);
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        text.data = digits;
        text.length = mend_point(digits, (size_t)snprintf(digits, sizeof digits, "%.*g", precision, value));
        if (wps_json_double(text, &same) && same == value)
            break;
    }
    wps_buffer_text(buffer, digits);
}

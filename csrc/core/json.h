/* json.h - JSON (RFC 8259), read and written without the process's locale, and without memory of its own.
 *
 * Reading is pulled: each call of wps_json_next() returns what comes next in a text that the caller keeps. The whole
 * text of an answer, read for two of its members:
 *
 *     static const char *const names[] = { "access_token", "expires_in", NULL };
 *     static const struct wps_json_limits limits = { .bytes = 65536, .values = 1000, .depth = 16 };
 *     struct wps_json_reader reader;
 *     unsigned seen = 0;
 *     int member;
 *
 *     wps_json_begin(&reader, text, &limits);
 *     if (wps_json_next(&reader) != WPS_JSON_OBJECT)
 *         ... not an object, or reader.problem
 *     while ((member = wps_json_member(&reader, names, &seen)) >= 0) {
 *         enum wps_json_event event = wps_json_next(&reader);
 *         if (member == 0 && event == WPS_JSON_STRING)
 *             wps_json_text(&reader, &token);
 *         else if (member == 1 && event == WPS_JSON_NUMBER)
 *             valid = wps_json_integer(reader.raw, &seconds);
 *         wps_json_skip(&reader); // of a list or an object what is in it; of anything else nothing
 *     }
 *     if (!wps_json_end(&reader))
 *         ... reader.problem; nothing that was read before is to be trusted
 *
 * What is refused, with `problem` saying why: anything RFC 8259 does not allow (comments, NaN, leading zeros, single
 * quotes, trailing commas, bytes behind the value), control bytes and NUL in a string (\u0000 is fine and becomes a
 * NUL byte), half a surrogate pair, bytes that are not UTF-8 unless `any_bytes` is set, and whatever passes a limit.
 * One byte order mark in front is skipped. Names that occur twice are an error only where wps_json_member() looks for
 * them: two answers to one question are none. */
#ifndef WPS_JSON_H
#define WPS_JSON_H

#include "core/bytes.h"

enum { WPS_JSON_MAX_DEPTH = 1000 }; /* no limit goes beyond it */

struct wps_json_limits {
    size_t bytes;
    size_t values; /* scalars, objects, arrays and names */
    size_t depth;  /* of objects and arrays in each other */
};

enum wps_json_event {
    WPS_JSON_PROBLEM, /* and again at every later call */
    WPS_JSON_OBJECT,
    WPS_JSON_OBJECT_END,
    WPS_JSON_ARRAY,
    WPS_JSON_ARRAY_END,
    WPS_JSON_NAME, /* its value comes next */
    WPS_JSON_STRING,
    WPS_JSON_NUMBER,
    WPS_JSON_TRUE,
    WPS_JSON_FALSE,
    WPS_JSON_NULL,
    WPS_JSON_END /* the value is over, and nothing is behind it; again at every later call */
};

enum wps_json_state {
    WPS_JSON_AT_VALUE,
    WPS_JSON_AT_FIRST_NAME,
    WPS_JSON_AT_FIRST_ITEM,
    WPS_JSON_AFTER_VALUE,
    WPS_JSON_OVER
};

struct wps_json_reader {
    struct wps_slice raw; /* of the last name or string what is between the quotes, of the last number all of it */
    bool escaped;         /* there are escapes in it */
    const char *problem;  /* NULL: none so far */
    size_t at;            /* where the next event begins, or where the problem is */
    bool any_bytes;       /* set it after wps_json_begin(): strings may have bytes that are not UTF-8 */

    enum wps_json_event event; /* the last one */

    struct wps_slice text;
    struct wps_json_limits limits;
    enum wps_json_state state;
    size_t values, depth;
    unsigned char objects[(WPS_JSON_MAX_DEPTH + 7) / 8]; /* a bit for each depth: an object, not an array */
};

void wps_json_begin(struct wps_json_reader *reader, struct wps_slice text, const struct wps_json_limits *limits);
enum wps_json_event wps_json_next(struct wps_json_reader *reader);
/* After the beginning of an object or array: reads past its end. Otherwise does nothing. */
void wps_json_skip(struct wps_json_reader *reader);
/* In an object: skips to the next member that has one of `names` (at most 32, NULL ends them) and returns its index;
 * its value comes next and is to be read or skipped. -1: the object is over, or there is a problem, such as a name in
 * `seen` already. `seen` is the caller's, 0 for a new object. */
int wps_json_member(struct wps_json_reader *reader, const char *const *names, unsigned *seen);
bool wps_json_end(struct wps_json_reader *reader); /* is everything read, without a problem? */

/* Appends the last name or string, unescaped. */
void wps_json_text(const struct wps_json_reader *reader, struct wps_buffer *buffer);
/* Writes the last name or string to `out`, unescaped, which is never longer than `raw`; returns its length. */
size_t wps_json_unescape(const struct wps_json_reader *reader, char *out);

/* Of the text of a JSON number. An integer has neither fraction nor exponent and fits; the nearest double is exact
 * arithmetic's, ties to even. false: no such number, or for a double one beyond all doubles. */
bool wps_json_integer(struct wps_slice raw, int64_t *value);
bool wps_json_double(struct wps_slice raw, double *value);

/* ------------------------------------------------------------------ writing */

/* The text in quotes; it is UTF-8 already. */
void wps_json_string(struct wps_buffer *buffer, struct wps_slice text);
/* The number with as few of 15 to 17 digits as read back the same; whole ones up to 2^53 as integers. The caller
 * refuses NaN and infinity before. */
void wps_json_number(struct wps_buffer *buffer, double value);

#endif

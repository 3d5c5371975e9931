/* bytes.h - what every room stands on: errors, buffers and slices. No Lua, no I/O, no clock, no HTTP.
 *
 * Ownership: every struct below is owned by its caller, is valid when all zero, and is emptied by its `_free`
 * function, which may be called any number of times. No function keeps a pointer that it was given unless its
 * comment says so.
 *
 * Failure: functions that can fail return an `enum wps_kind`, WPS_OK being 0, and describe the failure in the
 * caller's `struct wps_error`. The first failure stays; later ones do not overwrite it. */
#ifndef WPS_BYTES_H
#define WPS_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ------------------------------------------------------------------ errors */

enum wps_kind {
    WPS_OK = 0,
    WPS_ARGUMENT,   /* the caller's input; nothing was sent */
    WPS_CREDENTIAL, /* no token could be had */
    WPS_TRANSPORT,  /* no HTTP response arrived */
    WPS_TIMEOUT,    /* an attempt or the call ran out of time */
    WPS_CANCELLED,  /* the caller withdrew the call */
    WPS_PROTOCOL,   /* what arrived is not the HTTP we accept */
    WPS_SERVICE,    /* the service answered with an error */
    WPS_NO_MEMORY
};

struct wps_error {
    enum wps_kind kind;
    char code[64];      /* a stable word for programs: "missing", "deadline", "Error.Connection.NotExisted" */
    char argument[64];  /* the argument at fault, for WPS_ARGUMENT */
    char message[384];  /* a sentence for people; never a secret, never a user's or connection's id */
};

/* Records a failure unless one is recorded already; returns the recorded kind. */
enum wps_kind wps_fail(struct wps_error *error, enum wps_kind kind, const char *argument, const char *code,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

const char *wps_kind_name(enum wps_kind kind);

/* The candidate closest to `name` by edit distance, or NULL where none is close enough to be meant. Candidates are
 * offered one by one, so that callers need not gather their names in an array. */
struct wps_nearest {
    const char *name;
    const char *best;
    long score; /* of `best`; lower is nearer */
};
void wps_nearest_offer(struct wps_nearest *nearest, const char *candidate);

/* ------------------------------------------------------------------ buffer */

/* Growable bytes with a hard maximum. Appending to a buffer that has failed does nothing, so a sequence of appends
 * is checked once, at its end. `data` is NUL-terminated whenever it is not NULL. Memory is wiped before it is
 * given back, for tokens pass through here. */
struct wps_buffer {
    char *data;
    size_t length;
    size_t capacity;
    size_t maximum;      /* bytes; 0 stands for WPS_BUFFER_DEFAULT_MAXIMUM */
    enum wps_kind failed; /* WPS_OK, WPS_NO_MEMORY, or WPS_ARGUMENT: longer than the maximum */
};

#define WPS_BUFFER_DEFAULT_MAXIMUM ((size_t)64 * 1024)

void wps_buffer_append(struct wps_buffer *buffer, const char *data, size_t length);
void wps_buffer_text(struct wps_buffer *buffer, const char *text);
void wps_buffer_integer(struct wps_buffer *buffer, int64_t value);
/* Makes room for `length` more bytes; returns where to write them, or NULL. wps_buffer_commit() counts them in. */
char *wps_buffer_reserve(struct wps_buffer *buffer, size_t length);
void wps_buffer_commit(struct wps_buffer *buffer, size_t length);
/* Cuts to `length` bytes; keeps memory, forgets a failure. */
void wps_buffer_truncate(struct wps_buffer *buffer, size_t length);
void wps_buffer_free(struct wps_buffer *buffer);
/* Empties it for another use: a small one keeps its memory, wiped. */
void wps_buffer_recycle(struct wps_buffer *buffer);
/* WPS_OK, or the buffer's failure told as an error about `what`. */
enum wps_kind wps_buffer_check(const struct wps_buffer *buffer, struct wps_error *error, const char *what);
const char *wps_buffer_string(const struct wps_buffer *buffer); /* "" for an empty buffer */

void wps_wipe(void *data, size_t length);

/* A piece of somebody else's text. */
struct wps_slice {
    const char *data; /* NULL: absent */
    size_t length;
};

char wps_lower(char byte); /* ASCII */
struct wps_slice wps_slice_of(const char *text);
bool wps_slice_equal(struct wps_slice a, struct wps_slice b);
bool wps_slice_equal_nocase(struct wps_slice a, struct wps_slice b); /* ASCII */
struct wps_slice wps_slice_trim(struct wps_slice slice);              /* blanks and tabs, CR, LF */
bool wps_slice_is_utf8(struct wps_slice slice);
bool wps_slice_has_control(struct wps_slice slice); /* bytes below 0x20, and 0x7f */
/* RFC 9110: a header's name or a method is a token; a header's value is free of control bytes but for tabs. */
bool wps_slice_is_token(struct wps_slice slice);
bool wps_slice_is_header_value(struct wps_slice slice);
/* ASCII case aside, is it this text? Inline, for the length of a literal is known and mostly another one. */
static inline bool wps_slice_is(struct wps_slice slice, const char *text)
{
    struct wps_slice other = { text, strlen(text) };

    return slice.length == other.length && wps_slice_equal_nocase(slice, other);
}

#endif

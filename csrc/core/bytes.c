/* bytes.c - bytes: the growable buffer, slices, and the error record everything above reports into. */
#include "core/bytes.h"
#include "core/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 512 }; /* a signed request's headers take about that: most buffers never grow */

/* ------------------------------------------------------------------ errors */

enum wps_kind wps_fail(struct wps_error *error, enum wps_kind kind, const char *argument, const char *code,
                       const char *format, ...)
{
    va_list arguments;

    if (error->kind)
        return error->kind;
    error->kind = kind;
    snprintf(error->argument, sizeof error->argument, "%s", argument ? argument : "");
    snprintf(error->code, sizeof error->code, "%s", code ? code : "");
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return kind;
}

const char *wps_kind_name(enum wps_kind kind)
{
    static const char *const names[] = {
        [WPS_OK] = "ok",
        [WPS_ARGUMENT] = "argument",
        [WPS_CREDENTIAL] = "credential",
        [WPS_TRANSPORT] = "transport",
        [WPS_TIMEOUT] = "timeout",
        [WPS_CANCELLED] = "cancelled",
        [WPS_PROTOCOL] = "protocol",
        [WPS_SERVICE] = "service",
        [WPS_NO_MEMORY] = "memory",
    };
    return names[kind];
}

/* Levenshtein's distance over one row; names longer than the row are never near anything. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST_NAME = 40 };
    size_t row[LONGEST_NAME + 1];
    size_t width = strlen(b);

    if (strlen(a) > LONGEST_NAME || width > LONGEST_NAME)
        return SIZE_MAX;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[width];
}

/* A third of the letters wrong is still a slip; with the same beginning (userId for user) much more is. */
void wps_nearest_offer(struct wps_nearest *nearest, const char *candidate)
{
    enum { SAME_BEGINNING = 3 };
    size_t distance = edit_distance(nearest->name, candidate), same = 0;
    long score;

    while (nearest->name[same] && nearest->name[same] == candidate[same])
        same++;
    if (distance == SIZE_MAX || (distance > strlen(nearest->name) / 3 + 1 && same < SAME_BEGINNING))
        return;
    score = (long)distance - 2 * (long)same;
    if (!nearest->best || score < nearest->score) {
        nearest->best = candidate;
        nearest->score = score;
    }
}

/* ------------------------------------------------------------------ buffer */

void wps_wipe(void *data, size_t length)
{
    if (length) {
        memset(data, 0, length);
        __asm__ volatile("" : : "r"(data) : "memory"); /* or the compiler sees that nobody reads it again */
    }
}

/* Growth copies instead of calling realloc, which would leave the old bytes behind unwiped. */
static bool grow(struct wps_buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    char *data;

    while (capacity < needed)
        capacity *= 2;
    data = malloc(capacity);
    if (!data)
        return false;
    if (buffer->data) {
        memcpy(data, buffer->data, buffer->length);
        wps_wipe(buffer->data, buffer->length);
        free(buffer->data);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

char *wps_buffer_reserve(struct wps_buffer *buffer, size_t length)
{
    size_t maximum = buffer->maximum ? buffer->maximum : WPS_BUFFER_DEFAULT_MAXIMUM;

    if (buffer->failed)
        return NULL;
    if (length > maximum - buffer->length) {
        buffer->failed = WPS_ARGUMENT;
        return NULL;
    }
    if (buffer->length + length + 1 > buffer->capacity && !grow(buffer, buffer->length + length + 1)) {
        buffer->failed = WPS_NO_MEMORY;
        return NULL;
    }
    return buffer->data + buffer->length;
}

void wps_buffer_commit(struct wps_buffer *buffer, size_t length)
{
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void wps_buffer_append(struct wps_buffer *buffer, const char *data, size_t length)
{
    char *room = wps_buffer_reserve(buffer, length);

    if (room) {
        if (length)
            memcpy(room, data, length);
        wps_buffer_commit(buffer, length);
    }
}

void wps_buffer_text(struct wps_buffer *buffer, const char *text)
{
    wps_buffer_append(buffer, text, strlen(text));
}

void wps_buffer_integer(struct wps_buffer *buffer, int64_t value)
{
    char digits[24];
    size_t start = sizeof digits;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        digits[--start] = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        digits[--start] = '-';
    wps_buffer_append(buffer, digits + start, sizeof digits - start);
}

void wps_buffer_truncate(struct wps_buffer *buffer, size_t length)
{
    if (length < buffer->length) {
        wps_wipe(buffer->data + length, buffer->length - length);
        buffer->length = length;
    }
    buffer->failed = WPS_OK;
}

void wps_buffer_free(struct wps_buffer *buffer)
{
    if (buffer->data)
        wps_wipe(buffer->data, buffer->length);
    free(buffer->data);
    buffer->data = NULL;
    buffer->length = buffer->capacity = 0;
    buffer->failed = WPS_OK;
}

void wps_buffer_recycle(struct wps_buffer *buffer)
{
    enum { KEPT_CAPACITY = 4096 };

    if (buffer->capacity > KEPT_CAPACITY)
        wps_buffer_free(buffer);
    else
        wps_buffer_truncate(buffer, 0);
    buffer->maximum = 0;
}

enum wps_kind wps_buffer_check(const struct wps_buffer *buffer, struct wps_error *error, const char *what)
{
    if (buffer->failed == WPS_NO_MEMORY)
        return wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    if (buffer->failed)
        return wps_fail(error, WPS_ARGUMENT, what, "invalid", "%s is longer than %zu bytes", what,
                        buffer->maximum ? buffer->maximum : WPS_BUFFER_DEFAULT_MAXIMUM);
    return WPS_OK;
}

const char *wps_buffer_string(const struct wps_buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}

/* ------------------------------------------------------------------ slices */

struct wps_slice wps_slice_of(const char *text)
{
    struct wps_slice slice = { text, text ? strlen(text) : 0 };
    return slice;
}

char wps_lower(char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        byte = (char)(byte - 'A' + 'a');
    return byte;
}

bool wps_slice_equal(struct wps_slice a, struct wps_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool wps_slice_equal_nocase(struct wps_slice a, struct wps_slice b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (a.data[i] != b.data[i] && wps_lower(a.data[i]) != wps_lower(b.data[i]))
            return false;
    return true;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct wps_slice wps_slice_trim(struct wps_slice slice)
{
    while (slice.length && is_space(slice.data[0])) {
        slice.data++;
        slice.length--;
    }
    while (slice.length && is_space(slice.data[slice.length - 1]))
        slice.length--;
    return slice;
}

bool wps_slice_has_control(struct wps_slice slice)
{
    return wps_slice_any(slice, wps_any_control);
}

/* RFC 3629: shortest forms only, no surrogates, nothing past U+10FFFF. */
bool wps_slice_is_utf8(struct wps_slice slice)
{
    const unsigned char *byte = (const unsigned char *)slice.data;
    const unsigned char *end = byte + slice.length;

    while (byte < end) {
        unsigned char first = *byte++;
        int following = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2
                        : first >= 0xf0 && first < 0xf5 ? 3 : -1;

        if (following < 0 || end - byte < following)
            return false;
        if ((first == 0xe0 && *byte < 0xa0) || (first == 0xed && *byte > 0x9f) || (first == 0xf0 && *byte < 0x90)
            || (first == 0xf4 && *byte > 0x8f))
            return false;
        for (; following > 0; following--)
            if ((*byte++ & 0xc0) != 0x80)
                return false;
    }
    return true;
}

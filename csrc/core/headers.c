/* headers.c - a header block as text: look up, check, replace. */
#include "core/headers.h"
#include "core/words.h"

#include <string.h>

/* The line at the beginning of `rest`, without its line end, and what follows it. */
static struct wps_slice take_line(struct wps_slice *rest)
{
    struct wps_slice line = *rest;
    const char *end = rest->length ? memchr(rest->data, '\n', rest->length) : NULL;

    if (end) {
        line.length = (size_t)(end - rest->data);
        rest->data = end + 1;
        rest->length -= line.length + 1;
    } else {
        rest->data += rest->length;
        rest->length = 0;
    }
    return line;
}

bool wps_headers_next(struct wps_slice *rest, struct wps_slice *name, struct wps_slice *value)
{
    while (rest->length) {
        struct wps_slice line = take_line(rest);
        const char *colon = line.length ? memchr(line.data, ':', line.length) : NULL;

        if (colon && colon > line.data) {
            struct wps_slice after = { colon + 1, line.length - (size_t)(colon + 1 - line.data) };
            name->data = line.data;
            name->length = (size_t)(colon - line.data);
            *value = wps_slice_trim(after);
            return true;
        }
    }
    return false;
}

struct wps_slice wps_headers_find(struct wps_slice block, const char *name)
{
    struct wps_slice wanted = wps_slice_of(name);

    if (!wanted.length || strchr(name, ':')) /* no header is called that */
        return wps_slice_of(NULL);
    while (block.length) {
        struct wps_slice line = take_line(&block), start = { line.data, wanted.length };

        /* most lines are told by one byte: there is no colon where the name would end */
        if (line.length > wanted.length && line.data[wanted.length] == ':' && wps_slice_equal_nocase(start, wanted)) {
            struct wps_slice after = { line.data + wanted.length + 1, line.length - wanted.length - 1 };
            return wps_slice_trim(after);
        }
    }
    return wps_slice_of(NULL);
}

/* RFC 9110: the bytes of a token by their values, as one bit each. */
static bool is_token_byte(unsigned char byte)
{
    static const uint32_t allowed[8] = {
        0x00000000, /* control bytes */
        0x03ff6cfa, /* ! # $ % & ' * + - . 0-9 */
        0xc7fffffe, /* A-Z ^ _ */
        0x57ffffff, /* ` a-z | ~ */
    };

    return allowed[byte / 32] >> (byte % 32) & 1;
}

bool wps_slice_is_token(struct wps_slice slice)
{
    if (!wps_slice_any(slice, wps_any_unusual))
        return slice.length > 0;
    for (size_t i = 0; i < slice.length; i++)
        if (!is_token_byte((unsigned char)slice.data[i]))
            return false;
    return slice.length > 0;
}

bool wps_slice_is_header_value(struct wps_slice slice)
{
    return !wps_slice_any(slice, wps_any_no_value);
}

/* The first byte that no value may have, of a value that has one. */
static unsigned char forbidden_byte(struct wps_slice value)
{
    struct wps_slice byte = { value.data, 1 };

    while (wps_slice_is_header_value(byte))
        byte.data++;
    return (unsigned char)*byte.data;
}

enum wps_kind wps_headers_check(struct wps_slice name, struct wps_slice value, struct wps_error *error)
{
    if (!wps_slice_is_token(name))
        return wps_fail(error, WPS_ARGUMENT, "headers", "invalid",
                        "a header name may have letters, digits and !#$%%&'*+-.^_`|~ only, and at least one of them");
    if (!wps_slice_is_header_value(value))
        return wps_fail(error, WPS_ARGUMENT, "headers", "invalid",
                        "the value of header %.*s has a control byte (0x%02x); CR, LF and NUL would end it early",
                        (int)(name.length < 64 ? name.length : 64), name.data, forbidden_byte(value));
    return WPS_OK;
}

/* Makes room for the whole line, so that there is all of it or nothing. */
static bool reserve_line(struct wps_buffer *block, struct wps_slice name, struct wps_slice value)
{
    return wps_buffer_reserve(block, name.length + value.length + sizeof ": \r\n" - 1) != NULL;
}

void wps_headers_add(struct wps_buffer *block, struct wps_slice name, struct wps_slice value)
{
    if (!reserve_line(block, name, value))
        return;
    wps_buffer_append(block, name.data, name.length);
    wps_buffer_append(block, ": ", 2);
    wps_buffer_append(block, value.data, value.length);
    wps_buffer_append(block, "\r\n", 2);
}

void wps_headers_set(struct wps_buffer *block, struct wps_slice name, struct wps_slice value)
{
    struct wps_slice rest, found, old;
    const char *line;

    if (block->failed || (value.data && !reserve_line(block, name, value)))
        return; /* the block stays as it was, and failed: cutting it would forget that */
    rest.data = line = block->data;
    rest.length = block->length;
    while (wps_headers_next(&rest, &found, &old)) {
        if (wps_slice_equal_nocase(found, name)) {
            size_t at = (size_t)(line - block->data);
            size_t after = (size_t)(rest.data - block->data);
            memmove(block->data + at, rest.data, rest.length);
            wps_buffer_truncate(block, block->length - (after - at));
            rest.data = block->data + at; /* the same name may stand there again */
        } else {
            line = rest.data;
        }
    }
    if (value.data)
        wps_headers_add(block, name, value);
}

bool wps_headers_split(struct wps_slice line, struct wps_slice *name, struct wps_slice *value)
{
    const char *colon = line.length ? memchr(line.data, ':', line.length) : NULL;

    if (!colon)
        return false;
    name->data = line.data;
    name->length = (size_t)(colon - line.data);
    value->data = colon + 1;
    value->length = line.length - name->length - 1;
    return wps_slice_is_token(*name) && wps_slice_is_header_value(*value);
}

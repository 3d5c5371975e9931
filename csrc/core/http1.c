/* http1.c - bytes as an HTTP/1.1 response. See http1.h for the contract. */
#include "core/http1.h"
#include "core/headers.h"

#include <string.h>

#define CRLF "\r\n"

static void fail_malformed(struct wps_http1 *http, const char *what)
{
    http->state = WPS_HTTP1_BROKEN;
    wps_fail(&http->error, WPS_PROTOCOL, NULL, "malformed", "%s", what);
}

static void fail_too_large(struct wps_http1 *http, const char *part, const char *option, size_t limit)
{
    http->state = WPS_HTTP1_BROKEN;
    wps_fail(&http->error, WPS_PROTOCOL, NULL, "too_large", "the response's %s exceeds %s (%zu bytes)", part, option,
             limit);
}

static void fail_without_memory(struct wps_http1 *http)
{
    http->state = WPS_HTTP1_BROKEN;
    wps_fail(&http->error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
}

/* ------------------------------------------------------------------ lines */

static void take(struct wps_slice *input, size_t length)
{
    input->data += length;
    input->length -= length;
}

/* Moves bytes to `head` until its current line is whole; true when it is, and `line` is it without its CR LF. */
static bool take_line(struct wps_http1 *http, struct wps_slice *input, struct wps_slice *line)
{
    const char *end = memchr(input->data, '\n', input->length);
    size_t length = end ? (size_t)(end + 1 - input->data) : input->length;

    if (length > http->limits.header_bytes - http->header_bytes) {
        fail_too_large(http, "head", "max_header_bytes", http->limits.header_bytes);
        return false;
    }
    http->header_bytes += length;
    wps_buffer_append(&http->head, input->data, length);
    take(input, length);
    if (http->head.failed) {
        fail_without_memory(http);
        return false;
    }
    if (!end)
        return false;
    line->data = http->head.data + http->line;
    line->length = http->head.length - http->line;
    if (line->length < 2 || line->data[line->length - 2] != '\r') {
        fail_malformed(http, "a line of the response does not end with CR LF");
        return false;
    }
    line->length -= 2;
    return true;
}

static void keep_line(struct wps_http1 *http)
{
    http->line = http->head.length;
}

static void drop_line(struct wps_http1 *http)
{
    wps_buffer_truncate(&http->head, http->line);
}

/* ------------------------------------------------------------------ status line */

static int digit_of(char byte)
{
    return byte >= '0' && byte <= '9' ? byte - '0' : -1;
}

/* "HTTP/1.1 204 No Content"; the blank after the status may be missing where no reason follows. */
static void read_status_line(struct wps_http1 *http, struct wps_slice line)
{
    enum { MINOR = sizeof "HTTP/1." - 1, STATUS = MINOR + 2, REASON = STATUS + 4 };
    int hundreds, tens, ones;

    if (line.length < REASON - 1 || memcmp(line.data, "HTTP/", 5) != 0) {
        fail_malformed(http, "the response does not begin with an HTTP status line");
        return;
    }
    http->minor_version = digit_of(line.data[MINOR]);
    if (memcmp(line.data, "HTTP/1.", MINOR) != 0 || http->minor_version < 0 || http->minor_version > 1
        || line.data[MINOR + 1] != ' ') {
        fail_malformed(http, "the response is of an HTTP version other than 1.0 and 1.1");
        return;
    }
    hundreds = digit_of(line.data[STATUS]);
    tens = digit_of(line.data[STATUS + 1]);
    ones = digit_of(line.data[STATUS + 2]);
    if (hundreds < 1 || hundreds > 5 || tens < 0 || ones < 0
        || (line.length >= REASON && line.data[REASON - 1] != ' ')) {
        fail_malformed(http, "the response's status is not a number from 100 to 599");
        return;
    }
    http->status = hundreds * 100 + tens * 10 + ones;
    http->reason_length = line.length >= REASON ? line.length - REASON : 0;
    http->reason_at = (size_t)(line.data - http->head.data) + line.length - http->reason_length;
    line.data += line.length - http->reason_length;
    line.length = http->reason_length;
    if (!wps_slice_is_header_value(line)) {
        fail_malformed(http, "the response's status line has a control byte");
        return;
    }
    keep_line(http);
    http->fields = http->line;
    http->state = WPS_HTTP1_FIELDS;
}

/* ------------------------------------------------------------------ header lines */

static void read_content_length(struct wps_http1 *http, struct wps_slice value)
{
    uint64_t length = 0;
    bool valid = value.length > 0;

    for (size_t i = 0; i < value.length && valid; i++) {
        int digit = digit_of(value.data[i]);
        valid = digit >= 0 && length <= (UINT64_MAX - 9) / 10;
        length = length * 10 + (uint64_t)digit;
    }
    if (!valid)
        fail_malformed(http, "the response's Content-Length is not a number of bytes");
    else if (http->has_length && length != http->left)
        fail_malformed(http, "the response has several Content-Lengths that differ");
    http->has_length = true;
    http->left = length;
}

static void read_transfer_encoding(struct wps_http1 *http, struct wps_slice value)
{
    if (http->chunked || !wps_slice_is(value, "chunked"))
        fail_malformed(http, "the response has a Transfer-Encoding other than chunked");
    http->chunked = true;
}

static void read_connection(struct wps_http1 *http, struct wps_slice value)
{
    while (value.length) {
        const char *comma = memchr(value.data, ',', value.length);
        struct wps_slice option = { value.data, comma ? (size_t)(comma - value.data) : value.length };

        take(&value, comma ? option.length + 1 : option.length);
        option = wps_slice_trim(option);
        http->says_close |= wps_slice_is(option, "close");
        http->says_keep_alive |= wps_slice_is(option, "keep-alive");
    }
}

static bool read_field(struct wps_http1 *http, struct wps_slice line)
{
    struct wps_slice name, value;

    if (line.data[0] == ' ' || line.data[0] == '\t') {
        fail_malformed(http, "the response has a folded header line");
        return false;
    }
    if (!wps_headers_split(line, &name, &value)) {
        fail_malformed(http, "the response has a header line that is not \"Name: value\", or has control bytes");
        return false;
    }
    value = wps_slice_trim(value);
    if (http->state == WPS_HTTP1_TRAILERS)
        return true; /* too late to say anything about the message */
    if (wps_slice_is(name, "Content-Length"))
        read_content_length(http, value);
    else if (wps_slice_is(name, "Transfer-Encoding"))
        read_transfer_encoding(http, value);
    else if (wps_slice_is(name, "Connection"))
        read_connection(http, value);
    return http->state != WPS_HTTP1_BROKEN;
}

/* ------------------------------------------------------------------ the end of the head */

static void complete(struct wps_http1 *http)
{
    http->keep_alive = !http->says_close && (http->minor_version == 1 || http->says_keep_alive);
    http->state = WPS_HTTP1_COMPLETE;
}

/* Whatever framing and lifetime the proxy announces, the stream goes on (RFC 9110, 9.3.6), unless more came with it. */
static void open_tunnel(struct wps_http1 *http)
{
    complete(http);
    http->keep_alive = true;
}

/* Another response follows an interim one, on the same count of header bytes. */
static void skip_interim(struct wps_http1 *http)
{
    if (http->status == 101) {
        fail_malformed(http, "the server switches protocols, which was not asked for");
        return;
    }
    wps_buffer_truncate(&http->head, 0);
    http->line = 0;
    http->has_length = http->chunked = http->says_close = http->says_keep_alive = false;
    http->state = WPS_HTTP1_STATUS_LINE;
}

static void begin_body(struct wps_http1 *http)
{
    bool tunnel = http->answers_connect && http->status >= 200 && http->status <= 299;
    bool bodiless = http->answers_head || http->status == 204 || http->status == 304;

    /* A server that announces a body of a 204 may send one, and it would be taken for the next response. */
    if (http->status == 204 && (http->chunked || http->left > 0))
        http->says_close = true;
    if (tunnel)
        open_tunnel(http);
    else if (http->chunked && http->has_length)
        fail_malformed(http, "the response has both Content-Length and Transfer-Encoding");
    else if (http->chunked && http->minor_version == 0)
        fail_malformed(http, "the response is chunked, which HTTP/1.0 does not know");
    else if (http->status < 200)
        skip_interim(http);
    else if (bodiless || (http->has_length && http->left == 0))
        complete(http);
    else if (http->chunked)
        http->state = WPS_HTTP1_CHUNK_SIZE;
    else if (!http->has_length)
        http->state = WPS_HTTP1_BODY_TO_END;
    else if (http->left > http->limits.body_bytes)
        fail_too_large(http, "body", "max_response_bytes", http->limits.body_bytes);
    else
        http->state = WPS_HTTP1_SIZED_BODY;
}

static void read_head_line(struct wps_http1 *http, struct wps_slice line)
{
    if (line.length) {
        if (read_field(http, line))
            keep_line(http);
    } else {
        drop_line(http);
        begin_body(http);
    }
}

static void read_trailer_line(struct wps_http1 *http, struct wps_slice line)
{
    if (!line.length)
        complete(http);
    else if (!read_field(http, line))
        return;
    drop_line(http);
}

/* ------------------------------------------------------------------ body */

/* Takes as much of the input as belongs to the body or chunk; true when that is all of it. */
static bool take_content(struct wps_http1 *http, struct wps_slice *input)
{
    size_t length = input->length < http->left ? input->length : (size_t)http->left;

    wps_buffer_append(&http->body, input->data, length);
    take(input, length);
    http->left -= length;
    if (http->body.failed == WPS_NO_MEMORY)
        fail_without_memory(http);
    else if (http->body.failed)
        fail_too_large(http, "body", "max_response_bytes", http->limits.body_bytes);
    return !http->body.failed && !http->left;
}

static int hex_digit_of(char byte)
{
    char lower = wps_lower(byte);

    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : digit_of(byte);
}

/* "1f", or "1f;extension": only the extension counts as header bytes, or many small chunks would be too many. */
static void read_chunk_size(struct wps_http1 *http, struct wps_slice line)
{
    enum { MOST_DIGITS = 16 }; /* of 64 bits */
    size_t at = 0;
    uint64_t size = 0;
    struct wps_slice rest;

    for (; at < line.length && at < MOST_DIGITS && hex_digit_of(line.data[at]) >= 0; at++)
        size = size << 4 | (uint64_t)hex_digit_of(line.data[at]);
    rest.data = line.data + at;
    rest.length = line.length - at;
    if (!at || (rest.length && *rest.data != ';') || !wps_slice_is_header_value(rest)) {
        fail_malformed(http, "the response has a chunk whose size is not a hexadecimal number");
        return;
    }
    if (size > http->limits.body_bytes - http->body.length) {
        fail_too_large(http, "body", "max_response_bytes", http->limits.body_bytes);
        return;
    }
    http->header_bytes -= line.length + sizeof CRLF - 1 - rest.length;
    drop_line(http);
    http->left = size;
    http->state = size ? WPS_HTTP1_CHUNK : WPS_HTTP1_TRAILERS;
}

static void take_chunk_end(struct wps_http1 *http, struct wps_slice *input)
{
    if (*input->data != CRLF[http->left]) {
        fail_malformed(http, "the response has a chunk that is longer than its size");
        return;
    }
    take(input, 1);
    if (++http->left == sizeof CRLF - 1)
        http->state = WPS_HTTP1_CHUNK_SIZE;
}

/* ------------------------------------------------------------------ feeding */

/* Takes at least one byte, or ends the message. */
static void advance(struct wps_http1 *http, struct wps_slice *input)
{
    struct wps_slice line;

    switch (http->state) {
    case WPS_HTTP1_STATUS_LINE:
        if (take_line(http, input, &line))
            read_status_line(http, line);
        break;
    case WPS_HTTP1_FIELDS:
        if (take_line(http, input, &line))
            read_head_line(http, line);
        break;
    case WPS_HTTP1_CHUNK_SIZE:
        if (take_line(http, input, &line))
            read_chunk_size(http, line);
        break;
    case WPS_HTTP1_TRAILERS:
        if (take_line(http, input, &line))
            read_trailer_line(http, line);
        break;
    case WPS_HTTP1_SIZED_BODY:
        if (take_content(http, input))
            complete(http);
        break;
    case WPS_HTTP1_CHUNK:
        if (take_content(http, input))
            http->state = WPS_HTTP1_CHUNK_END; /* `left` counts the bytes of CR LF from here */
        break;
    case WPS_HTTP1_CHUNK_END:
        take_chunk_end(http, input);
        break;
    case WPS_HTTP1_BODY_TO_END:
        http->left = input->length;
        take_content(http, input);
        break;
    case WPS_HTTP1_COMPLETE:
        http->keep_alive = false;
        take(input, input->length);
        break;
    case WPS_HTTP1_IDLE:
        fail_malformed(http, "the server sent something before it was asked");
        break;
    case WPS_HTTP1_BROKEN:
        break;
    }
}

/* `head` no longer moves. */
static enum wps_http1_progress progress(struct wps_http1 *http)
{
    if (http->state == WPS_HTTP1_BROKEN)
        return WPS_HTTP1_FAILED;
    if (http->state != WPS_HTTP1_COMPLETE)
        return WPS_HTTP1_MORE;
    http->reason.data = http->head.data + http->reason_at;
    http->reason.length = http->reason_length;
    http->headers.data = http->head.data + http->fields;
    http->headers.length = http->head.length - http->fields;
    return WPS_HTTP1_DONE;
}

enum wps_http1_progress wps_http1_feed(struct wps_http1 *http, const char *data, size_t length)
{
    struct wps_slice input = { data, length };

    http->received = http->received || length > 0;
    while (input.length && http->state != WPS_HTTP1_BROKEN)
        advance(http, &input);
    return progress(http);
}

enum wps_http1_progress wps_http1_end(struct wps_http1 *http)
{
    if (http->state == WPS_HTTP1_BODY_TO_END)
        complete(http);
    if (http->state != WPS_HTTP1_COMPLETE && http->state != WPS_HTTP1_BROKEN) {
        http->state = WPS_HTTP1_BROKEN;
        wps_fail(&http->error, WPS_TRANSPORT, NULL, "closed", "%s",
                 http->received ? "the connection was closed in the middle of the response"
                                : "the connection was closed before any answer");
    }
    http->keep_alive = false;
    return progress(http);
}

/* ------------------------------------------------------------------ handing over */

static void swap(struct wps_buffer *a, struct wps_buffer *b)
{
    struct wps_buffer other = *a;

    *a = *b;
    *b = other;
}

void wps_http1_take(struct wps_http1 *http, struct wps_buffer *headers, struct wps_buffer *body)
{
    size_t length = http->headers.length;

    if (length) /* they move to the front, over the status line */
        memmove(http->head.data, http->headers.data, length);
    wps_buffer_truncate(&http->head, length);
    http->reason = http->headers = wps_slice_of(NULL);
    swap(&http->head, headers);
    swap(&http->body, body);
}

/* ------------------------------------------------------------------ life */

void wps_http1_recycle(struct wps_http1 *http)
{
    wps_buffer_recycle(&http->outgoing);
    wps_buffer_recycle(&http->head);
    wps_buffer_recycle(&http->body);
    http->status = 0;
    http->reason = http->headers = wps_slice_of(NULL);
    http->keep_alive = http->received = http->answers_head = http->answers_connect = false;
    http->error.kind = WPS_OK;
    http->state = WPS_HTTP1_IDLE;
    http->line = http->fields = http->header_bytes = http->reason_at = http->reason_length = 0;
    http->minor_version = 0;
    http->has_length = http->chunked = http->says_close = http->says_keep_alive = false;
    http->left = 0;
}

enum wps_kind wps_http1_request(struct wps_http1 *http, const struct wps_http1_request *request,
                                const struct wps_http1_limits *limits)
{
    wps_http1_recycle(http);
    http->limits.header_bytes = limits->header_bytes ? limits->header_bytes : WPS_HTTP1_HEADER_BYTES;
    http->limits.body_bytes = limits->body_bytes ? limits->body_bytes : WPS_HTTP1_BODY_BYTES;
    if (wps_http1_write(&http->outgoing, request, &http->error))
        return http->error.kind;
    http->head.maximum = http->limits.header_bytes;
    http->body.maximum = http->limits.body_bytes;
    http->answers_head = wps_slice_is(request->method, "HEAD");
    http->answers_connect = wps_slice_is(request->method, "CONNECT");
    http->state = WPS_HTTP1_STATUS_LINE;
    return WPS_OK;
}

void wps_http1_free(struct wps_http1 *http)
{
    wps_http1_recycle(http);
    wps_buffer_free(&http->outgoing);
    wps_buffer_free(&http->head);
    wps_buffer_free(&http->body);
}

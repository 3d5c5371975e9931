/* http1_request.c - an HTTP/1.1 request as bytes. */
#include "core/http1.h"
#include "core/headers.h"
#include "core/words.h"

#include <string.h>

static bool is_visible(struct wps_slice text)
{
    return text.length > 0 && !wps_slice_any(text, wps_any_invisible);
}

/* A header that would change where the request ends or whom it is for. */
static bool is_reserved(struct wps_slice name)
{
    return wps_slice_is(name, "Host") || wps_slice_is(name, "Content-Length")
           || wps_slice_is(name, "Transfer-Encoding");
}

/* The line up to its CR LF, taken off `rest`; absent where there is none. */
static struct wps_slice take_whole_line(struct wps_slice *rest)
{
    struct wps_slice line = { rest->data, 0 };
    const char *end = memchr(rest->data, '\n', rest->length);

    if (!end || end == rest->data || end[-1] != '\r')
        return wps_slice_of(NULL);
    line.length = (size_t)(end - 1 - rest->data);
    rest->data = end + 1;
    rest->length -= line.length + 2;
    return line;
}

static enum wps_kind check_headers(struct wps_slice rest, struct wps_error *error)
{
    struct wps_slice name, value;

    while (rest.length) {
        struct wps_slice line = take_whole_line(&rest);
        if (!line.data || !wps_headers_split(line, &name, &value))
            return wps_fail(error, WPS_ARGUMENT, "headers", "invalid",
                            "headers must be lines \"Name: value\" without control bytes, each ended with CR LF");
        if (is_reserved(name))
            return wps_fail(error, WPS_ARGUMENT, "headers", "invalid",
                            "header %.*s cannot be set: it follows from the request", (int)name.length, name.data);
    }
    return WPS_OK;
}

static enum wps_kind check_request(const struct wps_http1_request *request, struct wps_error *error)
{
    if (!wps_slice_is_token(request->method))
        return wps_fail(error, WPS_ARGUMENT, "method", "invalid", "the method must be a word such as POST");
    if (!is_visible(request->target)
        || (request->target.data[0] != '/' && !wps_slice_is(request->method, "CONNECT")))
        return wps_fail(error, WPS_ARGUMENT, "target", "invalid",
                        "the target must begin with / and be escaped: no blanks, control bytes or bytes above 0x7e");
    if (!is_visible(request->host))
        return wps_fail(error, WPS_ARGUMENT, "host", "invalid",
                        "the host must be a name or an address, perhaps with :port");
    return request->headers_checked ? WPS_OK : check_headers(request->headers, error);
}

/* A method whose request has a body by its nature says so when it is empty, too (RFC 9110, 8.6). */
static bool announces_length(const struct wps_http1_request *request)
{
    return request->body.data || wps_slice_is(request->method, "POST") || wps_slice_is(request->method, "PUT");
}

static void append_request(struct wps_buffer *out, const struct wps_http1_request *request)
{
    enum { AROUND = sizeof "  HTTP/1.1\r\nHost: \r\nContent-Length: 18446744073709551615\r\n\r\n" };

    out->maximum = request->method.length + request->target.length + request->host.length + request->headers.length
                   + request->body.length + AROUND;
    wps_buffer_reserve(out, out->maximum);
    wps_buffer_append(out, request->method.data, request->method.length);
    wps_buffer_text(out, " ");
    wps_buffer_append(out, request->target.data, request->target.length);
    wps_buffer_text(out, " HTTP/1.1\r\nHost: ");
    wps_buffer_append(out, request->host.data, request->host.length);
    wps_buffer_text(out, "\r\n");
    wps_buffer_append(out, request->headers.data, request->headers.length);
    if (announces_length(request)) {
        wps_buffer_text(out, "Content-Length: ");
        wps_buffer_integer(out, (int64_t)request->body.length);
        wps_buffer_text(out, "\r\n");
    }
    wps_buffer_text(out, "\r\n");
    wps_buffer_append(out, request->body.data, request->body.length);
}

enum wps_kind wps_http1_write(struct wps_buffer *out, const struct wps_http1_request *request, struct wps_error *error)
{
    if (check_request(request, error))
        return error->kind;
    append_request(out, request);
    return out->failed ? wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory") : WPS_OK;
}

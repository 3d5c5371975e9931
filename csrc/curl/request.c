/* curl/request.c - an exchange's request: checked, copied, and handed to an easy handle. */
#include "curl/engine_private.h"

#include <stdlib.h>
#include <string.h>

/* Headers libcurl would add of its own accord; a name without a value stops it. Each line costs a little time, so
 * those that cannot come up are not stopped. */
static char no_accept[] = "Accept:", no_content_type[] = "Content-Type:", no_expect[] = "Expect:";
enum { MAX_UNWANTED = 3 };

static size_t list_unwanted(const struct wps_exchange *exchange, char *unwanted[MAX_UNWANTED])
{
    enum { LIBCURL_EXPECTS_ABOVE = 1024 * 1024 - 1 }; /* bytes of body */
    size_t count = 0;

    if (!exchange->has_accept)
        unwanted[count++] = no_accept;
    if (exchange->has_length)
        unwanted[count++] = no_content_type;
    if (exchange->body.length > LIBCURL_EXPECTS_ABOVE)
        unwanted[count++] = no_expect;
    return count;
}

/* ------------------------------------------------------------------ checked and copied */

static enum wps_kind copy_method(struct wps_exchange *exchange, const struct wps_exchange_request *request)
{
    static const struct {
        const char *name;
        bool may_have_body;
        bool has_length; /* sends Content-Length even without a body */
    } methods[] = {
        { "GET", false, false },
        { "HEAD", false, false },
        { "POST", true, true },
        { "PUT", true, true },
        { "DELETE", true, false },
    };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, request->method) == 0) {
            if (request->body.length && !methods[i].may_have_body)
                return wps_fail(&exchange->error, WPS_ARGUMENT, "body", "invalid", "a %s request has no body",
                                methods[i].name);
            exchange->method = methods[i].name;
            exchange->has_length = methods[i].has_length || request->body.length > 0;
            return WPS_OK;
        }
    return wps_fail(&exchange->error, WPS_ARGUMENT, "method", "invalid",
                    "method must be GET, HEAD, POST, PUT or DELETE");
}

static enum wps_kind copy_target(struct wps_exchange *exchange, struct wps_slice target)
{
    const struct wps_profile *profile = exchange->profile;
    bool valid = target.length && target.data[0] == '/';

    for (size_t i = 0; valid && i < target.length; i++)
        valid = target.data[i] > ' ' && target.data[i] < 0x7f && target.data[i] != '#';
    if (!valid)
        return wps_fail(&exchange->error, WPS_ARGUMENT, "target", "invalid",
                        "target must begin with / and be escaped: printable ASCII without blanks and #");
    exchange->target.maximum = profile->origin.length + target.length;
    if (profile->whole_url)
        wps_buffer_append(&exchange->target, profile->origin.data, profile->origin.length);
    wps_buffer_append(&exchange->target, target.data, target.length);
    return wps_buffer_check(&exchange->target, &exchange->error, "target");
}

/* Copies "Name: value" as libcurl wants it: it takes "Name:" for an order to leave a header out, and "Name;" for a
 * header without a value. */
static bool copy_line(struct wps_exchange *exchange, struct wps_slice line)
{
    const char *colon = line.length ? memchr(line.data, ':', line.length) : NULL;
    struct wps_slice name = { line.data, colon ? (size_t)(colon - line.data) : 0 };
    struct wps_slice value = { name.length ? colon + 1 : NULL, name.length ? line.length - name.length - 1 : 0 };

    if (!name.length || memchr(name.data, ' ', name.length) || memchr(name.data, ';', name.length)
        || memchr(line.data, '\n', line.length) || memchr(line.data, '\0', line.length))
        return false;
    if (wps_slice_trim(value).length) {
        wps_buffer_append(&exchange->lines, line.data, line.length);
    } else {
        wps_buffer_append(&exchange->lines, name.data, name.length);
        wps_buffer_text(&exchange->lines, ";");
    }
    wps_buffer_append(&exchange->lines, "", 1);
    exchange->has_accept = exchange->has_accept || wps_slice_is(name, "Accept");
    exchange->line_count++;
    return true;
}

static enum wps_kind copy_headers(struct wps_exchange *exchange, struct wps_slice block)
{
    exchange->lines.maximum = block.length + 1;
    while (block.length) {
        const char *end = memchr(block.data, '\r', block.length);
        struct wps_slice line = { block.data, end ? (size_t)(end - block.data) : 0 };

        if (!end || line.length + 2 > block.length || end[1] != '\n' || !copy_line(exchange, line))
            return wps_fail(&exchange->error, WPS_ARGUMENT, "headers", "invalid",
                            "line %zu of headers is not \"Name: value\" ended by CR LF, without NUL or other line end",
                            exchange->line_count + 1);
        block.data += line.length + 2;
        block.length -= line.length + 2;
    }
    return wps_buffer_check(&exchange->lines, &exchange->error, "headers");
}

static enum wps_kind copy_body(struct wps_exchange *exchange, struct wps_slice body)
{
    exchange->body.maximum = body.length ? body.length : 1;
    wps_buffer_append(&exchange->body, body.data, body.length);
    return wps_buffer_check(&exchange->body, &exchange->error, "body");
}

enum wps_kind wps_exchange_copy(struct wps_exchange *exchange, const struct wps_exchange_request *request)
{
    exchange->timeout = wps_milliseconds(request->timeout);
    exchange->once = request->once;
    if (!copy_method(exchange, request) && !copy_target(exchange, request->target)
        && !copy_headers(exchange, request->headers))
        copy_body(exchange, request->body);
    return exchange->error.kind;
}

/* ------------------------------------------------------------------ handed over */

/* The list's nodes are an array and their texts the exchange's: nothing is allocated for a header. */
static CURLcode hand_over_headers(struct wps_exchange *exchange, struct wps_handle *handle)
{
    char *unwanted[MAX_UNWANTED];
    size_t count = exchange->line_count + list_unwanted(exchange, unwanted);
    char *line = exchange->lines.data;

    if (count > handle->node_capacity) {
        struct curl_slist *nodes = realloc(handle->nodes, count * sizeof *nodes);
        if (!nodes)
            return CURLE_OUT_OF_MEMORY;
        handle->nodes = nodes;
        handle->node_capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        handle->nodes[i].next = i + 1 < count ? &handle->nodes[i + 1] : NULL;
        if (i < exchange->line_count) {
            handle->nodes[i].data = line;
            line += strlen(line) + 1;
        } else {
            handle->nodes[i].data = unwanted[i - exchange->line_count];
        }
    }
    return curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, handle->nodes);
}

static CURLcode hand_over_method(struct wps_exchange *exchange, CURL *easy)
{
    const char *custom = NULL;
    CURLcode code;

    if (exchange->has_length) {
        code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
        if (!code)
            code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.length);
        if (!code)
            code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, wps_buffer_string(&exchange->body));
        if (strcmp(exchange->method, "POST") != 0)
            custom = exchange->method;
    } else if (strcmp(exchange->method, "HEAD") == 0) {
        code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        code = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        if (strcmp(exchange->method, "GET") != 0)
            custom = exchange->method;
    }
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, custom);
    return code;
}

CURLcode wps_exchange_hand_over(struct wps_exchange *exchange, struct wps_handle *handle)
{
    CURL *easy = handle->easy;
    CURLoption where = exchange->profile->whole_url ? CURLOPT_URL : CURLOPT_REQUEST_TARGET;
    CURLcode code = curl_easy_setopt(easy, where, exchange->target.data);

    if (!code)
        code = hand_over_method(exchange, easy);
    if (!code)
        code = hand_over_headers(exchange, handle);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, exchange->timeout - exchange->queued);
#if !WPS_CURL_ANNOUNCES_SENDING
    if (!code) /* a connection that was never used cannot turn out dead */
        code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)exchange->once);
#endif
    return code;
}

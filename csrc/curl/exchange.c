/* curl/exchange.c - one request and its response: its life, and the callbacks that fill it in. */
#include "curl/engine_private.h"

#include <stdlib.h>
#include <string.h>

enum { SWITCHING_PROTOCOLS = 101 };

/* ------------------------------------------------------------------ callbacks */

/* Ends the transfer, once the exchange's error is told: libcurl takes 0 bytes for a failure. The connection must go
 * too, for libcurl 7.88 would keep one over HTTP/2 whose session this has ruined. */
static size_t stop(struct wps_exchange *exchange)
{
    curl_easy_setopt(exchange->handle->easy, CURLOPT_FORBID_REUSE, 1L);
    return 0;
}

static size_t stop_malformed(struct wps_exchange *exchange, const char *what)
{
    wps_fail(&exchange->error, WPS_PROTOCOL, NULL, "malformed", "%s: %s",
             wps_buffer_string(&exchange->profile->authority), what);
    return stop(exchange);
}

static size_t stop_too_large(struct wps_exchange *exchange, const char *part, const char *option, size_t limit)
{
    wps_fail(&exchange->error, WPS_PROTOCOL, NULL, "too_large", "%s: the response's %s exceeds %s (%zu bytes)",
             wps_buffer_string(&exchange->profile->authority), part, option, limit);
    return stop(exchange);
}

static size_t stop_without_memory(struct wps_exchange *exchange)
{
    wps_fail(&exchange->error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    return stop(exchange);
}

static bool is_interim(const struct wps_exchange *exchange)
{
    return exchange->status >= 100 && exchange->status < 200;
}

/* "HTTP/1.1 204 No Content" */
static void take_status_line(struct wps_exchange *exchange)
{
    const char *space = strchr(wps_buffer_string(&exchange->head), ' ');

    exchange->status = space ? atoi(space + 1) : 0;
    exchange->fields = exchange->head.length;
}

/* One line, however it ended on the wire. A folded line continues the one before. */
static void append_line(struct wps_buffer *head, const char *line, size_t length)
{
    if (length && (line[0] == ' ' || line[0] == '\t')) {
        wps_buffer_truncate(head, head->length - 2);
        wps_buffer_text(head, " ");
        while (length && (line[0] == ' ' || line[0] == '\t')) {
            line++;
            length--;
        }
    }
    wps_buffer_append(head, line, length);
    wps_buffer_text(head, "\r\n");
}

/* libcurl hands over whole lines: of interim responses, of the final one, and of trailers. */
static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct wps_exchange *exchange = ((struct wps_handle *)context)->exchange;
    size_t offered = size * count;
    size_t length = offered;
    size_t limit = exchange->profile->max_header_bytes;

    if (offered > limit - exchange->header_bytes)
        return stop_too_large(exchange, "head", "max_header_bytes", limit);
    exchange->header_bytes += offered;
    if (memchr(line, '\0', offered))
        return stop_malformed(exchange, "a header of the response has a NUL byte");
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;

    if (exchange->stage == WPS_AT_STATUS_LINE) {
        wps_buffer_truncate(&exchange->head, 0);
        append_line(&exchange->head, line, length);
        take_status_line(exchange);
        if (exchange->status == SWITCHING_PROTOCOLS)
            return stop_malformed(exchange, "the server switches protocols, which was not asked for");
        exchange->stage = WPS_AT_FIELDS;
    } else if (exchange->stage == WPS_AT_FIELDS && length) {
        append_line(&exchange->head, line, length);
    } else if (exchange->stage == WPS_AT_FIELDS) {
        exchange->stage = is_interim(exchange) ? WPS_AT_STATUS_LINE : WPS_AT_BODY;
    }
    return exchange->head.failed ? stop_without_memory(exchange) : offered;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct wps_exchange *exchange = ((struct wps_handle *)context)->exchange;

    wps_buffer_append(&exchange->content, data, size * count);
    if (exchange->content.failed == WPS_NO_MEMORY)
        return stop_without_memory(exchange);
    if (exchange->content.failed)
        return stop_too_large(exchange, "body", "max_response_bytes", exchange->content.maximum);
    return size * count;
}

#if WPS_CURL_ANNOUNCES_SENDING
/* Called before each sending. The second one within an exchange is libcurl's own decision, taken when a kept-alive
 * connection died before any answer, which does not tell whether the server has carried the request out. */
static int on_sending(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct wps_handle *handle = context;
    struct wps_exchange *exchange = handle->exchange;

    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    handle->words[0] = '\0'; /* about something that did not matter, then */
    if (exchange->once && exchange->sent) {
        wps_fail(&exchange->error, WPS_TRANSPORT, NULL, "closed", "%s: a kept-alive connection was closed before any "
                 "answer; the request may have been carried out, and must not be sent again",
                 wps_buffer_string(&exchange->profile->authority));
        return CURL_PREREQFUNC_ABORT;
    }
    exchange->sent++;
    return CURL_PREREQFUNC_OK;
}
#endif

CURLcode wps_handle_set_up(struct wps_handle *handle)
{
    CURL *easy = handle->easy;
    CURLcode code = wps_profile_apply(handle->profile, easy);

    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_PRIVATE, handle);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->words);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, handle);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, handle);
#if WPS_CURL_ANNOUNCES_SENDING
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_sending);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_PREREQDATA, handle);
#endif
    return code;
}

/* ------------------------------------------------------------------ life */

static CURLcode launch(struct wps_exchange *exchange)
{
    struct wps_handle *handle = NULL;
    CURLcode code = wps_engine_take(exchange->engine, exchange->profile, &handle);

    if (!code)
        code = wps_exchange_hand_over(exchange, handle);
    if (!code && curl_multi_add_handle(exchange->engine->multi, handle->easy))
        code = CURLE_OUT_OF_MEMORY;
    if (!code) {
        handle->words[0] = '\0';
        handle->exchange = exchange;
        exchange->handle = handle;
    } else if (handle) {
        wps_handle_destroy(handle); /* half set up: of no further use */
    }
    return code;
}

enum wps_kind wps_exchange_prepare(struct wps_exchange *exchange, struct wps_profile *profile,
                                   const struct wps_exchange_request *request)
{
    exchange->profile = wps_profile_hold(profile);
    exchange->head.maximum = 2 * profile->max_header_bytes; /* a lone LF is stored as CR LF */
    exchange->content.maximum = profile->max_response_bytes;
    return wps_exchange_copy(exchange, request);
}

enum wps_kind wps_exchange_launch(struct wps_exchange *exchange, struct wps_engine *engine)
{
    CURLcode code;

    exchange->engine = wps_engine_hold(engine);
    code = launch(exchange);
    if (code == CURLE_OUT_OF_MEMORY)
        return wps_fail(&exchange->error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    if (code)
        return wps_fail(&exchange->error, WPS_TRANSPORT, NULL, "failed", "libcurl: %s", curl_easy_strerror(code));
    return WPS_OK;
}

enum wps_kind wps_exchange_start(struct wps_exchange *exchange, struct wps_engine *engine,
                                 struct wps_profile *profile, const struct wps_exchange_request *request)
{
    if (wps_exchange_prepare(exchange, profile, request))
        return exchange->error.kind;
    return wps_exchange_launch(exchange, engine);
}

/* The request is forgotten as soon as it is not needed: its headers hold a token. */
static void settle(struct wps_exchange *exchange)
{
    wps_buffer_recycle(&exchange->target);
    wps_buffer_recycle(&exchange->lines);
    wps_buffer_recycle(&exchange->body);
    exchange->handle = NULL;
    exchange->done = true;
}

/* After a failure the easy handle goes as well: libcurl 7.88 leaves it in states in which the next HTTP/2 request
 * fails. */
void wps_exchange_end(struct wps_exchange *exchange)
{
    struct wps_handle *handle = exchange->handle;

    if (handle) {
        curl_multi_remove_handle(exchange->engine->multi, handle->easy);
        handle->exchange = NULL;
        if (exchange->error.kind)
            wps_handle_destroy(handle);
        else
            wps_engine_give_back(exchange->engine, handle);
    }
    settle(exchange);
}

void wps_exchange_complete(struct wps_exchange *exchange, CURLcode code)
{
    long connects = 0;
#if !WPS_CURL_ANNOUNCES_SENDING
    curl_off_t ready = 0; /* microseconds until the request could be sent */

    curl_easy_getinfo(exchange->handle->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    exchange->sent = ready > 0;
#endif

    curl_easy_getinfo(exchange->handle->easy, CURLINFO_NUM_CONNECTS, &connects);
    exchange->new_connection = connects > 0;
    if (!code && exchange->stage != WPS_AT_BODY)
        code = CURLE_GOT_NOTHING; /* closed amid the headers, which libcurl lets pass */
    if (code)
        wps_exchange_fail(exchange, code);
    wps_exchange_end(exchange);
}

bool wps_exchange_step(struct wps_exchange *exchange, double seconds)
{
    struct wps_engine *engine = exchange->engine;
    CURLMcode code = CURLM_OK;

    if (!exchange->done && wps_engine_inherited(engine)) {
        wps_fail(&exchange->error, WPS_TRANSPORT, NULL, "forked",
                 "%s: the exchange was started before fork() and belongs to the parent process",
                 wps_buffer_string(&exchange->profile->authority));
        settle(exchange);
    }
    if (!exchange->done)
        code = wps_engine_drive(engine);
    if (!code && !exchange->done && seconds > 0) {
        code = curl_multi_poll(engine->multi, NULL, 0, (int)wps_milliseconds(seconds), NULL);
        if (!code)
            code = wps_engine_drive(engine);
    }
    if (code && !exchange->done) {
        wps_engine_failure(code, &exchange->error);
        wps_exchange_end(exchange);
    }
    return exchange->done;
}

void wps_exchange_cancel(struct wps_exchange *exchange)
{
    if (exchange->engine && !exchange->done) {
        wps_fail(&exchange->error, WPS_CANCELLED, NULL, "cancelled", "the exchange was cancelled");
        if (wps_engine_inherited(exchange->engine))
            settle(exchange);
        else
            wps_exchange_end(exchange);
    }
}

void wps_exchange_recycle(struct wps_exchange *exchange)
{
    struct wps_exchange fresh = { .done = false };

    wps_exchange_cancel(exchange);
    wps_profile_release(exchange->profile);
    wps_engine_release(exchange->engine);
    wps_buffer_recycle(&exchange->head);
    wps_buffer_recycle(&exchange->content);
    wps_buffer_recycle(&exchange->target);
    wps_buffer_recycle(&exchange->lines);
    wps_buffer_recycle(&exchange->body);
    fresh.head = exchange->head;
    fresh.content = exchange->content;
    fresh.target = exchange->target;
    fresh.lines = exchange->lines;
    fresh.body = exchange->body;
    *exchange = fresh;
}

void wps_exchange_free(struct wps_exchange *exchange)
{
    wps_exchange_recycle(exchange);
    wps_buffer_free(&exchange->head);
    wps_buffer_free(&exchange->content);
    wps_buffer_free(&exchange->target);
    wps_buffer_free(&exchange->lines);
    wps_buffer_free(&exchange->body);
}

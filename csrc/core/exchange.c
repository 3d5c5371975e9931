/* exchange.c - one request and its response over any byte stream. See exchange.h for the contract. */
#include "core/exchange.h"

#include <string.h>

/* ------------------------------------------------------------------ the end */

static enum wps_move finish(struct wps_exchange *exchange)
{
    return exchange->move = WPS_FINISHED;
}

static enum wps_move fail(struct wps_exchange *exchange, enum wps_kind kind, const char *code, const char *words)
{
    wps_fail(&exchange->error, kind, NULL, code, "%.*s: %s", (int)exchange->authority.length, exchange->authority.data,
             words);
    return finish(exchange);
}

static enum wps_move fail_with_detail(struct wps_exchange *exchange, const char *code, const char *words,
                                      const char *detail)
{
    wps_fail(&exchange->error, WPS_TRANSPORT, NULL, code, "%.*s: %s (%s)", (int)exchange->authority.length,
             exchange->authority.data, words, detail);
    return finish(exchange);
}

/* A kept connection that died unanswered was most likely closed long before, and others with it. */
static void look_back(struct wps_exchange *exchange)
{
    exchange->stale = exchange->kept && !exchange->http.received;
    exchange->distrust = exchange->stale;
}

/* Who sends a message only once must know what may have become of it. */
static const char *words_of_closing(const struct wps_exchange *exchange)
{
    if (exchange->http.received)
        return "the connection was closed in the middle of the response";
    return exchange->written ? "the connection was closed before any answer; the request may have been carried out"
                             : "the connection was closed before any answer";
}

/* The codec's word on what came, or did not. */
static enum wps_move fail_as_told(struct wps_exchange *exchange)
{
    const struct wps_error *told = &exchange->http.error;

    if (told->kind != WPS_TRANSPORT)
        return fail(exchange, told->kind, told->code, told->message);
    look_back(exchange);
    return fail(exchange, told->kind, told->code, words_of_closing(exchange));
}

/* Nothing of the request has left, so another connection changes nothing but the time it takes. */
static bool replace(struct wps_exchange *exchange)
{
    if (!exchange->kept || exchange->written || exchange->replaced)
        return false;
    exchange->replaced = exchange->fresh = true;
    exchange->connected = exchange->opening = exchange->kept = exchange->deaf = false;
    exchange->move = WPS_CONNECT;
    return true;
}

/* ------------------------------------------------------------------ begin and connect */

enum wps_move wps_exchange_begin(struct wps_exchange *exchange, const struct wps_exchange_order *order, double now)
{
    wps_exchange_recycle(exchange);
    exchange->authority = order->authority;
    exchange->began = now;
    exchange->patience = order->patience;
    exchange->connect_seconds = order->connect_seconds;
    exchange->seconds = order->seconds;
    exchange->fresh = order->fresh;
    if (wps_http1_request(&exchange->http, &order->request, &order->limits)) {
        exchange->error = exchange->http.error;
        return finish(exchange);
    }
    return exchange->move = WPS_CONNECT;
}

static double call_ends(const struct wps_exchange *exchange)
{
    return exchange->began + exchange->patience;
}

static double attempt_ends(const struct wps_exchange *exchange)
{
    double ends = exchange->turn + exchange->seconds;

    return ends < call_ends(exchange) ? ends : call_ends(exchange);
}

enum wps_move wps_exchange_opening(struct wps_exchange *exchange, double now)
{
    if (exchange->move != WPS_CONNECT || exchange->opening)
        return exchange->move;
    if (!exchange->replaced)
        exchange->turn = now;
    exchange->opening = true;
    exchange->connect_by = now + exchange->connect_seconds;
    return exchange->move;
}

enum wps_move wps_exchange_connected(struct wps_exchange *exchange, bool kept, double now)
{
    if (exchange->move != WPS_CONNECT)
        return exchange->move;
    if (!exchange->opening && !exchange->replaced)
        exchange->turn = now;
    exchange->opening = false;
    exchange->connected = true;
    exchange->kept = kept;
    return exchange->move = WPS_WRITE;
}

enum wps_move wps_exchange_unconnected(struct wps_exchange *exchange, const char *code, const char *words)
{
    return exchange->move == WPS_CONNECT ? fail(exchange, WPS_TRANSPORT, code, words) : exchange->move;
}

/* ------------------------------------------------------------------ write */

struct wps_slice wps_exchange_outgoing(const struct wps_exchange *exchange)
{
    const struct wps_buffer *outgoing = &exchange->http.outgoing;
    struct wps_slice rest = { outgoing->data + exchange->written, outgoing->length - exchange->written };

    return rest;
}

static bool all_written(const struct wps_exchange *exchange)
{
    return exchange->written == exchange->http.outgoing.length;
}

enum wps_move wps_exchange_wrote(struct wps_exchange *exchange, size_t length)
{
    if (exchange->move != WPS_WRITE)
        return exchange->move;
    exchange->written += length;
    if (all_written(exchange))
        exchange->move = WPS_READ;
    return exchange->move;
}

/* ------------------------------------------------------------------ read */

/* An answer that is whole before the request has left is the answer; what remains of the request is not sent. */
static enum wps_move answered(struct wps_exchange *exchange)
{
    exchange->keep = exchange->http.keep_alive && all_written(exchange) && !exchange->deaf;
    return finish(exchange);
}

static bool is_connected(const struct wps_exchange *exchange)
{
    return exchange->move == WPS_WRITE || exchange->move == WPS_READ;
}

enum wps_move wps_exchange_received(struct wps_exchange *exchange, const char *data, size_t length)
{
    if (length)
        exchange->keep = false; /* more than the response */
    if (!is_connected(exchange) || !length)
        return exchange->move;
    if (!exchange->written) { /* nobody asked: a late answer to an earlier request, or a server of another kind */
        if (replace(exchange))
            return exchange->move;
        return fail(exchange, WPS_PROTOCOL, "malformed", "the server sent something before it was asked");
    }
    switch (wps_http1_feed(&exchange->http, data, length)) {
    case WPS_HTTP1_DONE:
        return answered(exchange);
    case WPS_HTTP1_FAILED:
        return fail_as_told(exchange);
    case WPS_HTTP1_MORE:
        break;
    }
    return exchange->move;
}

enum wps_move wps_exchange_ended(struct wps_exchange *exchange)
{
    exchange->keep = false;
    if (!is_connected(exchange) || replace(exchange))
        return exchange->move;
    if (wps_http1_end(&exchange->http) == WPS_HTTP1_DONE)
        return answered(exchange);
    return fail_as_told(exchange);
}

enum wps_move wps_exchange_broke(struct wps_exchange *exchange, const char *words)
{
    if (!is_connected(exchange) || replace(exchange))
        return exchange->move;
    if (exchange->move == WPS_WRITE && exchange->written && !exchange->deaf) {
        /* who refuses a request early says why and closes: that answer may have arrived */
        exchange->deaf = true;
        return exchange->move = WPS_READ;
    }
    look_back(exchange);
    return fail_with_detail(exchange, "closed", words_of_closing(exchange), words);
}

/* ------------------------------------------------------------------ time */

double wps_exchange_due(const struct wps_exchange *exchange)
{
    if (exchange->move == WPS_FINISHED)
        return exchange->began;
    if (exchange->opening)
        return exchange->connect_by < attempt_ends(exchange) ? exchange->connect_by : attempt_ends(exchange);
    if (exchange->connected || exchange->replaced)
        return attempt_ends(exchange);
    return call_ends(exchange);
}

static enum wps_move time_out(struct wps_exchange *exchange, const char *code, const char *what, double seconds)
{
    wps_fail(&exchange->error, WPS_TIMEOUT, NULL, code, "%.*s: %s within %g s", (int)exchange->authority.length,
             exchange->authority.data, what, seconds);
    return finish(exchange);
}

enum wps_move wps_exchange_tick(struct wps_exchange *exchange, double now)
{
    if (exchange->move == WPS_FINISHED || now < wps_exchange_due(exchange))
        return exchange->move;
    if (exchange->opening && exchange->connect_by <= attempt_ends(exchange))
        return time_out(exchange, "connect_timeout", "not connected", exchange->connect_seconds);
    if (exchange->opening)
        return time_out(exchange, "connect_timeout", "not connected", exchange->seconds);
    if (!exchange->connected && !exchange->replaced)
        return time_out(exchange, "queue_timeout", "no connection came free for it", exchange->patience);
    exchange->distrust = exchange->kept; /* whatever silenced it may have silenced the others that are kept */
    return time_out(exchange, "attempt_timeout", "no complete response", exchange->seconds);
}

/* ------------------------------------------------------------------ ends from outside */

enum wps_move wps_exchange_cancel(struct wps_exchange *exchange)
{
    if (exchange->move == WPS_FINISHED)
        return exchange->move;
    wps_fail(&exchange->error, WPS_CANCELLED, NULL, "cancelled", "the call was cancelled");
    return finish(exchange);
}

enum wps_move wps_exchange_fail(struct wps_exchange *exchange, enum wps_kind kind, const char *code, const char *words)
{
    return exchange->move == WPS_FINISHED ? exchange->move : fail(exchange, kind, code, words);
}

/* ------------------------------------------------------------------ life */

void wps_exchange_recycle(struct wps_exchange *exchange)
{
    struct wps_http1 http;

    wps_http1_recycle(&exchange->http);
    http = exchange->http; /* its buffers keep their memory */
    memset(exchange, 0, sizeof *exchange);
    exchange->http = http;
}

void wps_exchange_free(struct wps_exchange *exchange)
{
    wps_http1_free(&exchange->http);
    memset(exchange, 0, sizeof *exchange);
}

/* exchange.h - one request and its response over any byte stream, without I/O and without a clock.
 *
 * Told what happened, an exchange says what to do next. Whoever has the stream, libcurl's socket or NGINX's cosocket,
 * does that and nothing else: what is kept, what is left, what counts as dead and every word of failure is decided here.
 *
 *   move = wps_exchange_begin(x, &order, now);
 *   for (;;) switch (move) {
 *   case WPS_CONNECT: a connection: a kept one that passed its test, or a new one; a new one where x->fresh
 *                       wps_exchange_opening(x, now)    its turn has come and a new one is being opened
 *                       wps_exchange_connected(x, kept, now), or wps_exchange_unconnected(x, code, words)
 *   case WPS_WRITE:   wps_exchange_outgoing(x), as much of it as the stream takes; what has arrived may be read, too
 *                       wps_exchange_wrote(x, length)
 *   case WPS_READ:    wps_exchange_received(x, data, length) for each piece, of whatever size
 *   case WPS_FINISHED: x->error.kind is WPS_OK: the response is in x->http; else it says why there is none.
 *                     Close the connection, or keep it where x->keep. Where x->distrust, close those that are idle.
 *   }
 *   at any time       wps_exchange_ended(x)             the peer has ended the stream in good order
 *                     wps_exchange_broke(x, words)      the stream has failed
 *                     wps_exchange_tick(x, now)         wps_exchange_due(x) has come, or nothing has happened
 *                     wps_exchange_cancel(x)
 *
 * Each of these returns the next move. Reads come before ends: what arrived together with the end of a stream is fed
 * in first. A connection that fails before a byte of the request has left is replaced: the move is WPS_CONNECT again,
 * once. After that nothing is sent twice by an exchange. Whether the request is worth another attempt, the call
 * decides; `stale` tells it that a kept connection died without an answer, which says nothing about the server. */
#ifndef WPS_EXCHANGE_H
#define WPS_EXCHANGE_H

#include "core/http1.h"

enum wps_move { WPS_CONNECT, WPS_WRITE, WPS_READ, WPS_FINISHED };

/* What is to be done. Nothing of it is kept but `authority`, whose owner outlives the exchange. */
struct wps_exchange_order {
    struct wps_http1_request request;
    struct wps_http1_limits limits;
    struct wps_slice authority; /* "host:port", for messages and for nothing else */
    double patience;            /* seconds left of the call, the wait for its turn included */
    double connect_seconds;     /* for a new connection, TLS and proxies included */
    double seconds;             /* for the attempt, from when it has its turn */
    bool fresh;                 /* take no kept connection */
};

struct wps_exchange {
    struct wps_http1 http;  /* the response, where `error` is none */
    struct wps_error error; /* WPS_TRANSPORT, WPS_TIMEOUT, WPS_PROTOCOL, WPS_CANCELLED, WPS_ARGUMENT, WPS_NO_MEMORY */
    bool keep;     /* finished: the connection can take another request; taken back by whatever follows the response */
    bool stale;    /* failed: on a kept connection, before anything arrived */
    bool distrust; /* failed: what else is kept for this server is likely to be dead as well */
    bool fresh;    /* the connection must be a new one */
    bool kept;     /* it had carried another exchange before */
    size_t written; /* bytes of the request that have left; above 0 the server may have acted on it */

    /* while it lasts */
    enum wps_move move;
    bool opening, connected; /* a new connection is being opened; one is there */
    bool deaf;               /* the peer takes no more bytes, but may have answered already */
    bool replaced;
    struct wps_slice authority;
    double began, connect_seconds, seconds, patience;
    double turn;       /* when it had its turn: `seconds` count from here */
    double connect_by; /* while `opening` */
};

enum wps_move wps_exchange_begin(struct wps_exchange *exchange, const struct wps_exchange_order *order, double now);
enum wps_move wps_exchange_opening(struct wps_exchange *exchange, double now);
enum wps_move wps_exchange_connected(struct wps_exchange *exchange, bool kept, double now);
/* `code` is "resolve", "connect", "certificate", "tls", "proxy", "descriptors" or "failed"; `words` say what the
 * matter is and what would mend it, as far as is known, without secrets. */
enum wps_move wps_exchange_unconnected(struct wps_exchange *exchange, const char *code, const char *words);
struct wps_slice wps_exchange_outgoing(const struct wps_exchange *exchange);
enum wps_move wps_exchange_wrote(struct wps_exchange *exchange, size_t length);
enum wps_move wps_exchange_received(struct wps_exchange *exchange, const char *data, size_t length);
enum wps_move wps_exchange_ended(struct wps_exchange *exchange);
enum wps_move wps_exchange_broke(struct wps_exchange *exchange, const char *words);
enum wps_move wps_exchange_tick(struct wps_exchange *exchange, double now);
enum wps_move wps_exchange_cancel(struct wps_exchange *exchange);
/* When wps_exchange_tick() is due at the latest. */
double wps_exchange_due(const struct wps_exchange *exchange);
/* Ends it for a reason of the stream's owner, such as a lack of memory. */
enum wps_move wps_exchange_fail(struct wps_exchange *exchange, enum wps_kind kind, const char *code,
                                const char *words);
/* Forgets request and response; keeps the memory of small ones. */
void wps_exchange_recycle(struct wps_exchange *exchange);
void wps_exchange_free(struct wps_exchange *exchange);

#endif

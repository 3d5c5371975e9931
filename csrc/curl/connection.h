/* curl/connection.h - one connection: libcurl opens it, with its names, address families, TLS, client certificates and
 * proxies, and from then on only reads and writes TLS.
 *
 * Nothing is left where libcurl could close it behind our back and its number be used again: a plain connection is taken
 * away from libcurl, one with TLS is attached and alone in a multi handle of its own. */
#ifndef WPS_CURL_CONNECTION_H
#define WPS_CURL_CONNECTION_H

#include "curl/poller.h"
#include "curl/profile.h"
#include "curl/timers.h"

struct wps_connection;
struct wps_opening;
struct wps_pool;
struct wps_transfer;

enum wps_news { WPS_NEWS_OPEN, WPS_NEWS_FAILED, WPS_NEWS_READY };

/* What the connections of a thread share. */
struct wps_hub {
    struct wps_poller *poller;
    struct wps_timers timers;
    double now; /* seconds of the steady clock, when it was last looked at */
    /* What happens to a connection, which may be closed by it. `events` come with WPS_NEWS_READY. */
    void (*tell)(struct wps_connection *connection, enum wps_news news, unsigned events);
    /* Its timer, once it is open. */
    void (*ring)(struct wps_connection *connection);
    char words[160]; /* about the last connection that was WPS_IO_BROKEN */
};

struct wps_connection {
    struct wps_hub *hub;
    struct wps_watch watch; /* once it is open */
    struct wps_timer timer; /* libcurl's until it is open, then its pool's */
    struct wps_opening *opening; /* libcurl's part of it; NULL: none any more */
    double opened; /* when */

    /* its pool's */
    struct wps_pool *pool;
    bool is_open;
    struct wps_transfer *transfer; /* whose it is; NULL: nobody's */
    struct wps_connection *newer, *older; /* of those that are nobody's */
    double kept; /* since when */
};

/* Why a connection could not be opened, see wps_exchange_unconnected(). */
struct wps_refusal {
    const char *code; /* NULL: not enough memory */
    bool exhausted;   /* no descriptors: others may have some to spare */
    char words[336];
};

/* NULL: not enough memory. `share` is a CURLSH. Nothing happens before wps_connection_advance(). */
struct wps_connection *wps_connection_create(struct wps_hub *hub, struct wps_profile *profile, void *share);
/* Begins to open it; from here on it tells the hub, for the first time perhaps from within. */
void wps_connection_advance(struct wps_connection *connection);
/* Once it told that it failed. */
void wps_connection_explain(const struct wps_connection *connection, struct wps_refusal *refusal);
/* At whatever stage. */
void wps_connection_close(struct wps_connection *connection);

/* ------------------------------------------------------------------ once it is open */

enum wps_io { WPS_IO_DONE, WPS_IO_AGAIN, WPS_IO_ENDED, WPS_IO_BROKEN };

enum wps_io wps_connection_read(struct wps_connection *connection, char *data, size_t size, size_t *length);
enum wps_io wps_connection_write(struct wps_connection *connection, const char *data, size_t size, size_t *length);
/* Whether to read on before the next wait: the system does not see what TLS has taken in already. */
bool wps_connection_holds_back(const struct wps_connection *connection);
/* Whether it tells when it can be written to, too. False: out of memory or the like. */
bool wps_connection_await_writable(struct wps_connection *connection, bool writable);
/* Of one that nobody uses: neither closed, nor with anything to be read that nobody asked for. */
bool wps_connection_is_alive(struct wps_connection *connection);

#endif

/* curl/pool.h - the connections of one profile in one loop, those that are kept for later, and who waits for one.
 *
 * A connection is never trusted: before it is used again it is looked at, and it is left once it is too old. What libcurl
 * remembers of TLS sessions and names is the pool's too, so that no session that one profile has verified serves another. */
#ifndef WPS_CURL_POOL_H
#define WPS_CURL_POOL_H

#include "curl/connection.h"
#include "curl/transfer.h"

struct wps_pool {
    struct wps_pool *next;       /* of the loop */
    struct wps_profile *profile; /* counted */
    struct wps_hub *hub;
    void *share; /* CURLSH */
    struct wps_transfer_list queue, running;
    struct wps_connection *newest, *oldest; /* of the idle ones: the last used, the first to go */
    int connections; /* idle ones and those being opened included */
    int openings;
};

/* NULL: not enough memory. */
struct wps_pool *wps_pool_create(struct wps_hub *hub, struct wps_profile *profile);
/* Closes its connections; its lists must be empty. */
void wps_pool_destroy(struct wps_pool *pool);
/* Whether nobody would miss it. */
bool wps_pool_is_spent(const struct wps_pool *pool);

/* The idle connection that was used last and is alive, or NULL; whatever is not alive is closed. */
struct wps_connection *wps_pool_take(struct wps_pool *pool);
/* Whether one more may be opened now. */
bool wps_pool_has_room(const struct wps_pool *pool);
/* Begins with a new one, see wps_connection_create(). NULL: not enough memory. */
struct wps_connection *wps_pool_open(struct wps_pool *pool);
/* It is open. */
void wps_pool_opened(struct wps_connection *connection);
/* Keeps it for later, where it is not too old. */
void wps_pool_keep(struct wps_connection *connection);
/* Closes it, whatever it is doing. */
void wps_pool_drop(struct wps_connection *connection);
/* Closes one that is idle: the one that was used first. False: there is none. */
bool wps_pool_drop_oldest(struct wps_pool *pool);
/* Closes all that are idle, of this pool and those behind it; returns whether there were any. */
bool wps_pools_relieve(struct wps_pool *pools);
/* Its timer, see wps_hub. */
void wps_pool_ring(struct wps_connection *connection);

#endif

/* curl/pool.c - the connections of one profile in one loop. */
#include "curl/pool.h"

#include <curl/curl.h>
#include <stdlib.h>

/* At a time. A handshake is a millisecond of work, and the last should not wait for all; and until it is open, each
 * connection takes up to two descriptors more. */
enum { HANDSHAKES = 16, OPENINGS = 64 };

/* ------------------------------------------------------------------ life */

static CURLSH *create_share(void)
{
    CURLSH *share = curl_share_init();
    CURLSHcode code = share ? curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) : CURLSHE_NOMEM;

    if (!code)
        code = curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    if (code) {
        curl_share_cleanup(share);
        share = NULL;
    }
    return share;
}

struct wps_pool *wps_pool_create(struct wps_hub *hub, struct wps_profile *profile)
{
    struct wps_pool *pool = calloc(1, sizeof *pool);

    if (pool && !(pool->share = create_share())) {
        free(pool);
        pool = NULL;
    }
    if (!pool)
        return NULL;
    pool->profile = wps_profile_hold(profile);
    pool->hub = hub;
    return pool;
}

void wps_pool_destroy(struct wps_pool *pool)
{
    while (wps_pool_drop_oldest(pool))
        continue;
    curl_share_cleanup(pool->share);
    wps_profile_release(pool->profile);
    free(pool);
}

bool wps_pool_is_spent(const struct wps_pool *pool)
{
    return !pool->queue.first && !pool->running.first && !pool->connections && wps_profile_is_last(pool->profile);
}

/* ------------------------------------------------------------------ the idle ones */

static void remove_idle(struct wps_connection *connection)
{
    struct wps_pool *pool = connection->pool;

    *(connection->newer ? &connection->newer->older : &pool->newest) = connection->older;
    *(connection->older ? &connection->older->newer : &pool->oldest) = connection->newer;
    connection->newer = connection->older = NULL;
}

static bool is_idle(const struct wps_connection *connection)
{
    return connection->newer || connection->pool->newest == connection;
}

/* When it must be closed, if nobody uses it until then. */
static double expiry(const struct wps_connection *connection)
{
    const struct wps_profile *profile = connection->pool->profile;
    double by_idleness = connection->kept + profile->idle_timeout;
    double by_age = connection->opened + profile->max_connection_age;

    return by_idleness < by_age ? by_idleness : by_age;
}

struct wps_connection *wps_pool_take(struct wps_pool *pool)
{
    struct wps_connection *connection;

    while ((connection = pool->newest)) {
        if (pool->hub->now < expiry(connection) && wps_connection_is_alive(connection)) {
            remove_idle(connection);
            return connection;
        }
        wps_pool_drop(connection);
    }
    return NULL;
}

/* The timer may be set from the last time: then it rings too early, which costs less than setting it for each call. */
void wps_pool_keep(struct wps_connection *connection)
{
    struct wps_pool *pool = connection->pool;

    connection->kept = pool->hub->now;
    if (expiry(connection) <= pool->hub->now || !wps_connection_await_writable(connection, false)) {
        wps_pool_drop(connection);
        return;
    }
    connection->newer = NULL;
    connection->older = pool->newest;
    *(pool->newest ? &pool->newest->newer : &pool->oldest) = connection;
    pool->newest = connection;
    if (!connection->timer.place)
        wps_timers_set(&pool->hub->timers, &connection->timer, expiry(connection));
}

void wps_pool_ring(struct wps_connection *connection)
{
    struct wps_hub *hub = connection->pool->hub;

    if (!is_idle(connection))
        return; /* it is set again when it is */
    if (expiry(connection) <= hub->now)
        wps_pool_drop(connection);
    else
        wps_timers_set(&hub->timers, &connection->timer, expiry(connection));
}

bool wps_pool_drop_oldest(struct wps_pool *pool)
{
    if (!pool->oldest)
        return false;
    wps_pool_drop(pool->oldest);
    return true;
}

bool wps_pools_relieve(struct wps_pool *pools)
{
    bool any = false;

    for (struct wps_pool *pool = pools; pool; pool = pool->next)
        while (wps_pool_drop_oldest(pool))
            any = true;
    return any;
}

/* ------------------------------------------------------------------ opening and closing */

bool wps_pool_has_room(const struct wps_pool *pool)
{
    return pool->connections < pool->profile->max_connections
           && pool->openings < (pool->profile->layered ? HANDSHAKES : OPENINGS);
}

struct wps_connection *wps_pool_open(struct wps_pool *pool)
{
    struct wps_connection *connection = wps_connection_create(pool->hub, pool->profile, pool->share);

    if (connection) {
        connection->pool = pool;
        pool->connections++;
        pool->openings++;
    }
    return connection;
}

void wps_pool_opened(struct wps_connection *connection)
{
    connection->is_open = true;
    connection->pool->openings--;
}

void wps_pool_drop(struct wps_connection *connection)
{
    struct wps_pool *pool = connection->pool;

    if (is_idle(connection))
        remove_idle(connection);
    pool->connections--;
    pool->openings -= !connection->is_open;
    wps_connection_close(connection);
}

/* curl/loop.c - whose turn it is, and what there is to wait for. What a transfer does then is in curl/moves.c. */
#include "curl/loop_private.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "curl/library.h"

enum { LAUNCHES = 16 }; /* of a pool in one turn: the first must not wait until the last is connecting */

#define LONGEST_WAIT 3600.0 /* seconds */

/* ------------------------------------------------------------------ queues */

/* Gives the first of the queue a connection; false: there is none for it yet. */
static bool serve_first(struct wps_pool *pool, int *launches)
{
    struct wps_transfer *transfer = pool->queue.first;
    struct wps_connection *connection = transfer->exchange.fresh ? NULL : wps_pool_take(pool);

    if (!connection && transfer->exchange.fresh && pool->connections >= pool->profile->max_connections)
        wps_pool_drop_oldest(pool);
    if (!connection && !(wps_pool_has_room(pool) && *launches < LAUNCHES))
        return false;
    wps_transfers_remove(transfer);
    wps_transfers_append(&pool->running, transfer);
    if (connection) {
        transfer->connection = connection;
        connection->transfer = transfer;
        wps_moves_connected(transfer, true);
    } else {
        ++*launches;
        wps_moves_open(transfer);
    }
    return true;
}

static void serve(struct wps_loop *loop)
{
    struct wps_pool **link = &loop->pools;

    while (*link) {
        struct wps_pool *pool = *link;
        int launches = 0;

        while (pool->queue.first && serve_first(pool, &launches))
            continue;
        loop->unfinished = loop->unfinished || (pool->queue.first && launches == LAUNCHES && wps_pool_has_room(pool));
        if (wps_pool_is_spent(pool)) {
            *link = pool->next;
            wps_pool_destroy(pool);
        } else {
            link = &pool->next;
        }
    }
}

static struct wps_pool *find_pool(struct wps_loop *loop, struct wps_profile *profile)
{
    struct wps_pool **link = &loop->pools, *pool;

    while (*link && (*link)->profile != profile)
        link = &(*link)->next;
    pool = *link;
    if (pool)
        *link = pool->next;
    else
        pool = wps_pool_create(&loop->hub, profile);
    if (pool) {
        pool->next = loop->pools;
        loop->pools = pool;
    }
    return pool;
}

/* ------------------------------------------------------------------ what happens */

static void on_news(struct wps_connection *connection, enum wps_news news, unsigned events)
{
    switch (news) {
    case WPS_NEWS_OPEN:
        wps_pool_opened(connection);
        wps_moves_connected(connection->transfer, false);
        break;
    case WPS_NEWS_FAILED:
        wps_moves_unconnected(connection->transfer);
        break;
    case WPS_NEWS_READY:
        wps_moves_ready(connection, events);
        break;
    }
}

static void on_wake(void *owner, struct wps_watch *watch, unsigned events)
{
    uint64_t count;
    ssize_t length = read(watch->descriptor, &count, sizeof count);

    (void)owner, (void)events, (void)length;
}

/* ------------------------------------------------------------------ life */

/* Without descriptors, what other threads keep gives way. */
static struct wps_poller *create_poller(void)
{
    const struct timespec relief = { 0, (long)(WPS_RELIEF_SECONDS * 1e9) };
    struct wps_poller *poller = wps_poller_create();

    if (!poller && wps_descriptors_exhausted()) {
        wps_threads_relieve();
        nanosleep(&relief, NULL);
        poller = wps_poller_create();
    }
    return poller;
}

struct wps_loop *wps_loop_create(int wake, void (*finished)(void *context, struct wps_transfer *transfer),
                                 void *context, struct wps_error *error)
{
    struct wps_loop *loop = wps_library_open(error) ? NULL : calloc(1, sizeof *loop);
    bool good;

    if (!loop) {
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
        return NULL;
    }
    loop->hub.tell = on_news;
    loop->hub.ring = wps_pool_ring;
    loop->hub.poller = create_poller();
    loop->finished = finished;
    loop->context = context;
    loop->forks = wps_process_forks();
    loop->wake.descriptor = wake;
    loop->wake.tell = on_wake;
    good = loop->hub.poller && (wake < 0 || wps_poller_watch(loop->hub.poller, &loop->wake, WPS_READABLE));
    if (!good) {
        bool exhausted = wps_descriptors_exhausted();

        wps_fail(error, exhausted ? WPS_TRANSPORT : WPS_NO_MEMORY, NULL, exhausted ? "descriptors" : "memory", "%s",
                 exhausted ? WPS_DESCRIPTORS_EXHAUSTED : "not enough memory to watch sockets");
        wps_poller_destroy(loop->hub.poller);
        free(loop);
        loop = NULL;
    }
    return loop;
}

bool wps_loop_inherited(const struct wps_loop *loop)
{
    return loop->forks != wps_process_forks();
}

void wps_loop_destroy(struct wps_loop *loop)
{
    struct wps_pool *pool;

    if (!loop || wps_loop_inherited(loop))
        return;
    while ((pool = loop->pools)) {
        while (pool->running.first)
            wps_moves_withdraw(pool->running.first);
        while (pool->queue.first)
            wps_moves_withdraw(pool->queue.first);
        loop->pools = pool->next;
        wps_pool_destroy(pool);
    }
    wps_poller_destroy(loop->hub.poller);
    wps_timers_free(&loop->hub.timers);
    free(loop);
}

/* ------------------------------------------------------------------ use */

void wps_loop_enter(struct wps_loop *loop, struct wps_transfer *transfer)
{
    struct wps_pool *pool = find_pool(loop, transfer->profile);

    loop->hub.now = wps_now();
    if (!pool || !wps_timers_join(&loop->hub.timers)) {
        wps_moves_fail_without_memory(transfer);
        transfer->done = true;
        if (loop->finished)
            loop->finished(loop->context, transfer);
        return;
    }
    transfer->loop = loop;
    transfer->pool = pool;
    transfer->timer.ring = wps_moves_due;
    transfer->timer.owner = transfer;
    wps_transfers_append(&pool->queue, transfer);
    wps_moves_await(transfer);
    serve(loop); /* and it may be gone */
}

static int longest_wait(struct wps_loop *loop, double seconds)
{
    double left = wps_timers_next(&loop->hub.timers) - wps_now();

    if (loop->unfinished)
        return 0;
    if (seconds > LONGEST_WAIT)
        seconds = LONGEST_WAIT;
    return wps_milliseconds(left < seconds ? left : seconds);
}

/* Nobody can be told what happens to a connection any more. */
static void fail_all(struct wps_loop *loop)
{
    for (struct wps_pool *pool = loop->pools; pool; pool = pool->next)
        while (pool->running.first) {
            struct wps_transfer *transfer = pool->running.first;

            wps_exchange_fail(&transfer->exchange, WPS_TRANSPORT, "failed", "the system cannot watch sockets");
            wps_moves_finish(transfer);
        }
}

void wps_loop_turn(struct wps_loop *loop, double seconds)
{
    bool waited = wps_poller_wait(loop->hub.poller, longest_wait(loop, seconds));

    loop->hub.now = wps_now();
    loop->unfinished = false;
    if (waited)
        wps_poller_tell(loop->hub.poller);
    else
        fail_all(loop);
    wps_timers_ring(&loop->hub.timers, loop->hub.now);
    serve(loop);
}

bool wps_loop_relieve(struct wps_loop *loop)
{
    return wps_pools_relieve(loop->pools);
}

/* A child process leaves all that its parent's transfer has as it is. */
static void disown(struct wps_transfer *transfer)
{
    transfer->loop = NULL;
    transfer->pool = NULL;
    transfer->connection = NULL;
    transfer->done = true;
}

bool wps_transfer_step(struct wps_transfer *transfer, double seconds)
{
    if (transfer->loop && wps_loop_inherited(transfer->loop)) {
        wps_exchange_fail(&transfer->exchange, WPS_TRANSPORT, "forked",
                          "the exchange was started before fork() and belongs to the parent process");
        disown(transfer);
    } else if (transfer->loop) {
        wps_loop_turn(transfer->loop, seconds);
    }
    return transfer->done;
}

void wps_transfer_cancel(struct wps_transfer *transfer)
{
    struct wps_loop *loop = transfer->loop;

    if (!loop)
        return;
    if (wps_loop_inherited(loop)) {
        wps_exchange_cancel(&transfer->exchange);
        disown(transfer);
    } else {
        loop->hub.now = wps_now();
        wps_moves_withdraw(transfer);
        serve(loop);
    }
}

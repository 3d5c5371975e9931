/* curl/loop.c - moves exchanges on over connections: what an exchange asks for is done here, and what happened is told
 * to it. All its decisions are its own. */
#include "curl/loop.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "curl/library.h"
#include "curl/pool.h"

enum {
    READ_BYTES = 16384,   /* at a time: as much as a record of TLS holds */
    LAUNCHES = 16,        /* of a pool in one turn: the first must not wait until the last is connecting */
};

#define RELIEF_SECONDS 0.02 /* for others to close what they can spare */
#define LONGEST_WAIT 3600.0 /* seconds */

struct wps_loop {
    struct wps_hub hub;
    struct wps_pool *pools; /* the last used first */
    struct wps_watch wake;
    void (*finished)(void *context, struct wps_transfer *transfer);
    void *context;
    unsigned forks;  /* wps_process_forks() of the process that made it */
    bool unfinished; /* more can be done at once */
    char data[READ_BYTES];
};

/* ------------------------------------------------------------------ the end of a transfer */

static void let_go(struct wps_transfer *transfer)
{
    struct wps_connection *connection = transfer->connection;

    transfer->connection = NULL;
    if (!connection)
        return;
    connection->transfer = NULL;
    if (transfer->exchange.move == WPS_FINISHED && transfer->exchange.keep)
        wps_pool_keep(connection);
    else
        wps_pool_drop(connection);
}

static void finish(struct wps_transfer *transfer)
{
    struct wps_loop *loop = transfer->loop;
    struct wps_pool *pool = transfer->pool;

    let_go(transfer);
    while (transfer->exchange.distrust && wps_pool_drop_oldest(pool))
        continue;
    wps_timers_leave(&loop->hub.timers, &transfer->timer);
    wps_transfers_remove(transfer);
    transfer->loop = NULL;
    transfer->pool = NULL;
    transfer->done = true;
    if (loop->finished)
        loop->finished(loop->context, transfer);
}

static void withdraw(struct wps_transfer *transfer)
{
    wps_exchange_cancel(&transfer->exchange);
    finish(transfer);
}

/* ------------------------------------------------------------------ moves */

static void await(struct wps_transfer *transfer)
{
    wps_timers_set(&transfer->loop->hub.timers, &transfer->timer, wps_exchange_due(&transfer->exchange));
}

static enum wps_move no_memory(struct wps_transfer *transfer)
{
    return wps_exchange_fail(&transfer->exchange, WPS_NO_MEMORY, "memory", "not enough memory");
}

/* As much as the connection takes. */
static enum wps_move write_out(struct wps_transfer *transfer)
{
    struct wps_exchange *exchange = &transfer->exchange;
    struct wps_connection *connection = transfer->connection;
    enum wps_io io = WPS_IO_DONE;
    size_t length;

    while (exchange->move == WPS_WRITE && io == WPS_IO_DONE) {
        struct wps_slice rest = wps_exchange_outgoing(exchange);

        io = wps_connection_write(connection, rest.data, rest.length, &length);
        if (io == WPS_IO_DONE)
            wps_exchange_wrote(exchange, length);
        else if (io == WPS_IO_BROKEN)
            wps_exchange_broke(exchange, connection->hub->words);
    }
    if (exchange->move == WPS_WRITE || exchange->move == WPS_READ)
        if (!wps_connection_await_writable(connection, exchange->move == WPS_WRITE))
            return no_memory(transfer);
    return exchange->move;
}

/* Bounded by the limits of the exchange. */
static enum wps_move read_in(struct wps_transfer *transfer)
{
    struct wps_exchange *exchange = &transfer->exchange;
    struct wps_connection *connection = transfer->connection;
    char *data = transfer->loop->data;
    bool more = true;
    size_t length;

    while (more && (exchange->move == WPS_WRITE || exchange->move == WPS_READ)) {
        switch (wps_connection_read(connection, data, READ_BYTES, &length)) {
        case WPS_IO_DONE:
            wps_exchange_received(exchange, data, length);
            more = length == READ_BYTES || wps_connection_holds_back(connection);
            break;
        case WPS_IO_AGAIN:
            more = false;
            break;
        case WPS_IO_ENDED:
            wps_exchange_ended(exchange);
            break;
        case WPS_IO_BROKEN:
            wps_exchange_broke(exchange, connection->hub->words);
            break;
        }
    }
    return exchange->move;
}

/* Back to the queue, and to its front: it has had its turn. */
static void queue_again(struct wps_transfer *transfer)
{
    let_go(transfer);
    wps_transfers_remove(transfer);
    wps_transfers_prepend(&transfer->pool->queue, transfer);
    await(transfer);
}

static void follow(struct wps_transfer *transfer, enum wps_move move)
{
    if (move == WPS_FINISHED)
        finish(transfer);
    else if (move == WPS_CONNECT && transfer->connection)
        queue_again(transfer);
}

static void connected(struct wps_transfer *transfer, bool kept)
{
    enum wps_move move = wps_exchange_connected(&transfer->exchange, kept, transfer->loop->hub.now);

    if (move == WPS_WRITE) {
        await(transfer);
        move = write_out(transfer);
    }
    follow(transfer, move);
}

/* ------------------------------------------------------------------ opening a connection */

static void open_connection(struct wps_transfer *transfer)
{
    struct wps_connection *connection = wps_pool_open(transfer->pool);

    wps_exchange_opening(&transfer->exchange, transfer->loop->hub.now);
    if (!connection) {
        follow(transfer, no_memory(transfer));
        return;
    }
    await(transfer);
    transfer->connection = connection;
    connection->transfer = transfer;
    wps_connection_advance(connection);
}

/* Without descriptors, kept connections give way: those of this loop at once, those of other threads soon. */
static void ask_for_relief(struct wps_transfer *transfer)
{
    struct wps_hub *hub = &transfer->loop->hub;
    bool relieved = wps_loop_relieve(transfer->loop);

    transfer->relieved = true;
    if (!relieved)
        wps_threads_relieve();
    wps_timers_set(&hub->timers, &transfer->timer, hub->now + (relieved ? 0 : RELIEF_SECONDS));
}

static void unconnected(struct wps_transfer *transfer)
{
    struct wps_connection *connection = transfer->connection;
    struct wps_refusal refusal;

    wps_connection_explain(connection, &refusal);
    transfer->connection = NULL;
    wps_pool_drop(connection);
    if (refusal.exhausted && !transfer->relieved)
        ask_for_relief(transfer);
    else if (refusal.code)
        follow(transfer, wps_exchange_unconnected(&transfer->exchange, refusal.code, refusal.words));
    else
        follow(transfer, wps_exchange_fail(&transfer->exchange, WPS_NO_MEMORY, "memory", refusal.words));
}

static bool is_between_attempts(const struct wps_transfer *transfer)
{
    return transfer->list == &transfer->pool->running && !transfer->connection;
}

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
        connected(transfer, true);
    } else {
        ++*launches;
        open_connection(transfer);
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

static void on_transfer_due(void *owner)
{
    struct wps_transfer *transfer = owner;
    enum wps_move move = wps_exchange_tick(&transfer->exchange, transfer->loop->hub.now);

    if (move == WPS_FINISHED)
        finish(transfer);
    else if (is_between_attempts(transfer))
        open_connection(transfer);
    else
        await(transfer);
}

static void on_ready(struct wps_connection *connection, unsigned events)
{
    struct wps_transfer *transfer = connection->transfer;
    enum wps_move move;

    if (!transfer) {
        if (!wps_connection_is_alive(connection))
            wps_pool_drop(connection);
        return;
    }
    move = transfer->exchange.move;
    if (events & WPS_READABLE)
        move = read_in(transfer);
    if (move == WPS_WRITE)
        move = write_out(transfer);
    follow(transfer, move);
}

static void on_news(struct wps_connection *connection, enum wps_news news, unsigned events)
{
    switch (news) {
    case WPS_NEWS_OPEN:
        wps_pool_opened(connection);
        connected(connection->transfer, false);
        break;
    case WPS_NEWS_FAILED:
        unconnected(connection->transfer);
        break;
    case WPS_NEWS_READY:
        on_ready(connection, events);
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
    const struct timespec relief = { 0, (long)(RELIEF_SECONDS * 1e9) };
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
    loop->hub.owner = loop;
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
            withdraw(pool->running.first);
        while (pool->queue.first)
            withdraw(pool->queue.first);
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
        no_memory(transfer);
        transfer->done = true;
        if (loop->finished)
            loop->finished(loop->context, transfer);
        return;
    }
    transfer->loop = loop;
    transfer->pool = pool;
    transfer->timer.ring = on_transfer_due;
    transfer->timer.owner = transfer;
    wps_transfers_append(&pool->queue, transfer);
    await(transfer);
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
            finish(transfer);
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
    bool any = false;

    for (struct wps_pool *pool = loop->pools; pool; pool = pool->next)
        while (wps_pool_drop_oldest(pool))
            any = true;
    return any;
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
        withdraw(transfer);
        serve(loop);
    }
}

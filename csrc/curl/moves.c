/* curl/moves.c - a transfer's way through its loop: what its exchange asks for is done here, and what happened is told to
 * it. All its decisions are its own. */
#include "curl/loop_private.h"

#include "curl/library.h"

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

void wps_moves_finish(struct wps_transfer *transfer)
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

void wps_moves_withdraw(struct wps_transfer *transfer)
{
    wps_exchange_cancel(&transfer->exchange);
    wps_moves_finish(transfer);
}

/* ------------------------------------------------------------------ moves */

void wps_moves_await(struct wps_transfer *transfer)
{
    wps_timers_set(&transfer->loop->hub.timers, &transfer->timer, wps_exchange_due(&transfer->exchange));
}

enum wps_move wps_moves_fail_without_memory(struct wps_transfer *transfer)
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
            return wps_moves_fail_without_memory(transfer);
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
        switch (wps_connection_read(connection, data, WPS_READ_BYTES, &length)) {
        case WPS_IO_DONE:
            wps_exchange_received(exchange, data, length);
            more = length == WPS_READ_BYTES || wps_connection_holds_back(connection);
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
    wps_moves_await(transfer);
}

static void follow(struct wps_transfer *transfer, enum wps_move move)
{
    if (move == WPS_FINISHED)
        wps_moves_finish(transfer);
    else if (move == WPS_CONNECT && transfer->connection)
        queue_again(transfer);
}

void wps_moves_connected(struct wps_transfer *transfer, bool kept)
{
    enum wps_move move = wps_exchange_connected(&transfer->exchange, kept, transfer->loop->hub.now);

    if (move == WPS_WRITE) {
        wps_moves_await(transfer);
        move = write_out(transfer);
    }
    follow(transfer, move);
}

/* ------------------------------------------------------------------ opening a connection */

void wps_moves_open(struct wps_transfer *transfer)
{
    struct wps_connection *connection = wps_pool_open(transfer->pool);

    wps_exchange_opening(&transfer->exchange, transfer->loop->hub.now);
    if (!connection) {
        follow(transfer, wps_moves_fail_without_memory(transfer));
        return;
    }
    wps_moves_await(transfer);
    transfer->connection = connection;
    connection->transfer = transfer;
    wps_connection_advance(connection);
}

/* Without descriptors, kept connections give way: those of this loop at once, those of other threads soon. */
static void ask_for_relief(struct wps_transfer *transfer)
{
    struct wps_hub *hub = &transfer->loop->hub;
    bool relieved = wps_pools_relieve(transfer->loop->pools);

    transfer->relieved = true;
    if (!relieved)
        wps_threads_relieve();
    wps_timers_set(&hub->timers, &transfer->timer, hub->now + (relieved ? 0 : WPS_RELIEF_SECONDS));
}

void wps_moves_unconnected(struct wps_transfer *transfer)
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

/* ------------------------------------------------------------------ what happens */

void wps_moves_due(void *owner)
{
    struct wps_transfer *transfer = owner;
    enum wps_move move = wps_exchange_tick(&transfer->exchange, transfer->loop->hub.now);

    if (move == WPS_FINISHED)
        wps_moves_finish(transfer);
    else if (is_between_attempts(transfer))
        wps_moves_open(transfer);
    else
        wps_moves_await(transfer);
}

void wps_moves_ready(struct wps_connection *connection, unsigned events)
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


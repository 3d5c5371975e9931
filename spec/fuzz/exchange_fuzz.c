/* exchange_fuzz.c - streams that do what no stream should, against the exchange.
 *
 *     exchange_fuzz [SECONDS [SEED]]
 *
 * Random events in random order: connections that are kept, new or not to be had, pieces of mutated responses, writes
 * of any length, ends, failures, time, cancellations. Whatever happens, the promises of core/exchange.h hold: nothing is
 * sent twice, what is over stays over, it is over when its time is, and there is either a response or an error. A
 * failure prints the seed of the round and what was broken. */
#include <time.h>

#include "core/exchange.h"
#include "messages.h"

enum { EVENTS = 60 };

static const char *broken; /* the promise that was */

static void promise(bool kept, const char *what)
{
    if (!kept && !broken)
        broken = what;
}

struct view { /* of the exchange before an event */
    enum wps_move move;
    size_t written;
    bool keep, replaced;
    enum wps_kind kind;
    int status;
};

static struct view look_at(const struct wps_exchange *x)
{
    struct view view = { x->move, x->written, x->keep, x->replaced, x->error.kind, x->http.status };

    return view;
}

static void check_step(const struct view *before, const struct wps_exchange *x, enum wps_move returned)
{
    size_t length = x->http.outgoing.length;

    promise(returned == x->move, "the move is the one that is returned");
    promise(x->move <= WPS_FINISHED, "the move is one of the four");
    promise(x->written >= before->written && x->written <= length, "bytes leave once");
    if (before->move == WPS_FINISHED) {
        promise(x->move == WPS_FINISHED && x->error.kind == before->kind && x->http.status == before->status,
                "what is over stays over");
        promise(before->keep || !x->keep, "a connection is not kept after all");
    }
    if (before->move == WPS_WRITE || before->move == WPS_READ)
        promise(x->move != WPS_CONNECT || (!before->written && !before->replaced && x->fresh),
                "a connection is replaced once, by a new one, and before a byte has left");
    promise(x->move != WPS_READ || x->written == length || x->deaf, "reading begins when all is written");
}

static void check_end(const struct wps_exchange *x)
{
    bool failed = x->error.kind != WPS_OK;

    promise(failed || (x->http.state == WPS_HTTP1_COMPLETE && x->http.status >= 200), "a response, or an error");
    promise(!failed || *x->error.message, "an error has words");
    promise(!x->keep || (!failed && x->written == x->http.outgoing.length), "kept after a whole exchange only");
    promise(!x->stale || (failed && x->kept && !x->http.received), "stale is a kept connection without an answer");
    promise(!x->distrust || (failed && x->kept), "doubt comes from kept connections");
}

/* One event; `at` is how much of the message has arrived. */
static enum wps_move happen(struct wps_exchange *x, const struct message *message, size_t *at, double *now)
{
    size_t left = message->length - *at, outgoing = wps_exchange_outgoing(x).length;
    size_t length = below(4) ? 1 + below(left < 40 ? left : 40) : left;
    enum wps_move move;
    char *piece;

    *now += (double)below(100) / 100;
    switch (below(12)) {
    case 0:
        return wps_exchange_opening(x, *now);
    case 1:
    case 2:
        return wps_exchange_connected(x, below(2) && !x->fresh, *now);
    case 3:
    case 4:
        return outgoing ? wps_exchange_wrote(x, below(3) ? outgoing : 1 + below(outgoing)) : x->move;
    case 5:
        return wps_exchange_tick(x, *now);
    case 6:
        return below(8) ? x->move : wps_exchange_ended(x);
    case 7:
        return below(8) ? x->move : wps_exchange_broke(x, "connection reset by peer");
    case 8:
        return below(40) ? x->move : wps_exchange_cancel(x);
    case 9:
        return below(20) ? x->move : wps_exchange_unconnected(x, "connect", "no connection could be made");
    default:
        if (!left)
            return x->move;
        piece = malloc(length < left ? length : left); /* of exactly that size, so that reading past it is seen */
        if (!piece)
            abort();
        length = length < left ? length : left;
        memcpy(piece, message->bytes + *at, length);
        move = wps_exchange_received(x, piece, length);
        free(piece);
        *at += length;
        return move;
    }
}

static void begin(struct wps_exchange *x)
{
    struct wps_exchange_order order = {
        .request = { .method = wps_slice_of(below(8) ? "POST" : below(2) ? "HEAD" : "GET"),
                     .target = wps_slice_of("/a"), .host = wps_slice_of("h"),
                     .body = wps_slice_of(below(2) ? "hello" : NULL) },
        .limits = { HEADER_BYTES, BODY_BYTES },
        .authority = wps_slice_of("h"),
        .patience = 1 + (double)below(60), .connect_seconds = 1 + (double)below(10), .seconds = 1 + (double)below(20),
        .fresh = below(4) == 0,
    };

    promise(wps_exchange_begin(x, &order, 0) == WPS_CONNECT, "it begins with a connection");
}

static void play(struct wps_exchange *x, const struct message *message)
{
    size_t at = 0;
    double now = 0;

    begin(x);
    for (int i = 0; i < EVENTS && !broken; i++) {
        struct view before = look_at(x);
        check_step(&before, x, happen(x, message, &at, &now));
    }
    if (x->move != WPS_FINISHED) {
        struct view before = look_at(x);
        double due = wps_exchange_due(x);
        if (due > now)
            now = due;
        check_step(&before, x, wps_exchange_tick(x, now));
        promise(x->move == WPS_FINISHED, "it is over when its time is");
    }
    check_end(x);
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    time_t stop = time(NULL) + seconds;
    size_t kinds[WPS_NO_MEMORY + 1] = { 0 }, replaced = 0, rounds = 0;
    struct wps_exchange x = { .keep = false };
    struct message message;

    while (!broken && (rounds % ROUNDS_A_LOOK || time(NULL) < stop)) {
        seed_round(seed + rounds);
        make_message(&message, MOST_CHANGES);
        play(&x, &message);
        kinds[x.error.kind]++;
        replaced += x.replaced;
        if (broken) {
            printf("broken: %s\n", broken);
            report(&message, seed + rounds);
        }
        rounds++;
    }
    wps_exchange_free(&x);
    printf("exchange: %zu exchanges: %zu answered, %zu closed, %zu malformed, %zu out of time, %zu replaced%s\n",
           rounds, kinds[WPS_OK], kinds[WPS_TRANSPORT], kinds[WPS_PROTOCOL], kinds[WPS_TIMEOUT], replaced,
           broken ? "; FAILED" : "");
    return !broken && kinds[WPS_OK] && kinds[WPS_TRANSPORT] && kinds[WPS_PROTOCOL] && kinds[WPS_TIMEOUT] && replaced
               ? 0
               : 1;
}

/* curl/loop.h - moves exchanges on over connections: one loop for a blocking call in the caller's thread, and for the
 * background engine in a thread of its own (curl/background.h).
 *
 *   profile     the settings towards one origin: immutable, shared by all threads
 *   transfer    one exchange with what the loop needs for it: plain data
 *   loop        connections, kept ones included, and the transfers under way, by profile
 *
 * A loop and its transfers belong to one thread at a time. */
#ifndef WPS_CURL_LOOP_H
#define WPS_CURL_LOOP_H

#include "curl/transfer.h"

struct wps_loop;

/* NULL on failure. A byte to be read from `wake`, an eventfd, ends a wait; -1: nothing does. `finished` is called as a
 * transfer ends, when the loop has let go of it; NULL: who wants to know looks at transfer->done. */
struct wps_loop *wps_loop_create(int wake, void (*finished)(void *context, struct wps_transfer *transfer),
                                 void *context, struct wps_error *error);
/* Cancels what is under way and closes all connections. NULL is fine. In a child process of the one that made it, does
 * nothing: what the child has inherited is left alone, down to its memory. */
void wps_loop_destroy(struct wps_loop *loop);
/* True in a child process of the one that made it. */
bool wps_loop_inherited(const struct wps_loop *loop);

/* Has a transfer that has begun go its way, as far as that is possible without waiting. */
void wps_loop_enter(struct wps_loop *loop, struct wps_transfer *transfer);
/* Moves every transfer on, waiting at most once and at most `seconds`. A signal ends the wait. */
void wps_loop_turn(struct wps_loop *loop, double seconds);
/* Closes the connections that nobody uses; returns whether there were any. */
bool wps_loop_relieve(struct wps_loop *loop);

/* A turn of its loop; returns whether it is done. In a child process, a transfer of its parent's ends as "forked". */
bool wps_transfer_step(struct wps_transfer *transfer, double seconds);
/* Ends one that is not done yet as WPS_CANCELLED. */
void wps_transfer_cancel(struct wps_transfer *transfer);

#endif

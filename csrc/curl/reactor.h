/* curl/reactor.h - an engine whose sockets are watched with epoll: what a turn costs depends on how many exchanges have
 * something to do, not on how many are under way. */
#ifndef WPS_CURL_REACTOR_H
#define WPS_CURL_REACTOR_H

#include "curl/engine_private.h"

struct wps_reactor {
    struct wps_engine *engine; /* counted */
    int poller;                /* epoll; -1: not open */
    int wake;                  /* eventfd that ends a wait; not ours */
    long long due;             /* ms of the steady clock when libcurl wants to be asked, whatever happens */
};

/* NULL and an error on failure. */
struct wps_reactor *wps_reactor_create(int connections, int wake, struct wps_error *error);
void wps_reactor_destroy(struct wps_reactor *reactor); /* NULL is fine */
/* Waits at most so many ms until there is something to do, and does it. After a failure, which is libcurl's or the
 * system's, the reactor is of no further use. */
CURLMcode wps_reactor_turn(struct wps_reactor *reactor, int ms);

#endif

/* curl/poller.h - waiting until one of many descriptors is ready. Level-triggered: what was read or written in part is
 * told again in the next turn, so that nobody has to read on just in order not to miss something. One file for each
 * way the systems have: poller_epoll.c, and poller_poll.c for all others (-DWPS_LOOP_POLL); kqueue would be a third. */
#ifndef WPS_CURL_POLLER_H
#define WPS_CURL_POLLER_H

#include <stdbool.h>
#include <stddef.h>

enum { WPS_READABLE = 1, WPS_WRITABLE = 2 };

/* Belongs to whoever has the descriptor; stays in place while it is watched. */
struct wps_watch {
    int descriptor;
    unsigned events; /* WPS_READABLE, WPS_WRITABLE, or both, which is asked for; 0: not watched */
    size_t place;    /* the poller's */
    void (*tell)(void *owner, struct wps_watch *watch, unsigned events);
    void *owner;
};

struct wps_poller;

/* NULL, and errno, on failure. */
struct wps_poller *wps_poller_create(void);
void wps_poller_destroy(struct wps_poller *poller); /* NULL is fine */
/* Begins to watch, or asks for something else. False, and errno, on failure. */
bool wps_poller_watch(struct wps_poller *poller, struct wps_watch *watch, unsigned events);
/* Before the descriptor is closed: what is ready already is not told any more. */
void wps_poller_forget(struct wps_poller *poller, struct wps_watch *watch);
/* Waits at most so many milliseconds, -1 without an end, until something is ready or a signal comes. False, and errno,
 * on failure. */
bool wps_poller_wait(struct wps_poller *poller, int milliseconds);
/* Tells what the last wait has found. A descriptor with an error or an end is both readable and writable. */
void wps_poller_tell(struct wps_poller *poller);

#endif

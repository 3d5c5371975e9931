/* curl/timers.h - moments at which something is due, the earliest first: a heap. */
#ifndef WPS_CURL_TIMERS_H
#define WPS_CURL_TIMERS_H

#include <stdbool.h>
#include <stddef.h>

/* Belongs to whoever has something to do; all zero: not set. */
struct wps_timer {
    double due;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*ring)(void *owner);
    void *owner;
};

struct wps_timers {
    struct wps_timer **heap;
    size_t count, capacity;
    size_t members;
};

/* A member's timer can be set without memory that might be missing. False: there is none for one member more. */
bool wps_timers_join(struct wps_timers *timers);
/* Clears the member's timer as well. */
void wps_timers_leave(struct wps_timers *timers, struct wps_timer *timer);

void wps_timers_set(struct wps_timers *timers, struct wps_timer *timer, double due);
void wps_timers_clear(struct wps_timers *timers, struct wps_timer *timer);
/* When the earliest is due; HUGE_VAL: none is set. */
double wps_timers_next(const struct wps_timers *timers);
/* Rings those that are due by `now`, each once: what is set meanwhile waits for the next time. */
void wps_timers_ring(struct wps_timers *timers, double now);
void wps_timers_free(struct wps_timers *timers);

#endif

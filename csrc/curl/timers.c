/* curl/timers.c - a binary heap of timers that know their places. */
#include "curl/timers.h"

#include <math.h>
#include <stdlib.h>

static void place(struct wps_timers *timers, struct wps_timer *timer, size_t at)
{
    timers->heap[at - 1] = timer;
    timer->place = at;
}

static struct wps_timer *timer_at(const struct wps_timers *timers, size_t at)
{
    return timers->heap[at - 1];
}

static void rise(struct wps_timers *timers, struct wps_timer *timer, size_t at)
{
    while (at > 1 && timer_at(timers, at / 2)->due > timer->due) {
        place(timers, timer_at(timers, at / 2), at);
        at /= 2;
    }
    place(timers, timer, at);
}

static void sink(struct wps_timers *timers, struct wps_timer *timer, size_t at)
{
    size_t child = at * 2;

    while (child <= timers->count) {
        if (child < timers->count && timer_at(timers, child + 1)->due < timer_at(timers, child)->due)
            child++;
        if (timer_at(timers, child)->due >= timer->due)
            break;
        place(timers, timer_at(timers, child), at);
        at = child;
        child = at * 2;
    }
    place(timers, timer, at);
}

static void settle(struct wps_timers *timers, struct wps_timer *timer, size_t at)
{
    if (at > 1 && timer_at(timers, at / 2)->due > timer->due)
        rise(timers, timer, at);
    else
        sink(timers, timer, at);
}

bool wps_timers_join(struct wps_timers *timers)
{
    if (timers->members == timers->capacity) {
        size_t capacity = timers->capacity ? timers->capacity * 2 : 8;
        struct wps_timer **larger = realloc(timers->heap, capacity * sizeof(struct wps_timer *));

        if (!larger)
            return false;
        timers->heap = larger;
        timers->capacity = capacity;
    }
    timers->members++;
    return true;
}

void wps_timers_leave(struct wps_timers *timers, struct wps_timer *timer)
{
    wps_timers_clear(timers, timer);
    timers->members--;
}

void wps_timers_set(struct wps_timers *timers, struct wps_timer *timer, double due)
{
    size_t at = timer->place ? timer->place : ++timers->count;

    timer->due = due;
    settle(timers, timer, at);
}

void wps_timers_clear(struct wps_timers *timers, struct wps_timer *timer)
{
    size_t at = timer->place;
    struct wps_timer *last;

    if (!at)
        return;
    last = timer_at(timers, timers->count--);
    timer->place = 0;
    if (last != timer)
        settle(timers, last, at);
}

double wps_timers_next(const struct wps_timers *timers)
{
    return timers->count ? timer_at(timers, 1)->due : HUGE_VAL;
}

void wps_timers_ring(struct wps_timers *timers, double now)
{
    for (size_t left = timers->count; left > 0 && timers->count && timer_at(timers, 1)->due <= now; left--) {
        struct wps_timer *timer = timer_at(timers, 1);

        wps_timers_clear(timers, timer);
        timer->ring(timer->owner);
    }
}

void wps_timers_free(struct wps_timers *timers)
{
    free(timers->heap);
    timers->heap = NULL;
    timers->count = timers->capacity = timers->members = 0;
}

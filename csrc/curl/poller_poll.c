/* curl/poller_poll.c - wherever there is poll(2). */
#include "curl/poller.h"

#ifdef WPS_LOOP_POLL

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct wps_poller {
    struct pollfd *asked; /* in the order of `watches` */
    struct wps_watch **watches;
    size_t count, capacity;
    size_t told;
};

struct wps_poller *wps_poller_create(void)
{
    return calloc(1, sizeof(struct wps_poller));
}

void wps_poller_destroy(struct wps_poller *poller)
{
    if (!poller)
        return;
    free(poller->asked);
    free(poller->watches);
    free(poller);
}

static bool enlarge(struct wps_poller *poller)
{
    size_t capacity = poller->capacity ? poller->capacity * 2 : 8;
    struct pollfd *asked = realloc(poller->asked, capacity * sizeof(struct pollfd));
    struct wps_watch **watches;

    if (asked)
        poller->asked = asked;
    watches = asked ? realloc(poller->watches, capacity * sizeof(struct wps_watch *)) : NULL;
    if (watches) {
        poller->watches = watches;
        poller->capacity = capacity;
    }
    return watches;
}

bool wps_poller_watch(struct wps_poller *poller, struct wps_watch *watch, unsigned events)
{
    if (!watch->events) {
        if (poller->count == poller->capacity && !enlarge(poller)) {
            errno = ENOMEM;
            return false;
        }
        watch->place = poller->count++;
        poller->watches[watch->place] = watch;
        poller->asked[watch->place].fd = watch->descriptor;
        poller->asked[watch->place].revents = 0;
    }
    watch->events = events;
    poller->asked[watch->place].events = (short)((events & WPS_READABLE ? POLLIN : 0)
                                                 | (events & WPS_WRITABLE ? POLLOUT : 0));
    return true;
}

/* Fills a free place; the one that is moved may be what is free itself, and then nothing is there. */
static void move(struct wps_poller *poller, size_t from, size_t to)
{
    if (from == to)
        return;
    poller->asked[to] = poller->asked[from];
    poller->watches[to] = poller->watches[from];
    poller->watches[to]->place = to;
}

/* The last one takes the free place; where that has been told already, one that was told before goes in between. */
void wps_poller_forget(struct wps_poller *poller, struct wps_watch *watch)
{
    size_t place = watch->place;

    if (!watch->events)
        return;
    watch->events = 0;
    if (place < poller->told) {
        move(poller, --poller->told, place);
        place = poller->told;
    }
    move(poller, --poller->count, place);
}

bool wps_poller_wait(struct wps_poller *poller, int milliseconds)
{
    int found = poll(poller->asked, (nfds_t)poller->count, milliseconds);

    poller->told = 0;
    for (size_t i = 0; found <= 0 && i < poller->count; i++)
        poller->asked[i].revents = 0;
    return found >= 0 || errno == EINTR;
}

void wps_poller_tell(struct wps_poller *poller)
{
    while (poller->told < poller->count) {
        size_t place = poller->told++;
        struct wps_watch *watch = poller->watches[place];
        int found = poller->asked[place].revents, broken = POLLERR | POLLHUP | POLLNVAL;

        poller->asked[place].revents = 0;
        if (found)
            watch->tell(watch->owner, watch, (found & (POLLIN | broken) ? WPS_READABLE : 0u)
                                             | (found & (POLLOUT | broken) ? WPS_WRITABLE : 0u));
    }
}

#else
typedef int wps_poller_poll_is_not_used; /* a file may not be empty */
#endif

/* curl/poller_epoll.c - Linux: what a wait costs depends on how many descriptors are ready, not on how many there are. */
#include "curl/poller.h"

#ifndef WPS_LOOP_POLL

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "curl/library.h"

enum { MAX_READY = 128 }; /* in one wait; more are told after the next */

struct wps_poller {
    int descriptor;
    int ready, told;
    struct epoll_event found[MAX_READY];
};

struct wps_poller *wps_poller_create(void)
{
    struct wps_poller *poller = calloc(1, sizeof *poller);

    if (!poller)
        return NULL;
    poller->descriptor = epoll_create1(EPOLL_CLOEXEC);
    if (poller->descriptor >= 0 && !wps_descriptor_register(poller->descriptor)) {
        close(poller->descriptor);
        poller->descriptor = -1;
        errno = ENOMEM;
    }
    if (poller->descriptor < 0) {
        free(poller);
        poller = NULL;
    }
    return poller;
}

void wps_poller_destroy(struct wps_poller *poller)
{
    if (!poller)
        return;
    wps_descriptor_close(poller->descriptor);
    free(poller);
}

bool wps_poller_watch(struct wps_poller *poller, struct wps_watch *watch, unsigned events)
{
    struct epoll_event event = { .data.ptr = watch };
    int code;

    if (events == watch->events)
        return true;
    event.events = (events & WPS_READABLE ? EPOLLIN : 0u) | (events & WPS_WRITABLE ? EPOLLOUT : 0u);
    code = epoll_ctl(poller->descriptor, watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->descriptor, &event);
    if (code && errno == ENOENT) /* closed by libcurl, and another one under the same number */
        code = epoll_ctl(poller->descriptor, EPOLL_CTL_ADD, watch->descriptor, &event);
    if (!code)
        watch->events = events;
    return !code;
}

void wps_poller_forget(struct wps_poller *poller, struct wps_watch *watch)
{
    if (!watch->events)
        return;
    epoll_ctl(poller->descriptor, EPOLL_CTL_DEL, watch->descriptor, NULL);
    watch->events = 0;
    for (int i = poller->told; i < poller->ready; i++)
        if (poller->found[i].data.ptr == watch)
            poller->found[i].data.ptr = NULL;
}

bool wps_poller_wait(struct wps_poller *poller, int milliseconds)
{
    int count = epoll_wait(poller->descriptor, poller->found, MAX_READY, milliseconds);

    poller->told = 0;
    poller->ready = count > 0 ? count : 0;
    return count >= 0 || errno == EINTR;
}

void wps_poller_tell(struct wps_poller *poller)
{
    while (poller->told < poller->ready) {
        const struct epoll_event *event = &poller->found[poller->told++];
        struct wps_watch *watch = event->data.ptr;
        uint32_t broken = EPOLLERR | EPOLLHUP;

        if (watch)
            watch->tell(watch->owner, watch, (event->events & (EPOLLIN | broken) ? WPS_READABLE : 0u)
                                             | (event->events & (EPOLLOUT | broken) ? WPS_WRITABLE : 0u));
    }
}

#else
typedef int wps_poller_epoll_is_not_used; /* a file may not be empty */
#endif

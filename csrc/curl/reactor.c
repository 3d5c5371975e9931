/* curl/reactor.c - libcurl's sockets and timer, watched with epoll. */
#include "curl/reactor.h"

#include "curl/background_private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MAX_EVENTS = 256 }; /* in one turn; more are told in the next */

/* ------------------------------------------------------------------ what libcurl asks for */

static int watch(struct wps_reactor *reactor, int descriptor, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = descriptor };
    int result = epoll_ctl(reactor->poller, EPOLL_CTL_ADD, descriptor, &event);

    if (result && errno == EEXIST)
        result = epoll_ctl(reactor->poller, EPOLL_CTL_MOD, descriptor, &event);
    return result;
}

/* A failure ends what libcurl is doing with CURLM_ABORTED_BY_CALLBACK: nobody would hear of that socket any more. */
static int on_socket(CURL *easy, curl_socket_t descriptor, int what, void *context, void *ignored)
{
    struct wps_reactor *reactor = context;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    (void)easy, (void)ignored;
    if (what != CURL_POLL_REMOVE)
        return watch(reactor, descriptor, events);
    epoll_ctl(reactor->poller, EPOLL_CTL_DEL, descriptor, NULL); /* closed already, where it never was connected */
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *context)
{
    struct wps_reactor *reactor = context;

    (void)multi;
    reactor->due = ms < 0 ? LLONG_MAX : wps_steady_ms() + ms;
    return 0;
}

/* ------------------------------------------------------------------ life */

static CURLMcode connect_callbacks(struct wps_reactor *reactor)
{
    CURLM *multi = reactor->engine->multi;
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);

    if (!code)
        code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, reactor);
    if (!code)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    if (!code)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, reactor);
    return code;
}

struct wps_reactor *wps_reactor_create(int connections, int wake, struct wps_error *error)
{
    struct wps_reactor *reactor = calloc(1, sizeof *reactor);
    CURLMcode code;

    if (!reactor) {
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
        return NULL;
    }
    reactor->wake = wake;
    reactor->due = LLONG_MAX;
    reactor->poller = epoll_create1(EPOLL_CLOEXEC);
    if (reactor->poller < 0 || watch(reactor, wake, EPOLLIN)) {
        wps_fail(error, WPS_TRANSPORT, NULL, "failed", "the background engine cannot watch sockets: %s",
                 strerror(errno));
    } else if ((reactor->engine = wps_engine_create(connections, error))) {
        code = connect_callbacks(reactor);
        if (code)
            wps_engine_failure(code, error);
    }
    if (error->kind) {
        wps_reactor_destroy(reactor);
        reactor = NULL;
    }
    return reactor;
}

/* libcurl tells even at the very end which sockets it does not need any more. */
void wps_reactor_destroy(struct wps_reactor *reactor)
{
    if (!reactor)
        return;
    wps_engine_release(reactor->engine);
    if (reactor->poller >= 0)
        close(reactor->poller);
    free(reactor);
}

/* ------------------------------------------------------------------ turns */

static int time_to_wait(const struct wps_reactor *reactor, int ms)
{
    long long left = ms > 0 && reactor->due < LLONG_MAX ? reactor->due - wps_steady_ms() : ms;

    return left >= ms ? ms : left > 0 ? (int)left : 0;
}

/* What is wrong with a socket libcurl finds out by using it, and then has better words for it. */
static CURLMcode tell(struct wps_reactor *reactor, const struct epoll_event *event)
{
    uint32_t broken = EPOLLERR | EPOLLHUP;
    int what = (event->events & (EPOLLIN | broken) ? CURL_CSELECT_IN : 0)
               | (event->events & (EPOLLOUT | broken) ? CURL_CSELECT_OUT : 0);
    int running;

    if (event->data.fd != reactor->wake)
        return curl_multi_socket_action(reactor->engine->multi, event->data.fd, what, &running);
    wps_event_clear(reactor->wake);
    return CURLM_OK;
}

CURLMcode wps_reactor_turn(struct wps_reactor *reactor, int ms)
{
    struct epoll_event events[MAX_EVENTS];
    int running, count = epoll_wait(reactor->poller, events, MAX_EVENTS, time_to_wait(reactor, ms));
    CURLMcode code = count < 0 && errno != EINTR ? CURLM_INTERNAL_ERROR : CURLM_OK;

    for (int i = 0; i < count && !code; i++)
        code = tell(reactor, &events[i]);
    if (!code && reactor->due <= wps_steady_ms()) {
        reactor->due = LLONG_MAX;
        code = curl_multi_socket_action(reactor->engine->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    wps_engine_collect(reactor->engine);
    return code;
}

/* raw_flight.c - the yardstick for calls in flight: a libcurl multi handle over epoll, each transfer with the next
 * request as soon as it has its answer.
 *
 *     raw_flight LIMIT IN_FLIGHT CA|- BEFORE AFTER HEADER...      prints calls per second; see yardstick.h
 *
 * The clock starts when as many calls as there are in flight have ended: all connections are open then. */
#define _POSIX_C_SOURCE 200809L

#include "yardstick.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { MAX_EVENTS = 64, LONGEST_WAIT = 1000 };

struct transfer {
    CURL *easy;
    struct curl_slist *headers;
};

static CURLM *multi;
static int poller;
static long wait_ms = LONGEST_WAIT;

/* Registers what libcurl wants to know of a socket; a socket stays registered while its connection lives. */
static int watch(CURL *easy, curl_socket_t descriptor, int what, void *ignored, void *known)
{
    struct epoll_event event = { .data.fd = descriptor };

    (void)easy;
    (void)ignored;
    if (what == CURL_POLL_REMOVE)
        return epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, &event), 0;
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    epoll_ctl(poller, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &event);
    curl_multi_assign(multi, descriptor, &poller);
    return 0;
}

static int set_timer(CURLM *ignored, long milliseconds, void *also_ignored)
{
    (void)ignored;
    (void)also_ignored;
    wait_ms = milliseconds < 0 || milliseconds > LONGEST_WAIT ? LONGEST_WAIT : milliseconds;
    return 0;
}

static bool start(struct transfer *transfer)
{
    return yardstick_next(transfer->easy, &transfer->headers)
           && curl_multi_add_handle(multi, transfer->easy) == CURLM_OK;
}

static bool start_all(struct transfer *transfers, long count)
{
    bool done = true;

    for (long i = 0; done && i < count; i++) {
        transfers[i].easy = yardstick_transfer();
        done = transfers[i].easy && curl_easy_setopt(transfers[i].easy, CURLOPT_PRIVATE, &transfers[i]) == CURLE_OK
               && start(&transfers[i]);
    }
    return done;
}

/* Gives each transfer that has its answer the next request. */
static bool collect(long *calls)
{
    CURLMsg *message;
    bool done = true;
    int queued;

    while (done && (message = curl_multi_info_read(multi, &queued))) {
        struct transfer *transfer = NULL;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        done = yardstick_answered(transfer->easy, message->data.result);
        curl_multi_remove_handle(multi, transfer->easy);
        done = done && start(transfer);
        ++*calls;
    }
    return done;
}

static bool turn(long *calls)
{
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(poller, events, MAX_EVENTS, (int)wait_ms), running;

    for (int i = 0; i < count; i++) {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0)
                   | (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

        curl_multi_socket_action(multi, events[i].data.fd, what, &running);
    }
    if (count <= 0 || wait_ms == 0)
        curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    return collect(calls);
}

int main(int argc, char **argv)
{
    long in_flight = argc > 3 ? atol(argv[2]) : 0, calls = 0;
    struct transfer *transfers = calloc((size_t)in_flight, sizeof *transfers);
    bool ready = transfers && yardstick_open(argc - 3, argv + 3);
    double started;

    poller = epoll_create1(0);
    multi = curl_multi_init();
    ready = ready && multi && poller >= 0;
    if (ready) {
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
        ready = start_all(transfers, in_flight);
    }
    while (ready && calls < in_flight)
        ready = turn(&calls);
    calls -= in_flight;
    started = yardstick_now();
    while (ready && !yardstick_over(argv[1], calls, started))
        ready = turn(&calls);
    if (ready)
        printf("%.1f\n", (double)calls / (yardstick_now() - started));
    else
        fprintf(stderr, "raw_flight: no 204\n");
    return ready ? 0 : 1; /* what is in flight ends with the process */
}

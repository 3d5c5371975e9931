/* slow_server.c - an HTTP server on loopback that answers every request with 204 after a while, however many there are.
 *
 *     slow_server MILLISECONDS      prints its port; runs until its standard input ends
 *
 * Requests have no body. It understands no more of HTTP than where a request ends. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 64, BACKLOG = 4096, CHUNK = 16384, MAX_DESCRIPTORS = 65536 };

static const char request_end[] = "\r\n\r\n";
static const char response[] = "HTTP/1.1 204 No Content\r\n\r\n";

struct connection {
    int matched;      /* bytes of request_end seen last */
    unsigned serial;  /* descriptors are used again: an answer is for one connection only */
};

/* Every answer takes the same time, so they are due in the order of their requests. */
struct answer {
    struct answer *next;
    int descriptor;
    unsigned serial;
    double due;
};

static struct connection connections[MAX_DESCRIPTORS];
static struct answer *first, **end = &first;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int listen_on_loopback(unsigned short *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, BACKLOG)
        || getsockname(listener, (struct sockaddr *)&address, &length))
        return -1;
    *port = ntohs(address.sin_port);
    return listener;
}

static void watch(int poller, int descriptor)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = descriptor };

    epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

static void accept_all(int poller, int listener)
{
    int descriptor;

    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (descriptor >= MAX_DESCRIPTORS) {
            close(descriptor);
            continue;
        }
        connections[descriptor].matched = 0;
        connections[descriptor].serial++;
        watch(poller, descriptor);
    }
}

static void owe_answer(int descriptor, double delay)
{
    struct answer *answer = calloc(1, sizeof *answer);

    if (!answer)
        exit(1);
    answer->descriptor = descriptor;
    answer->serial = connections[descriptor].serial;
    answer->due = now() + delay;
    *end = answer;
    end = &answer->next;
}

static void take_requests(int descriptor, double delay)
{
    struct connection *connection = &connections[descriptor];
    char bytes[CHUNK];
    ssize_t length = read(descriptor, bytes, sizeof bytes);

    if (length <= 0) {
        connection->serial++;
        close(descriptor);
    }
    for (ssize_t i = 0; i < length; i++) {
        if (bytes[i] != request_end[connection->matched])
            connection->matched = bytes[i] == request_end[0];
        else if (request_end[++connection->matched] == '\0') {
            connection->matched = 0;
            owe_answer(descriptor, delay);
        }
    }
}

static void give_answers(void)
{
    while (first && first->due <= now()) {
        struct answer *answer = first;

        if (connections[answer->descriptor].serial == answer->serial)
            send(answer->descriptor, response, sizeof response - 1, MSG_NOSIGNAL);
        first = answer->next;
        if (!first)
            end = &first;
        free(answer);
    }
}

static int milliseconds_to_next(void)
{
    double left = first ? first->due - now() : -1;

    return first ? (left > 0 ? (int)(left * 1000) + 1 : 0) : -1;
}

int main(int argc, char **argv)
{
    double delay = argc > 1 ? atof(argv[1]) / 1000 : 0;
    unsigned short port;
    int listener = listen_on_loopback(&port), poller = epoll_create1(0);
    bool running = listener >= 0 && poller >= 0;

    if (!running)
        return 1;
    printf("%d\n", port);
    fflush(stdout);
    watch(poller, listener);
    watch(poller, STDIN_FILENO);
    while (running) {
        struct epoll_event events[MAX_EVENTS];
        int count = epoll_wait(poller, events, MAX_EVENTS, milliseconds_to_next());

        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(poller, listener);
            else if (events[i].data.fd == STDIN_FILENO)
                running = false;
            else
                take_requests(events[i].data.fd, delay);
        }
        give_answers();
    }
    return 0;
}

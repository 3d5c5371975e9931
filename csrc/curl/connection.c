/* curl/connection.c - a connection that is open: read, written, looked at, closed. */
#include "curl/opening.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "curl/library.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* SO_NOSIGPIPE is set instead */
#endif

/* ------------------------------------------------------------------ life */

static void on_ready(void *owner, struct wps_watch *watch, unsigned events)
{
    struct wps_connection *connection = owner;

    (void)watch;
    connection->hub->tell(connection, WPS_NEWS_READY, events);
}

struct wps_connection *wps_connection_create(struct wps_hub *hub, struct wps_profile *profile, void *share)
{
    struct wps_connection *connection = calloc(1, sizeof *connection);

    if (!connection)
        return NULL;
    if (!wps_timers_join(&hub->timers)) {
        free(connection);
        return NULL;
    }
    connection->hub = hub;
    connection->watch.owner = connection;
    connection->watch.tell = on_ready;
    connection->watch.descriptor = -1;
    if (wps_opening_set_up(connection, profile, share)) {
        wps_connection_close(connection);
        connection = NULL;
    }
    return connection;
}

void wps_connection_close(struct wps_connection *connection)
{
    struct wps_opening *opening = connection->opening;

    wps_poller_forget(connection->hub->poller, &connection->watch);
    if (opening) {
        for (int i = 0; i < WPS_OPENING_SOCKETS; i++)
            wps_poller_forget(connection->hub->poller, &opening->sockets[i]);
        opening->done = true;
        wps_opening_destroy(opening);
    } else if (connection->watch.descriptor >= 0) {
        wps_descriptor_close(connection->watch.descriptor);
    }
    wps_timers_leave(&connection->hub->timers, &connection->timer);
    free(connection);
}

/* ------------------------------------------------------------------ reading and writing */

/* For people only: nothing is decided by it. */
static void describe(struct wps_hub *hub, int number)
{
    const char *words = number == ECONNRESET ? "reset by the other side"
                        : number == EPIPE ? "closed by the other side"
                        : number == ETIMEDOUT ? "the other side cannot be reached any more" : NULL;

    if (words)
        snprintf(hub->words, sizeof hub->words, "%s", words);
    else
        snprintf(hub->words, sizeof hub->words, "error %d of the system", number);
}

/* Servers have a hand in libcurl's words, and messages go to terminals. */
static void quote(struct wps_hub *hub, const char *words)
{
    snprintf(hub->words, sizeof hub->words, "%.*s", (int)sizeof hub->words - 1, words);
    for (char *at = hub->words; *at; at++)
        if (*at < 0x20 || *at == 0x7f || (unsigned char)*at > 0x7f)
            *at = ' ';
}

static enum wps_io end_of_plain(struct wps_connection *connection)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return WPS_IO_AGAIN;
    describe(connection->hub, errno);
    return WPS_IO_BROKEN;
}

static enum wps_io end_of_layered(struct wps_connection *connection, CURLcode code)
{
    const char *words = connection->opening->words;

    if (code == CURLE_AGAIN)
        return WPS_IO_AGAIN;
    quote(connection->hub, *words ? words : curl_easy_strerror(code));
    return WPS_IO_BROKEN;
}

enum wps_io wps_connection_read(struct wps_connection *connection, char *data, size_t size, size_t *length)
{
    struct wps_sigpipe guard;
    ssize_t count;
    CURLcode code;

    *length = 0;
    if (connection->opening) {
        wps_sigpipe_hold(&guard);
        code = curl_easy_recv(connection->opening->easy, data, size, length);
        wps_sigpipe_drop(&guard);
        if (code)
            return end_of_layered(connection, code);
    } else {
        do
            count = recv(connection->watch.descriptor, data, size, 0);
        while (count < 0 && errno == EINTR);
        if (count < 0)
            return end_of_plain(connection);
        *length = (size_t)count;
    }
    return *length ? WPS_IO_DONE : WPS_IO_ENDED;
}

enum wps_io wps_connection_write(struct wps_connection *connection, const char *data, size_t size, size_t *length)
{
    struct wps_sigpipe guard;
    ssize_t count;
    CURLcode code;

    *length = 0;
    if (connection->opening) {
        wps_sigpipe_hold(&guard);
        code = curl_easy_send(connection->opening->easy, data, size, length);
        wps_sigpipe_drop(&guard);
        return code ? end_of_layered(connection, code) : WPS_IO_DONE;
    }
    do
        count = send(connection->watch.descriptor, data, size, MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return end_of_plain(connection);
    *length = (size_t)count;
    return WPS_IO_DONE;
}

bool wps_connection_holds_back(const struct wps_connection *connection)
{
    return connection->opening;
}

bool wps_connection_await_writable(struct wps_connection *connection, bool writable)
{
    return wps_poller_watch(connection->hub->poller, &connection->watch,
                            WPS_READABLE | (writable ? WPS_WRITABLE : 0u));
}

/* TLS may have something to say for itself, such as tickets for later sessions: that is read, and is no data. */
bool wps_connection_is_alive(struct wps_connection *connection)
{
    char byte;
    size_t length;

    if (connection->opening)
        return wps_connection_read(connection, &byte, sizeof byte, &length) == WPS_IO_AGAIN;
    return recv(connection->watch.descriptor, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) < 0
           && (errno == EAGAIN || errno == EWOULDBLOCK);
}

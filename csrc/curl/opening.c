/* curl/opening.c - how libcurl opens a connection: its sockets and its timer are watched for it until it is done. */
#include "curl/opening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "curl/library.h"

/* ------------------------------------------------------------------ the end of it */

static void forget_sockets(struct wps_connection *connection)
{
    struct wps_opening *opening = connection->opening;

    for (int i = 0; i < WPS_OPENING_SOCKETS; i++)
        wps_poller_forget(connection->hub->poller, &opening->sockets[i]);
    wps_timers_clear(&connection->hub->timers, &connection->timer);
}

/* Attached, it is no longer one of the idle connections that libcurl tidies away. Reading nothing attaches it. */
static CURLcode attach(struct wps_opening *opening)
{
    char nothing;
    size_t length;
    CURLcode code = curl_easy_recv(opening->easy, &nothing, 0, &length);

    return code == CURLE_AGAIN ? CURLE_OK : code;
}

/* What an HTTP proxy sends behind its answer to CONNECT would answer our first request. */
static CURLcode check_silence(struct wps_connection *connection, curl_socket_t descriptor)
{
    const struct wps_profile *profile = connection->opening->profile;
    char byte;
    size_t length;
    bool silent = true;

    if (!profile->proxy.length || profile->secure)
        return CURLE_OK;
    if (profile->layered)
        silent = curl_easy_recv(connection->opening->easy, &byte, sizeof byte, &length) == CURLE_AGAIN;
    else
        silent = recv(descriptor, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) < 0;
    return silent ? CURLE_OK : CURLE_PROXY;
}

static void take_away(struct wps_connection *connection, curl_socket_t descriptor)
{
    connection->opening->taken = descriptor;
    wps_opening_destroy(connection->opening);
    connection->opening = NULL;
}

static CURLcode take_over(struct wps_connection *connection)
{
    struct wps_opening *opening = connection->opening;
    curl_socket_t descriptor = CURL_SOCKET_BAD;
    CURLcode code = curl_easy_getinfo(opening->easy, CURLINFO_ACTIVESOCKET, &descriptor);

    if (!code && descriptor == CURL_SOCKET_BAD)
        code = CURLE_COULDNT_CONNECT;
    if (!code && opening->profile->layered)
        code = attach(opening);
    if (!code)
        code = check_silence(connection, descriptor);
    if (!code) {
        connection->watch.descriptor = descriptor;
        if (!wps_poller_watch(connection->hub->poller, &connection->watch, WPS_READABLE))
            code = CURLE_OUT_OF_MEMORY;
    }
    if (!code && !opening->profile->layered)
        take_away(connection, descriptor);
    return code;
}

static void conclude(struct wps_connection *connection, CURLcode code)
{
    struct wps_opening *opening = connection->opening;

    forget_sockets(connection);
    opening->done = true;
    if (!code)
        code = take_over(connection);
    if (code)
        opening->code = code;
    else
        connection->opened = connection->hub->now;
    connection->hub->tell(connection, code ? WPS_NEWS_FAILED : WPS_NEWS_OPEN, 0);
}

static void drive(struct wps_connection *connection, curl_socket_t descriptor, int events)
{
    struct wps_opening *opening = connection->opening;
    struct wps_sigpipe guard;
    const CURLMsg *message;
    CURLMcode code;
    int ignored;

    wps_sigpipe_hold(&guard);
    code = curl_multi_socket_action(opening->multi, descriptor, events, &ignored);
    wps_sigpipe_drop(&guard);
    message = code ? NULL : curl_multi_info_read(opening->multi, &ignored);
    if (message)
        conclude(connection, message->data.result);
    else if (code)
        conclude(connection, code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT);
}

void wps_connection_advance(struct wps_connection *connection)
{
    drive(connection, CURL_SOCKET_TIMEOUT, 0);
}

/* ------------------------------------------------------------------ what libcurl asks for */

static void on_ready(void *owner, struct wps_watch *watch, unsigned events)
{
    drive(owner, watch->descriptor, (events & WPS_READABLE ? CURL_CSELECT_IN : 0)
                                    | (events & WPS_WRITABLE ? CURL_CSELECT_OUT : 0));
}

static void on_due(void *owner)
{
    struct wps_connection *connection = owner;

    if (connection->opening && !connection->opening->done)
        drive(connection, CURL_SOCKET_TIMEOUT, 0);
    else
        connection->hub->ring(connection);
}

/* The watch of that socket, or one that is free, which is NULL where there is none. */
static struct wps_watch *find_watch(struct wps_opening *opening, curl_socket_t descriptor)
{
    struct wps_watch *found = NULL;

    for (int i = 0; i < WPS_OPENING_SOCKETS; i++) {
        if (opening->sockets[i].events && opening->sockets[i].descriptor == descriptor)
            return &opening->sockets[i];
        if (!opening->sockets[i].events)
            found = &opening->sockets[i];
    }
    return found;
}

/* A failure ends what libcurl is doing: nobody would hear of that socket any more. */
static int on_socket(CURL *easy, curl_socket_t descriptor, int what, void *context, void *ignored)
{
    struct wps_connection *connection = context;
    unsigned events = (what & CURL_POLL_IN ? WPS_READABLE : 0u) | (what & CURL_POLL_OUT ? WPS_WRITABLE : 0u);
    struct wps_watch *watch = connection->opening->done ? NULL : find_watch(connection->opening, descriptor);

    (void)easy, (void)ignored;
    if (watch && what == CURL_POLL_REMOVE) {
        if (watch->descriptor == descriptor)
            wps_poller_forget(connection->hub->poller, watch);
    } else if (watch) {
        watch->descriptor = descriptor;
        return wps_poller_watch(connection->hub->poller, watch, events) ? 0 : -1;
    }
    return watch || connection->opening->done || what == CURL_POLL_REMOVE ? 0 : -1;
}

static int on_timer(CURLM *multi, long ms, void *context)
{
    struct wps_connection *connection = context;

    (void)multi;
    if (connection->opening->done)
        return 0;
    if (ms < 0)
        wps_timers_clear(&connection->hub->timers, &connection->timer);
    else
        wps_timers_set(&connection->hub->timers, &connection->timer, wps_now() + (double)ms / 1000);
    return 0;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct wps_opening *opening = context;
    int type = address->socktype, descriptor;

    (void)purpose;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    if (address->family == AF_INET)
        opening->port = ntohs(((const struct sockaddr_in *)(const void *)&address->addr)->sin_port);
    else if (address->family == AF_INET6)
        opening->port = ntohs(((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_port);
    descriptor = socket(address->family, type, address->protocol);
    if (descriptor < 0) {
        opening->exhausted = errno == EMFILE || errno == ENFILE;
        return CURL_SOCKET_BAD;
    }
#ifndef SOCK_CLOEXEC
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
#endif
#ifdef SO_NOSIGPIPE
    setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &(int){ 1 }, sizeof(int));
#endif
    if (!wps_descriptor_register(descriptor)) {
        close(descriptor);
        return CURL_SOCKET_BAD;
    }
    return descriptor;
}

static int on_close(void *context, curl_socket_t descriptor)
{
    struct wps_connection *connection = context;
    struct wps_opening *opening = connection->opening;
    struct wps_watch *watch = opening->done ? NULL : find_watch(opening, descriptor);

    if (watch && watch->descriptor == descriptor)
        wps_poller_forget(connection->hub->poller, watch);
    if (descriptor != opening->taken)
        wps_descriptor_close(descriptor);
    return 0;
}

/* What a proxy says about a tunnel that it refuses, or anything else that would go to the standard output. */
static size_t swallow(char *data, size_t size, size_t count, void *ignored)
{
    (void)data, (void)ignored;
    return size * count;
}

/* ------------------------------------------------------------------ life */

static CURLMcode set_up_multi(struct wps_connection *connection, CURLM *multi)
{
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);

    if (!code)
        code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, connection);
    if (!code)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    if (!code)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, connection);
    return code;
}

static CURLcode set_up_easy(struct wps_connection *connection, CURL *easy, CURLSH *share)
{
    struct wps_opening *opening = connection->opening;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, opening->words);

    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, opening);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, connection);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_SHARE, share);
    if (!code)
        code = wps_opening_apply(opening->profile, easy);
    return code;
}

CURLcode wps_opening_set_up(struct wps_connection *connection, struct wps_profile *profile, CURLSH *share)
{
    struct wps_opening *opening = connection->opening = calloc(1, sizeof *opening);
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (!opening)
        return code;
    opening->profile = profile;
    opening->taken = CURL_SOCKET_BAD;
    for (int i = 0; i < WPS_OPENING_SOCKETS; i++) {
        opening->sockets[i].owner = connection;
        opening->sockets[i].tell = on_ready;
        opening->sockets[i].descriptor = CURL_SOCKET_BAD;
    }
    connection->timer.ring = on_due;
    connection->timer.owner = connection;
    opening->multi = curl_multi_init();
    opening->easy = opening->multi ? curl_easy_init() : NULL;
    if (opening->easy && !set_up_multi(connection, opening->multi))
        code = set_up_easy(connection, opening->easy, share);
    if (!code && curl_multi_add_handle(opening->multi, opening->easy))
        code = CURLE_OUT_OF_MEMORY;
    return code;
}

/* The callbacks are called to the end, and find the connection as it is. */
void wps_opening_destroy(struct wps_opening *opening)
{
    struct wps_sigpipe guard;

    wps_sigpipe_hold(&guard);
    if (opening->multi && opening->easy)
        curl_multi_remove_handle(opening->multi, opening->easy);
    curl_easy_cleanup(opening->easy);
    curl_multi_cleanup(opening->multi);
    wps_sigpipe_drop(&guard);
    free(opening);
}

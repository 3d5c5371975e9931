/* curl/engine_private.h - what the files of curl/ share; the one place that includes libcurl's header. */
#ifndef WPS_CURL_ENGINE_PRIVATE_H
#define WPS_CURL_ENGINE_PRIVATE_H

#include <curl/curl.h>

#include "curl/engine.h"

/* libcurl announces each sending of a request, the silent ones too, from 7.80 on. */
#define WPS_CURL_ANNOUNCES_SENDING (LIBCURL_VERSION_NUM >= 0x075000)

enum wps_proxy { WPS_PROXY_NONE, WPS_PROXY_ENVIRONMENT, WPS_PROXY_GIVEN };

struct wps_profile {
    int references; /* atomic; all else is written once, before anybody else sees it */
    struct wps_buffer origin;    /* "https://host:port" */
    struct wps_buffer authority; /* "host:port", for messages */
    CURLU *url;                  /* the origin, parsed */
    struct wps_buffer ca_file, client_cert, client_key, client_key_password, proxy;
    bool http2;
    enum wps_proxy proxy_from;
    bool whole_url; /* the target must be part of CURLOPT_URL, see profile_proxy() */
    int max_connections; /* of a background engine */
    long connect_timeout; /* ms */
    size_t max_response_bytes, max_header_bytes;
};

/* An easy handle, set up for one profile for as long as it lives. */
struct wps_handle {
    struct wps_handle *next; /* in the engine's list of idle handles */
    CURL *easy;
    struct wps_profile *profile;   /* counted */
    struct wps_exchange *exchange; /* NULL: idle */
    struct curl_slist *nodes;      /* an array, linked up for each request */
    size_t node_capacity;
    char words[CURL_ERROR_SIZE]; /* libcurl's own, about its last failure */
};

struct wps_engine {
    int references;
    int connections; /* open ones at most; and idle handles, each of which takes some kilobytes */
    unsigned forks;  /* wps_process_forks() of the process that made it */
    CURLM *multi;
    struct wps_handle *idle; /* the last used first */
    int idle_count;
};

/* Once per process, from whichever thread comes first. */
CURLcode wps_curl_initialise(void);

/* How many forks lie between this process and the first one that asked; counted, for getpid() is a system call. */
unsigned wps_process_forks(void);

/* At least 1; what does not fit is as good as for ever. */
long wps_milliseconds(double seconds);

/* Tells a failure of libcurl's multi interface. */
enum wps_kind wps_engine_failure(CURLMcode code, struct wps_error *error);

/* May exchanges share a connection? */
bool wps_profile_multiplexes(const struct wps_profile *profile);
struct wps_profile *wps_profile_hold(struct wps_profile *profile);
/* Sets everything that does not change from one exchange to the next. */
CURLcode wps_profile_apply(const struct wps_profile *profile, CURL *easy);

/* Lets it open, and keep, so many connections where it may not already. */
enum wps_kind wps_engine_enlarge(struct wps_engine *engine, int connections, struct wps_error *error);
struct wps_engine *wps_engine_hold(struct wps_engine *engine);
/* An idle handle of that profile, or a new one. */
CURLcode wps_engine_take(struct wps_engine *engine, struct wps_profile *profile, struct wps_handle **handle);
void wps_engine_give_back(struct wps_engine *engine, struct wps_handle *handle);
/* Completes the exchanges that libcurl is done with. */
void wps_engine_collect(struct wps_engine *engine);
/* Lets libcurl do what it can do without waiting, and collects. */
CURLMcode wps_engine_drive(struct wps_engine *engine);
void wps_handle_destroy(struct wps_handle *handle);

/* Connects a new handle with the callbacks of whichever exchange it will carry. */
CURLcode wps_handle_set_up(struct wps_handle *handle);
enum wps_kind wps_exchange_copy(struct wps_exchange *exchange, const struct wps_exchange_request *request);
/* Sets what changes from one exchange to the next. */
CURLcode wps_exchange_hand_over(struct wps_exchange *exchange, struct wps_handle *handle);
void wps_exchange_complete(struct wps_exchange *exchange, CURLcode code);
/* Ends an exchange whose error is told, or which is complete, at whatever stage it is. */
void wps_exchange_end(struct wps_exchange *exchange);
/* Tells libcurl's failure in the exchange's error, unless a callback has told it already. */
void wps_exchange_fail(struct wps_exchange *exchange, CURLcode code);

#endif

/* curl/engine.h - HTTP exchanges over libcurl. Knows neither Lua nor any operation of the service.
 *
 *   profile   the settings towards one origin: immutable, shared by any number of exchanges
 *   exchange  one request and its response: plain data, filled in by the engine
 *   engine    libcurl's multi handle with its connections, and a pool of easy handles
 *
 * An engine and its exchanges belong to one thread, profiles to all. Profiles and engines are counted, because a
 * garbage collector lets go of them and of the exchanges that need them in any order.
 *
 * curl/background.h has the engine whose thread is one of its own. */
#ifndef WPS_CURL_ENGINE_H
#define WPS_CURL_ENGINE_H

#include "core/bytes.h"

struct wps_profile;
struct wps_engine;
struct wps_handle;

/* ------------------------------------------------------------------ profile */

struct wps_profile_options {
    const char *origin; /* "https://host[:port]" */
    const char *ca_file; /* PEM files; NULL: the system's CAs, no client certificate */
    const char *client_cert;
    const char *client_key; /* NULL: it is in client_cert */
    const char *client_key_password;
    const char *proxy; /* URL; NULL: whatever the environment says */
    bool no_proxy;     /* not even the environment's */
    bool http2;        /* offered over TLS */
    int max_connections; /* that a background engine may have for it; exchanges beyond wait for their turn */
    double connect_timeout; /* seconds */
    size_t max_response_bytes;
    size_t max_header_bytes; /* all header lines together, interim responses and trailers included */
};

/* Copies the options; files must be readable now, so that a wrong path is an error before any I/O. NULL on failure. */
struct wps_profile *wps_profile_create(const struct wps_profile_options *options, struct wps_error *error);
void wps_profile_release(struct wps_profile *profile); /* NULL is fine */

/* ------------------------------------------------------------------ engine */

/* Opens at most that many connections, and keeps as many. */
struct wps_engine *wps_engine_create(int connections, struct wps_error *error);
void wps_engine_release(struct wps_engine *engine); /* NULL is fine */
/* True in a child process of the one that made the engine. Connections are then shared with the parent, and even
 * closing them properly would say goodbye in its name: nothing but wps_engine_release() may follow. */
bool wps_engine_inherited(const struct wps_engine *engine);

const char *wps_curl_version(void);

/* ------------------------------------------------------------------ exchange */

struct wps_exchange_request {
    const char *method; /* GET, HEAD, POST, PUT or DELETE */
    struct wps_slice target;  /* "/path?query", sent byte for byte */
    struct wps_slice headers; /* "Name: value\r\n" lines */
    struct wps_slice body;    /* none for GET and HEAD */
    double timeout;           /* seconds for the whole exchange */
    bool once; /* fail rather than send again when a kept-alive connection turns out dead */
};

enum wps_exchange_stage { WPS_AT_STATUS_LINE, WPS_AT_FIELDS, WPS_AT_BODY };

struct wps_exchange {
    bool done;
    struct wps_error error; /* kind WPS_OK: there is a response */
    int status;
    struct wps_buffer head; /* status line and header lines of the final response */
    size_t fields;          /* where in `head` the header lines begin */
    struct wps_buffer content;
    int sent;            /* how often libcurl began to send the request */
    bool new_connection;

    /* while it lasts */
    const char *method;
    bool has_length; /* a body, be it empty, goes with it */
    bool has_accept;
    struct wps_buffer target;
    struct wps_buffer lines; /* the header lines, each NUL-terminated */
    size_t line_count;
    struct wps_buffer body;
    long timeout; /* ms */
    long queued;  /* ms of it that went by before the launch */
    bool once;
    enum wps_exchange_stage stage;
    size_t header_bytes;
    struct wps_engine *engine;   /* counted */
    struct wps_profile *profile; /* counted */
    struct wps_handle *handle;   /* NULL: libcurl is not involved (any more) */
};

/* Copies the request. WPS_OK, or why it cannot be sent: WPS_ARGUMENT, WPS_NO_MEMORY. */
enum wps_kind wps_exchange_prepare(struct wps_exchange *exchange, struct wps_profile *profile,
                                   const struct wps_exchange_request *request);
/* Begins a prepared exchange. */
enum wps_kind wps_exchange_launch(struct wps_exchange *exchange, struct wps_engine *engine);
/* Both in one. */
enum wps_kind wps_exchange_start(struct wps_exchange *exchange, struct wps_engine *engine,
                                 struct wps_profile *profile, const struct wps_exchange_request *request);
/* Moves every exchange of the engine on, waiting at most once and at most `seconds`; returns whether this one is
 * done. A signal ends the wait. */
bool wps_exchange_step(struct wps_exchange *exchange, double seconds);
/* Ends an exchange that is not done yet as WPS_CANCELLED. */
void wps_exchange_cancel(struct wps_exchange *exchange);
void wps_exchange_free(struct wps_exchange *exchange);
/* Makes it all zero again but for its buffers' memory. */
void wps_exchange_recycle(struct wps_exchange *exchange);

#endif

/* curl/profile.h - the settings towards one origin: immutable, shared by all threads. Equal profiles are one, so clients
 * of the same origin and options share connections; profiles that differ in anything never do. */
#ifndef WPS_CURL_PROFILE_H
#define WPS_CURL_PROFILE_H

#include "core/bytes.h"
#include "core/exchange.h"

struct wps_profile_options {
    const char *origin; /* "https://host[:port]" */
    const char *thumbprint; /* 40 hexadecimal digits, the SHA-1 of the one certificate that is trusted; NULL: see ca_file */
    const char *ca_file; /* PEM files; NULL: the system's CAs, no client certificate */
    const char *client_cert;
    const char *client_key; /* NULL: it is in client_cert */
    const char *client_key_password;
    const char *proxy; /* URL; NULL: whatever the environment says now */
    bool no_proxy;     /* not even the environment's */
    int max_connections; /* in one loop; exchanges beyond wait for their turn */
    double connect_timeout; /* seconds, as the others */
    double idle_timeout;       /* after which a connection that is kept is closed */
    double max_connection_age; /* after which it is not used again, or a name's new address would never be followed */
    size_t max_response_bytes;
    size_t max_header_bytes; /* all header lines together, interim responses and trailers included */
};

/* A file that has changed makes another profile. */
struct wps_file {
    struct wps_buffer path; /* empty: none */
    long long identity[5];
};

enum { WPS_SHA1_LENGTH = 20 };

struct wps_profile {
    struct wps_buffer origin;    /* "https://host:port" */
    struct wps_buffer authority; /* "host:port", for messages */
    struct wps_buffer host;      /* the same without a port that goes without saying */
    int port;
    bool secure; /* https */
    bool has_thumbprint;
    unsigned char thumbprint[WPS_SHA1_LENGTH];
    struct wps_file ca_file, client_cert, client_key;
    struct wps_buffer client_key_password;
    struct wps_buffer proxy, no_proxy; /* as libcurl takes them; no proxy: empty */
    bool layered; /* there may be TLS, if only between us and the proxy */
    bool socks;   /* the proxy speaks SOCKS, not HTTP */
    int max_connections;
    double connect_timeout, idle_timeout, max_connection_age;
    size_t max_response_bytes, max_header_bytes;

    void *trust;    /* atomic: what was read from ca_file, see curl/trust.h; NULL until it is needed */
    int references; /* atomic */
    struct wps_profile *previous, *next; /* of all in the process */
};

/* Copies the options; files must be readable now, so that a wrong path is an error before any I/O. NULL on failure. */
struct wps_profile *wps_profile_create(const struct wps_profile_options *options, struct wps_error *error);
struct wps_profile *wps_profile_hold(struct wps_profile *profile);
void wps_profile_release(struct wps_profile *profile); /* NULL is fine */
/* Whether the caller is the only one that holds it. */
bool wps_profile_is_last(const struct wps_profile *profile);

/* Fills in what the profile knows of an order. */
void wps_profile_complete(const struct wps_profile *profile, struct wps_exchange_order *order);

#endif

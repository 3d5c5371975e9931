/* curl/opening.h - libcurl's part of a connection; shared by connection.c, opening.c and refusal.c only. */
#ifndef WPS_CURL_OPENING_H
#define WPS_CURL_OPENING_H

#include <curl/curl.h>

#include "curl/connection.h"

enum { WPS_OPENING_SOCKETS = 5 }; /* that libcurl watches for one easy handle, at most */

struct wps_opening {
    struct wps_profile *profile; /* its pool's */
    CURLM *multi;
    CURL *easy;
    struct wps_watch sockets[WPS_OPENING_SOCKETS];
    curl_socket_t taken; /* which libcurl is not to close */
    bool done;           /* nothing of libcurl is waited for any more */
    CURLcode code;       /* once it failed */
    int port;            /* that was connected to last */
    bool exhausted;      /* there was no descriptor for a socket */
    char words[CURL_ERROR_SIZE]; /* libcurl's own, about its last failure */
};

CURLcode wps_opening_set_up(struct wps_connection *connection, struct wps_profile *profile, CURLSH *share);
/* Closes the connection as well, unless it was taken. */
void wps_opening_destroy(struct wps_opening *opening);
/* Everything that depends on the profile only. */
CURLcode wps_opening_apply(struct wps_profile *profile, CURL *easy);

#endif

/* http1.h - HTTP/1.1 for one request after the other, without I/O: a request becomes bytes, bytes become a response.
 *
 *   struct wps_http1 http = { 0 };
 *
 *   if (!wps_http1_request(&http, &request, &limits))   bytes to send are in http.outgoing
 *       ...
 *   for each piece that arrives, of whatever size:
 *       switch (wps_http1_feed(&http, data, length)) {
 *       case WPS_HTTP1_MORE:   read on; at the end of the connection call wps_http1_end()
 *       case WPS_HTTP1_DONE:   the response is whole; http.keep_alive says whether the connection may be used again
 *       case WPS_HTTP1_FAILED: http.error says why; close the connection
 *       }
 *
 * How the bytes were cut into pieces makes no difference to the outcome. What is wrong with a response is a
 * WPS_PROTOCOL error, "malformed" or "too_large"; a connection that ended early is a WPS_TRANSPORT error, "closed".
 *
 * Stricter than RFC 9112 demands, since there is one kind of server to talk to and responses must not be smuggled:
 * lines end with CR LF, nothing is folded, and a response has either Content-Length or Transfer-Encoding. */
#ifndef WPS_HTTP1_H
#define WPS_HTTP1_H

#include "core/bytes.h"

struct wps_http1_request {
    struct wps_slice method;
    struct wps_slice target;  /* "/path?query", sent byte for byte; "host:port" for CONNECT */
    struct wps_slice host;    /* "host" or "host:port" */
    struct wps_slice headers; /* "Name: value\r\n" lines; Host and the framing are added here and may not be in it */
    struct wps_slice body;    /* absent: none, which POST and PUT announce as a length of 0 */
    bool headers_checked;     /* each was when it was set; they are not checked again */
};

#define WPS_HTTP1_HEADER_BYTES ((size_t)64 * 1024)
#define WPS_HTTP1_BODY_BYTES ((size_t)1024 * 1024)

struct wps_http1_limits {
    size_t header_bytes; /* all lines, interim responses, chunk extensions and trailers included; 0: 64 KiB */
    size_t body_bytes;   /* 0: 1 MiB */
};

enum wps_http1_progress { WPS_HTTP1_MORE, WPS_HTTP1_DONE, WPS_HTTP1_FAILED };

enum wps_http1_state {
    WPS_HTTP1_IDLE, /* no request was written */
    WPS_HTTP1_STATUS_LINE,
    WPS_HTTP1_FIELDS,
    WPS_HTTP1_SIZED_BODY,
    WPS_HTTP1_CHUNK_SIZE,
    WPS_HTTP1_CHUNK,
    WPS_HTTP1_CHUNK_END,
    WPS_HTTP1_TRAILERS,
    WPS_HTTP1_BODY_TO_END, /* of the connection */
    WPS_HTTP1_COMPLETE,
    WPS_HTTP1_BROKEN
};

struct wps_http1 {
    struct wps_buffer outgoing;

    /* The response, once WPS_HTTP1_DONE was returned. */
    int status;
    struct wps_slice reason;  /* this and the next point into `head` */
    struct wps_slice headers; /* the lines as they came; without those of trailers and interim responses */
    struct wps_buffer body;
    bool keep_alive; /* taken back when bytes or the end of the connection follow the response */

    struct wps_error error; /* once WPS_HTTP1_FAILED was returned */
    bool received;          /* anything at all; if not, a kept connection was most likely dead already */

    /* while it lasts */
    enum wps_http1_state state;
    struct wps_http1_limits limits;
    bool answers_head;
    bool answers_connect; /* a 2xx opens a tunnel, and nothing of it belongs to the response */
    struct wps_buffer head; /* status line, header lines, and the line that is being read */
    size_t line;            /* where in `head` that line begins */
    size_t fields;          /* where in `head` the header lines begin */
    size_t header_bytes;    /* of the limit, used */
    int minor_version;
    bool has_length, chunked, says_close, says_keep_alive;
    uint64_t left;          /* bytes of body or chunk to come */
    size_t reason_at, reason_length;
};

/* The request's bytes. WPS_OK, WPS_ARGUMENT or WPS_NO_MEMORY. */
enum wps_kind wps_http1_write(struct wps_buffer *out, const struct wps_http1_request *request, struct wps_error *error);

/* Writes the request into `outgoing` and expects its response; whatever went before is forgotten. WPS_OK, or
 * WPS_ARGUMENT or WPS_NO_MEMORY, told in http->error too. */
enum wps_kind wps_http1_request(struct wps_http1 *http, const struct wps_http1_request *request,
                                const struct wps_http1_limits *limits);
/* Takes all of the bytes. May be called after the end of a response as well, see `keep_alive`. */
enum wps_http1_progress wps_http1_feed(struct wps_http1 *http, const char *data, size_t length);
/* The connection has ended, which is the end of some responses; never WPS_HTTP1_MORE. */
enum wps_http1_progress wps_http1_end(struct wps_http1 *http);
/* Swaps the header block and the body of a response that is whole for what these two hold; no byte of a body is copied.
 * `reason` and `headers` are absent after it. */
void wps_http1_take(struct wps_http1 *http, struct wps_buffer *headers, struct wps_buffer *body);
/* Forgets request and response, which may hold secrets; keeps the memory of small ones. */
void wps_http1_recycle(struct wps_http1 *http);
void wps_http1_free(struct wps_http1 *http);

#endif

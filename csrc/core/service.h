/* service.h - one call to Azure Web PubSub: where the service is, what it can be asked, and how an answer is read.
 *
 * No Lua, no libcurl, no I/O and no clock. Ownership and failure: see bytes.h. */
#ifndef WPS_SERVICE_H
#define WPS_SERVICE_H

#include "core/bytes.h"

/* ------------------------------------------------------------------ endpoint */

/* "https://host[:port][/path]": lower-case scheme and host, no default port, no trailing slash. */
struct wps_base {
    struct wps_buffer url;
    size_t origin; /* length of "https://host[:port]"; the path begins there */
    bool secure;   /* https */
    bool loopback; /* the host is this machine by its very name: localhost, 127.0.0.0/8, ::1 */
};

struct wps_endpoint {
    struct wps_base service; /* what tokens are signed for */
    struct wps_base proxy;   /* a reverse proxy to send to instead; empty: none */
};

/* `port` 0: the one in the text, or the scheme's. `what` names the argument in errors, which never quote the text. */
enum wps_kind wps_base_parse(struct wps_base *base, struct wps_slice text, int port, const char *what,
                             struct wps_error *error);
void wps_base_free(struct wps_base *base);
/* Is the host of scheme://[user:password@]host[:port] this machine by its very name? */
bool wps_proxy_is_loopback(struct wps_slice url);
/* Length of "https://host[:port]" in an absolute URL; 0 where it has no path after that. */
size_t wps_origin_length(struct wps_slice url);
/* Has it a dot segment ("." or ".."), as it is or decoded once or twice, which something on the way could fold away? */
bool wps_path_has_dots(struct wps_slice path);
/* Is nothing left of it, as it is or decoded, once slashes are merged? Then a path ends before it. */
bool wps_segment_is_hollow(struct wps_slice segment);

struct wps_connection_string {
    struct wps_slice endpoint; /* these point into the text that was parsed */
    struct wps_slice key;
    struct wps_slice auth_type; /* absent: a key; else "azure" (whatever there is), "azure.msi" or "azure.app" */
    struct wps_slice tenant, client_id, secret;
    int port; /* 0: none */
};
enum wps_kind wps_connection_string_parse(struct wps_connection_string *parts, struct wps_slice text,
                                          struct wps_error *error);

/* Everything but A-Z a-z 0-9 - . _ ~ becomes %XX (RFC 3986, unreserved). */
void wps_escape(struct wps_buffer *buffer, struct wps_slice text);

enum wps_kind wps_hub_check(struct wps_slice hub, struct wps_error *error);

/* ------------------------------------------------------------------ operations */

#define WPS_API_VERSION "2024-12-01"

enum wps_type {
    WPS_ID,      /* names a user or connection: not empty; in a path without dot segments and control bytes */
    WPS_GROUP,   /* 1-1024 characters, not all white space; in a path an id's rules apply as well */
    WPS_TEXT,    /* any UTF-8; in a path an id's rules apply */
    WPS_INTEGER, /* within minimum..maximum; in a query */
    WPS_CHOICE,  /* one of `choices` */
    WPS_LIST,    /* texts, none of them empty; not in a path */
    WPS_GROUPS,  /* names of groups; not in a path */
    WPS_CONTENT, /* the message itself, bytes; with WPS_JSON and WPS_MEDIA after it, and no other member in the body */
    WPS_JSON,    /* the message as a value that the bindings encode: wps_request_json() */
    WPS_MEDIA    /* the content's type: a short name of ours, or the MIME type itself */
};

enum wps_place { WPS_IN_PATH, WPS_IN_QUERY, WPS_IN_BODY };

struct wps_parameter {
    const char *name; /* what a Lua program writes; stands in braces in a path */
    const char *wire; /* what the service reads in a query or a body; "" for what is the body */
    enum wps_type type;
    enum wps_place place;
    bool required;
    int64_t minimum, maximum;
    const char *choices[4];
    const char *doc;
};

enum wps_result {
    WPS_RESULT_NONE,
    WPS_RESULT_EXISTS, /* 404 is the answer "no", where no code says otherwise; every other failure is an error */
    WPS_RESULT_TOKEN,  /* {"token": "..."} */
    WPS_RESULT_LIST    /* {"value": [...], "nextLink": "..."?} */
};

enum { WPS_MAX_PARAMETERS = 8 };

/* spec/operations_table_spec.lua refuses a row that the rest of the core does not carry out. */
struct wps_operation {
    const char *name;
    const char *method;
    const char *path; /* below /api/hubs/{hub}, or below /api where `hubless` */
    const struct wps_parameter *parameters[WPS_MAX_PARAMETERS]; /* in the order they are sent */
    int success;      /* what the live service answers; any 2xx is taken */
    enum wps_result result;
    bool hubless;
    bool unsigned_; /* needs no token */
    const char *doc;
};

extern const struct wps_operation wps_operations[];
extern const size_t wps_operation_count;

const struct wps_operation *wps_operation_find(const char *name); /* NULL: no such operation */
const char *wps_type_name(enum wps_type type);

/* ------------------------------------------------------------------ jwt */

enum { WPS_HMAC_LENGTH = 32 };

/* An HMAC-SHA256 keyed once and used many times (OpenSSL's EVP_MAC). */
struct wps_signer {
    void *mac;
};
/* The key is the UTF-8 text of the AccessKey as it is, not base64-decoded. On failure the old key stays. */
enum wps_kind wps_signer_set(struct wps_signer *signer, struct wps_slice key, struct wps_error *error);
bool wps_signer_ready(const struct wps_signer *signer);
void wps_signer_free(struct wps_signer *signer);
/* The HMAC of a text; false: there is no key, or OpenSSL fails. Its error queue is left as it was. */
bool wps_signer_sum(struct wps_signer *signer, struct wps_slice text, unsigned char hmac[WPS_HMAC_LENGTH]);
/* Appends the compact HS256 token over a claims object that is JSON already. */
enum wps_kind wps_jwt_sign(struct wps_signer *signer, struct wps_slice claims, struct wps_buffer *token,
                           struct wps_error *error);
/* How long wps_jwt_sign_request() will make the token for an audience that needs no escapes. */
size_t wps_jwt_request_length(size_t audience_length);
/* Appends the token for one request: aud, iat, exp and nothing else. */
enum wps_kind wps_jwt_sign_request(struct wps_signer *signer, struct wps_slice audience, int64_t now,
                                   struct wps_buffer *token, struct wps_error *error);

/* ------------------------------------------------------------------ request */

enum { WPS_MAX_BODY = 1024 * 1024 }; /* bytes; the service's limit for a message */
enum { WPS_MAX_BUILT = 1024 * 1024 }; /* bytes of a URL while it is built, so that an error can say how long it is */

struct wps_request {
    const struct wps_operation *operation;
    struct wps_buffer url;     /* signed byte for byte: the service's base, path and query */
    struct wps_buffer target;  /* sent byte for byte: path and query, below the reverse proxy's path where there is one */
    struct wps_buffer headers; /* without Host and Content-Length, which the transport writes */
    struct wps_buffer body;
    bool has_body;

    /* while it is being built */
    struct wps_buffer query;
    struct wps_slice path_values[WPS_MAX_PARAMETERS]; /* the caller keeps these alive until wps_request_finish() */
    const char *content_type;
    bool body_is_object; /* JSON that wps_request_finish() closes */
    unsigned given; /* bit i: parameters[i] has a value */
    size_t bytes[WPS_MAX_PARAMETERS]; /* of the URL, for each parameter */
};

void wps_request_begin(struct wps_request *request, const struct wps_operation *operation);
/* Values come in the order of operation->parameters; a list's come one by one, `item` counting from 1 (0: no list). */
enum wps_kind wps_request_text(struct wps_request *request, int parameter, int item, struct wps_slice value,
                               struct wps_error *error);
/* The body, for the caller to write the JSON of a WPS_JSON parameter to; NULL, with the error told, where there is one
 * already. */
struct wps_buffer *wps_request_json(struct wps_request *request, int parameter, struct wps_error *error);
enum wps_kind wps_request_integer(struct wps_request *request, int parameter, int64_t value, struct wps_error *error);
enum wps_kind wps_request_finish(struct wps_request *request, const struct wps_endpoint *endpoint,
                                 struct wps_slice hub, struct wps_error *error);
/* Adds `&name=value` to URL and target, unless that makes the URL longer than `maximum`. */
enum wps_kind wps_request_add_query(struct wps_request *request, struct wps_slice name, struct wps_slice value,
                                    size_t maximum, struct wps_error *error);
/* Points a finished request at the next page: an absolute URL of at most `maximum` bytes, which must lead to the same
 * service. */
enum wps_kind wps_request_follow(struct wps_request *request, const struct wps_endpoint *endpoint,
                                 struct wps_slice url, size_t maximum, struct wps_error *error);
/* Refuses a URL of more than `maximum` bytes, and headers of a third more than that: a token repeats its URL as base64.
 * `token_bytes` are still to come. */
enum wps_kind wps_request_check_size(const struct wps_request *request, size_t maximum, size_t token_bytes,
                                     struct wps_error *error);
void wps_request_free(struct wps_request *request);

/* ------------------------------------------------------------------ response */

struct wps_response {
    int status; /* 0: none */
    struct wps_buffer headers;
    struct wps_buffer body;
};

const char *wps_status_text(int status); /* "" where it has no name */
/* Seconds the service asks to wait: retry-after-ms, x-ms-retry-after-ms, Retry-After as seconds or as a date to be
 * compared with `wall` (seconds since the epoch). Negative: it does not say. */
double wps_retry_after(struct wps_slice headers, double wall);
/* When the server says that it answered, in seconds since the epoch. Negative: it does not say. */
double wps_response_date(struct wps_slice headers);
/* Seconds since the epoch of year, month, day, hour, minute and second; negative: there is no such time. */
double wps_utc_seconds(const int parts[6]);
/* The code of an error whose body has none: x-ms-error-code, the error of WWW-Authenticate, the status text. It
 * points into `headers`, to static text, or to `room`. */
struct wps_slice wps_fallback_code(int status, struct wps_slice headers, char *room, size_t size);
/* Writes why a body cannot be read: an encoding, charset or type that was not asked for, else the reader's problem. */
void wps_body_complaint(struct wps_slice headers, const char *problem, char *text, size_t size);
/* A parameter of the WWW-Authenticate header, such as "error"; absent where it has none. */
struct wps_slice wps_challenge(struct wps_slice headers, const char *parameter);
/* 401 with error="insufficient_claims": the decoded claims the next token must carry. False: no such challenge, or no
 * memory for it, as `claims` then says. */
bool wps_claims_challenge(int status, struct wps_slice headers, struct wps_buffer *claims);
void wps_response_free(struct wps_response *response);

/* ------------------------------------------------------------------ call */

struct wps_retry {
    int retries;     /* attempts after the first */
    double delay;     /* seconds before the first retry */
    double factor;    /* of each further wait to the one before; at least 1 */
    double jitter;    /* 0.2: each wait is 80 % to 120 % */
    double max_delay; /* seconds, jitter included; a Retry-After may be longer */
    int statuses[16]; /* worth a retry; 0 ends the list */
};

struct wps_limits {
    size_t url_bytes;       /* of a request, see wps_request_check_size() */
    double timeout;         /* seconds for the whole call, waits included */
    double attempt_timeout; /* seconds for one exchange */
    struct wps_retry retry;
};

extern const struct wps_limits wps_default_limits;

enum wps_step {
    WPS_TOKEN, /* get a token, then wps_call_token() */
    WPS_SEND,  /* exchange `request`: `seconds` for the attempt, of the `patience` left, on a new connection where
                  `fresh`; then wps_call_response() or wps_call_failure() */
    WPS_WAIT,  /* let `seconds` pass, then wps_call_resume() */
    WPS_DONE   /* `response` holds the answer, or `error` says why there is none */
};

/* What a caller's classifier says of a response. */
enum wps_verdict { WPS_VERDICT_DEFAULT, WPS_VERDICT_SUCCESS, WPS_VERDICT_ERROR, WPS_VERDICT_RETRY };

/* One logical call over all its attempts. It decides and never acts: it is fed what happened, with `now`, seconds of
 * any steady clock, `wall`, seconds since the epoch, and randomness (`random`: 0 up to 1) as arguments. */
struct wps_call {
    struct wps_request request;
    struct wps_limits limits;
    struct wps_response response; /* the last one */
    struct wps_error error;       /* why the call or its last attempt failed */
    enum wps_step step;
    double seconds;    /* of WPS_SEND and WPS_WAIT */
    double patience;   /* of WPS_SEND: what is left of the call's time; waiting for a connection counts towards it only */
    bool fresh;        /* of WPS_SEND: an attempt came to nothing on the way, and kept connections may be why */
    double retry_after; /* what the last response asked for; negative: nothing */
    double started, ended;
    double wake;        /* when WPS_WAIT is over */
    int attempt;        /* counts from 1 */
    int retried;        /* attempts of `limits.retry.retries`; the answer to a challenge is none */
    bool retryable;     /* trying the same again later might help */
    bool challenged;    /* a claims challenge was answered already */
    struct wps_buffer claims; /* JSON the next token must carry */

    double clock_offset;  /* seconds that are added to this machine's clock when a token is signed */
    double signed_at;     /* seconds since the epoch, as the last token has them; 0: it was not signed here */
    bool clock_corrected; /* the offset is of an answer to this call */
    bool clock_is_known;  /* ... and the service takes the tokens: good for other calls, too */

    int64_t owner; /* the process that prepared it, as the bindings number it */

    /* the request as the retry finds it again, whatever an attempt's policies did */
    struct wps_buffer base_headers;
    size_t base_url, base_target;
};

/* Has every header been checked when it was set? Tokens that come from elsewhere have not, nor what else goes to those
 * who give them. */
static inline bool wps_call_headers_checked(const struct wps_call *call)
{
    return call->signed_at != 0;
}

enum wps_step wps_call_begin(struct wps_call *call, double now);
/* A bearer token, or none where the operation needs none. */
enum wps_step wps_call_token(struct wps_call *call, double now, struct wps_slice token);
/* Signs for the request's URL, where the operation needs a token, and goes on like wps_call_token(). */
enum wps_step wps_call_sign(struct wps_call *call, double now, double wall, struct wps_signer *signer);
/* call->response has been filled in. */
enum wps_step wps_call_response(struct wps_call *call, double now, double wall, double random,
                                enum wps_verdict verdict);
/* No response: kind is WPS_TRANSPORT, WPS_TIMEOUT, WPS_PROTOCOL, WPS_CREDENTIAL or WPS_CANCELLED. Where a kept connection
 * turned out dead (`stale`), the next attempt follows at once: the server is not to blame, and waiting helps nobody. */
enum wps_step wps_call_failure(struct wps_call *call, double now, double random, enum wps_kind kind, const char *code,
                               const char *message, bool stale);
enum wps_step wps_call_resume(struct wps_call *call, double now);
/* In a child process: ends a call that its parent prepared, and will send. */
enum wps_step wps_call_disown(struct wps_call *call, double now);
void wps_call_free(struct wps_call *call);
/* Makes it all zero again but for its buffers' memory. */
void wps_call_recycle(struct wps_call *call);

#endif

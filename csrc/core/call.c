/* call.c - one call over all its attempts, as a state machine that is told what happened and says what to do next.
 *
 *      begin -> TOKEN -> SEND -> DONE                a response that is no error, or an error that is final
 *                 ^        |
 *                 |        +---> WAIT -> resume      a failure worth a retry, with time and retries left
 *                 |        |               |
 *                 +--------+---------------+         ... or at once, with the claims a challenge asks for, or signed
 *                                                    with the time by the service's clock
 *
 * A failure may be fed in at every step; a cancelled call is done whatever it was doing. */
#include "core/service.h"
#include "core/codes.h"
#include "core/headers.h"

#include <stdio.h>
#include <string.h>

const struct wps_limits wps_default_limits = {
    .url_bytes = 12288, /* documented for Azure SignalR, with 16384 bytes of headers */
    .timeout = 60,
    .attempt_timeout = 15,
    /* the vendor's .NET client: 3 retries after 0.8, 1.6 and 3.2 s, 20 % more or less, of these statuses */
    .retry = {
        .retries = 3, .delay = 0.8, .factor = 2, .jitter = 0.2, .max_delay = 60,
        .statuses = { 408, 429, 500, 502, 503, 504 },
    },
};

static enum wps_step done(struct wps_call *call, double now)
{
    call->ended = now;
    return call->step = WPS_DONE;
}

static double time_left(const struct wps_call *call, double now)
{
    return call->started + call->limits.timeout - now;
}

static enum wps_step deadline_passed(struct wps_call *call, double now)
{
    memset(&call->error, 0, sizeof call->error);
    wps_fail(&call->error, WPS_TIMEOUT, NULL, "deadline", "the call's timeout of %g s has passed after %d attempt%s",
             call->limits.timeout, call->attempt, call->attempt == 1 ? "" : "s");
    call->retryable = true;
    return done(call, now);
}

/* The driver may run policies before it answers WPS_TOKEN, so each attempt begins with the request as it was. */
static enum wps_step next_attempt(struct wps_call *call, double now)
{
    struct wps_request *request = &call->request;

    if (time_left(call, now) <= 0)
        return deadline_passed(call, now);
    call->attempt++;
    memset(&call->error, 0, sizeof call->error);
    if (call->attempt > 1) {
        wps_buffer_truncate(&request->url, call->base_url);
        wps_buffer_truncate(&request->target, call->base_target);
        wps_buffer_truncate(&request->headers, 0);
        wps_buffer_append(&request->headers, call->base_headers.data, call->base_headers.length);
    }
    return call->step = WPS_TOKEN;
}

enum wps_step wps_call_begin(struct wps_call *call, double now)
{
    const struct wps_request *request = &call->request;

    call->started = now;
    call->retry_after = -1;
    call->base_url = request->url.length;
    call->base_target = request->target.length;
    wps_buffer_append(&call->base_headers, wps_buffer_string(&request->headers), request->headers.length);
    if (wps_buffer_check(&call->base_headers, &call->error, "headers"))
        return done(call, now);
    return next_attempt(call, now);
}

/* ------------------------------------------------------------------ sending */

static enum wps_step send_attempt(struct wps_call *call, double now)
{
    double left = time_left(call, now);

    if (wps_buffer_check(&call->request.headers, &call->error, "headers")
        || wps_request_check_size(&call->request, call->limits.url_bytes, 0, &call->error))
        return done(call, now);
    if (left <= 0)
        return deadline_passed(call, now);
    call->patience = left;
    call->seconds = left < call->limits.attempt_timeout ? left : call->limits.attempt_timeout;
    return call->step = WPS_SEND;
}

static void start_authorization(struct wps_call *call)
{
    struct wps_buffer *headers = &call->request.headers;
    struct wps_slice block = { headers->data, headers->length };

    if (wps_headers_find(block, "Authorization").data) /* a policy has set it: that is rare */
        wps_headers_set(headers, wps_slice_of("Authorization"), wps_slice_of(NULL));
    wps_buffer_text(headers, "Authorization: Bearer ");
}

enum wps_step wps_call_token(struct wps_call *call, double now, struct wps_slice token)
{
    wps_buffer_truncate(&call->claims, 0); /* asked for once */
    if (token.data) {
        call->signed_at = 0;
        start_authorization(call);
        wps_buffer_append(&call->request.headers, token.data, token.length);
        wps_buffer_text(&call->request.headers, "\r\n");
    }
    return send_attempt(call, now);
}

enum wps_step wps_call_sign(struct wps_call *call, double now, double wall, struct wps_signer *signer)
{
    struct wps_request *request = &call->request;
    struct wps_slice audience = { request->url.data, request->url.length };

    if (request->operation->unsigned_)
        return wps_call_token(call, now, wps_slice_of(NULL));
    start_authorization(call);
    call->signed_at = wall + call->clock_offset;
    if (wps_jwt_sign_request(signer, audience, (int64_t)call->signed_at, &request->headers, &call->error))
        return done(call, now);
    wps_buffer_text(&request->headers, "\r\n");
    return send_attempt(call, now);
}

/* ------------------------------------------------------------------ after an attempt */

/* Says in the error why a failure that is worth a retry is final all the same. */
static void explain(struct wps_call *call, double wait, double left)
{
    struct wps_error *error = &call->error;
    size_t length = strlen(error->message);

    if (call->retry_after >= wait)
        snprintf(error->message + length, sizeof error->message - length,
                 "%snot retried: the service asks to wait %g s, and %.3g s are left of the call's timeout of %g s",
                 length ? "; " : "", wait, left, call->limits.timeout);
    else
        snprintf(error->message + length, sizeof error->message - length,
                 "%snot retried: the next attempt would come after the call's timeout of %g s", length ? "; " : "",
                 call->limits.timeout);
}

static double back_off(const struct wps_retry *retry, int retried, double random)
{
    double wait = retry->delay;

    for (; retried > 0 && wait < retry->max_delay; retried--)
        wait *= retry->factor;
    wait *= 1 + retry->jitter * (2 * random - 1);
    return wait < retry->max_delay ? wait : retry->max_delay;
}

static enum wps_step retry_or_give_up(struct wps_call *call, double now, double random)
{
    const struct wps_retry *retry = &call->limits.retry;
    double wait, left = time_left(call, now);

    if (!call->retryable || call->retried >= retry->retries)
        return done(call, now);
    wait = back_off(retry, call->retried, random);
    if (wait < call->retry_after)
        wait = call->retry_after;
    if (wait >= left) {
        explain(call, wait, left);
        return done(call, now);
    }
    call->retried++;
    call->wake = now + wait;
    call->seconds = wait;
    return call->step = WPS_WAIT;
}

static bool status_is_retryable(const struct wps_retry *retry, int status)
{
    for (size_t i = 0; i < sizeof retry->statuses / sizeof *retry->statuses && retry->statuses[i]; i++)
        if (retry->statuses[i] == status)
            return true;
    return false;
}

/* Does a 404 say that what was asked about does not exist? The live service says so in a header; its emulator, which
 * sends none, cannot be told from a gateway that is silent. Any other code means something else: no such hub, a path
 * that a gateway does not know. */
static bool says_no(struct wps_slice headers)
{
    static const char ending[] = "NotExisted";
    const size_t length = sizeof ending - 1;
    struct wps_slice code = wps_headers_find(headers, "x-ms-error-code");

    return !code.length || (code.length >= length && memcmp(code.data + code.length - length, ending, length) == 0);
}

/* Only 2xx is success: redirects are not followed, for the token is good for one URL only. */
static bool is_failure(const struct wps_operation *operation, int status, struct wps_slice headers)
{
    if (operation->result == WPS_RESULT_EXISTS && status == 404)
        return !says_no(headers);
    return status < 200 || status > 299;
}

/* ------------------------------------------------------------------ wrong clocks */

/* Seconds. The service takes tokens whose time is off by 5 minutes; its answer may have been on its way for some. */
enum { CLOCK_TOLERANCE = 120 };
/* 2020-01-01 and 2100-01-01: a server whose time is another knows it no better than this machine. */
static const double earliest = 1577836800, latest = 4102444800;

static double distance(double one, double other)
{
    return one > other ? one - other : other - one;
}

/* Was the call refused because its token was signed by a clock that is wrong? Then `offset` is what must be added to
 * this machine's. */
static bool clock_is_wrong(const struct wps_call *call, struct wps_slice headers, double wall, double *offset)
{
    double date = wps_response_date(headers);

    if (call->response.status != 401 || !call->signed_at || date < earliest || date > latest
        || distance(date, call->signed_at) <= CLOCK_TOLERANCE)
        return false;
    *offset = distance(date, wall) <= CLOCK_TOLERANCE ? 0 : date - wall;
    return true;
}

/* Says in the error that the clocks differ. */
static void blame_clock(struct wps_call *call, struct wps_slice headers, double wall)
{
    double offset = wps_response_date(headers) - wall;

    if (call->response.status == 401 && (call->clock_corrected || distance(offset, 0) > CLOCK_TOLERANCE)
        && offset + wall >= earliest && offset + wall <= latest)
        snprintf(call->error.message, sizeof call->error.message,
                 "this machine's clock is %.0f s %s the service's", distance(offset, 0),
                 offset > 0 ? "behind" : "ahead of");
}

enum wps_step wps_call_response(struct wps_call *call, double now, double wall, double random,
                                enum wps_verdict verdict)
{
    struct wps_slice headers = { call->response.headers.data, call->response.headers.length };
    int status = call->response.status;
    bool is_error = verdict == WPS_VERDICT_DEFAULT ? is_failure(call->request.operation, status, headers)
                                                   : verdict != WPS_VERDICT_SUCCESS;

    if (headers.length && memchr(headers.data, '\0', headers.length)) /* whichever transport let it pass */
        return wps_call_failure(call, now, random, WPS_PROTOCOL, "malformed", "a header of the response has a NUL byte",
                                false);
    memset(&call->error, 0, sizeof call->error);
    call->retryable = false;
    call->clock_is_known = call->clock_corrected && status != 401;
    if (!is_error)
        return done(call, now);
    wps_fail(&call->error, WPS_SERVICE, NULL, "", "%s", "");
    call->retry_after = wps_retry_after(headers, wall);
    if (!call->challenged && wps_claims_challenge(status, headers, &call->claims)) {
        call->challenged = true;
        return next_attempt(call, now);
    }
    if (!call->clock_corrected && clock_is_wrong(call, headers, wall, &call->clock_offset)) {
        call->clock_corrected = true;
        return next_attempt(call, now);
    }
    blame_clock(call, headers, wall);
    if (call->claims.failed) {
        memset(&call->error, 0, sizeof call->error);
        wps_buffer_check(&call->claims, &call->error, "claims");
        return done(call, now);
    }
    call->retryable = verdict == WPS_VERDICT_RETRY || status_is_retryable(&call->limits.retry, status);
    return retry_or_give_up(call, now, random);
}

enum wps_step wps_call_failure(struct wps_call *call, double now, double random, enum wps_kind kind, const char *code,
                               const char *message, bool stale)
{
    memset(&call->error, 0, sizeof call->error);
    wps_fail(&call->error, kind, NULL, code, "%s", message);
    wps_response_free(&call->response);
    call->retry_after = -1;
    call->retryable = wps_code_find(kind, code)->retryable;
    call->fresh = true;
    if (kind == WPS_TIMEOUT && time_left(call, now) <= 0)
        return deadline_passed(call, now);
    if (stale && call->retryable && call->retried < call->limits.retry.retries) {
        call->retried++;
        return next_attempt(call, now);
    }
    return retry_or_give_up(call, now, random);
}

enum wps_step wps_call_disown(struct wps_call *call, double now)
{
    return wps_call_failure(call, now, 0, WPS_TRANSPORT, "forked",
                            "the call was started before fork() and belongs to the parent process", false);
}

enum wps_step wps_call_resume(struct wps_call *call, double now)
{
    if (now < call->wake) { /* woken early */
        call->seconds = call->wake - now;
        return call->step = WPS_WAIT;
    }
    return next_attempt(call, now);
}

void wps_call_free(struct wps_call *call)
{
    wps_request_free(&call->request);
    wps_response_free(&call->response);
    wps_buffer_free(&call->base_headers);
    wps_buffer_free(&call->claims);
}

void wps_call_recycle(struct wps_call *call)
{
    struct wps_buffer *const buffers[] = {
        &call->request.url, &call->request.target, &call->request.headers, &call->request.body, &call->request.query,
        &call->response.headers, &call->response.body, &call->base_headers, &call->claims,
    };
    enum { COUNT = sizeof buffers / sizeof buffers[0] };
    struct wps_buffer kept[COUNT];

    for (int i = 0; i < COUNT; i++) {
        wps_buffer_recycle(buffers[i]);
        kept[i] = *buffers[i];
    }
    memset(call, 0, sizeof *call);
    for (int i = 0; i < COUNT; i++)
        *buffers[i] = kept[i];
}

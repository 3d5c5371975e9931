/* http1_fuzz.c - responses that nobody meant to send, against the HTTP/1.1 codec.
 *
 *     http1_fuzz [SECONDS [SEED]]
 *
 * Well-formed and broken responses are mutated and joined; each result is read whole, byte by byte and at random
 * splits. Whatever it is, the outcome must be the same, within the limits, and stay what it is. Built with sanitizers,
 * it finds the rest. A failure prints the seed of the round and the bytes. */
#include <time.h>

#include "core/http1.h"
#include "messages.h"

/* ------------------------------------------------------------------ reading */

enum cut { WHOLE, BYTEWISE, ANYWHERE };

static enum wps_http1_progress read_message(struct wps_http1 *http, const struct message *message, enum cut cut,
                                            bool head, bool ends)
{
    const struct wps_http1_limits limits = { HEADER_BYTES, BODY_BYTES };
    const struct wps_http1_request request = { .method = wps_slice_of(head ? "HEAD" : "POST"),
                                               .target = wps_slice_of("/"), .host = wps_slice_of("h") };
    enum wps_http1_progress progress = WPS_HTTP1_MORE;

    if (wps_http1_request(http, &request, &limits))
        return WPS_HTTP1_FAILED;
    for (size_t at = 0; at < message->length;) {
        size_t left = message->length - at;
        size_t length = cut == WHOLE ? left : cut == BYTEWISE ? 1 : 1 + below(left < 40 ? left : 40);
        char *piece = malloc(length); /* of exactly that size, so that reading past it is seen */

        if (!piece)
            abort();
        memcpy(piece, message->bytes + at, length);
        progress = wps_http1_feed(http, piece, length);
        free(piece);
        at += length;
    }
    return ends ? wps_http1_end(http) : progress;
}

static bool within_limits(const struct wps_http1 *http, enum wps_http1_progress progress)
{
    if (http->head.length > HEADER_BYTES || http->body.length > BODY_BYTES)
        return false;
    if (progress == WPS_HTTP1_FAILED)
        return http->error.kind == WPS_PROTOCOL || http->error.kind == WPS_TRANSPORT;
    return progress == WPS_HTTP1_MORE
           || (http->status >= 200 && http->status <= 599 && http->headers.length <= http->head.length
               && !memchr(http->headers.data, '\0', http->headers.length)
               && !memchr(http->reason.data, '\r', http->reason.length));
}

static bool same_bytes(const struct wps_buffer *a, const struct wps_buffer *b)
{
    return a->length == b->length && memcmp(wps_buffer_string(a), wps_buffer_string(b), a->length) == 0;
}

static bool same_outcome(enum wps_http1_progress progress, const struct wps_http1 *a, const struct wps_http1 *b)
{
    switch (progress) {
    case WPS_HTTP1_MORE:
        return a->state == b->state;
    case WPS_HTTP1_FAILED:
        return a->error.kind == b->error.kind && strcmp(a->error.message, b->error.message) == 0;
    default:
        return a->status == b->status && a->keep_alive == b->keep_alive && wps_slice_equal(a->reason, b->reason)
               && wps_slice_equal(a->headers, b->headers) && same_bytes(&a->body, &b->body);
    }
}

static bool check(const struct message *message, struct wps_http1 *one, struct wps_http1 *other, size_t *outcomes)
{
    bool head = below(8) == 0, ends = below(2) == 0;
    enum wps_http1_progress expected = read_message(one, message, WHOLE, head, ends);
    bool good = within_limits(one, expected);

    outcomes[expected]++;
    for (enum cut cut = BYTEWISE; cut <= ANYWHERE && good; cut++)
        good = read_message(other, message, cut, head, ends) == expected && same_outcome(expected, one, other);
    if (good && expected == WPS_HTTP1_FAILED) /* for good */
        good = wps_http1_feed(other, "HTTP/1.1 204 \r\n\r\n", 17) == expected && same_outcome(expected, one, other);
    return good;
}

/* ------------------------------------------------------------------ running */

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    time_t stop = time(NULL) + seconds;
    struct wps_http1 one = { .status = 0 }, other = { .status = 0 };
    size_t outcomes[3] = { 0 }, rounds = 0;
    struct message message;
    bool good = true;

    while (good && (rounds % ROUNDS_A_LOOK || time(NULL) < stop)) {
        seed_round(seed + rounds);
        make_message(&message, MOST_CHANGES);
        good = check(&message, &one, &other, outcomes);
        if (!good)
            report(&message, seed + rounds);
        rounds++;
    }
    wps_http1_free(&one);
    wps_http1_free(&other);
    printf("http1: %zu messages: %zu incomplete, %zu whole, %zu refused%s\n", rounds, outcomes[WPS_HTTP1_MORE],
           outcomes[WPS_HTTP1_DONE], outcomes[WPS_HTTP1_FAILED], good ? "" : "; FAILED");
    return good && outcomes[WPS_HTTP1_DONE] && outcomes[WPS_HTTP1_FAILED] ? 0 : 1;
}

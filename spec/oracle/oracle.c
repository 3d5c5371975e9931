/* oracle.c - the same responses through our exchange and through libcurl's own HTTP.
 *
 *     oracle RESPONSES SEED
 *
 * Each response comes over a connection of its own, which ends after it. Prints the version of libcurl, how many
 * responses both took alike and both refused, and then a line for each way to differ: what differs, how often, the seed
 * of the first of them, and its bytes, with tabs between. `oracle 1 SEED` makes that one again. */
#include <curl/curl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/exchange.h"
#include "core/headers.h"
#include "../fuzz/messages.h"

enum { MOST_WAYS = 100, WAY_LENGTH = 160, FEW_CHANGES = 4, PATIENCE_MS = 5000 };

/* ------------------------------------------------------------------ what came of a response */

struct outcome {
    bool taken;
    char refusal[WAY_LENGTH];
    int status;
    struct wps_buffer headers; /* "name: value\n", trimmed */
    struct wps_buffer body;
};

static void forget(struct outcome *outcome)
{
    wps_buffer_free(&outcome->headers);
    wps_buffer_free(&outcome->body);
    memset(outcome, 0, sizeof *outcome);
}

static void add_header(struct outcome *outcome, struct wps_slice name, struct wps_slice value)
{
    wps_buffer_append(&outcome->headers, name.data, name.length);
    wps_buffer_append(&outcome->headers, ": ", 2);
    wps_buffer_append(&outcome->headers, value.data, value.length);
    wps_buffer_append(&outcome->headers, "\n", 1);
}

/* ------------------------------------------------------------------ through the exchange */

static void ask_exchange(struct wps_exchange *x, const struct message *message, bool head, struct outcome *outcome)
{
    struct wps_exchange_order order = {
        .request = { .method = wps_slice_of(head ? "HEAD" : "GET"), .target = wps_slice_of("/"),
                     .host = wps_slice_of("127.0.0.1") },
        .authority = wps_slice_of("x"), .patience = 60, .connect_seconds = 5, .seconds = 15,
    };
    struct wps_slice rest, name, value;

    wps_exchange_begin(x, &order, 0);
    wps_exchange_connected(x, false, 0);
    wps_exchange_wrote(x, wps_exchange_outgoing(x).length);
    wps_exchange_received(x, message->bytes, message->length);
    wps_exchange_ended(x);
    outcome->taken = !x->error.kind;
    if (!outcome->taken) {
        snprintf(outcome->refusal, sizeof outcome->refusal, "%.150s", x->error.message + sizeof "x: " - 1);
        return;
    }
    outcome->status = x->http.status;
    rest = x->http.headers;
    while (wps_headers_next(&rest, &name, &value))
        add_header(outcome, name, value);
    wps_buffer_append(&outcome->body, wps_buffer_string(&x->http.body), x->http.body.length);
}

/* ------------------------------------------------------------------ through libcurl */

static size_t take_body(char *data, size_t size, size_t count, void *outcome)
{
    wps_buffer_append(&((struct outcome *)outcome)->body, data, size * count);
    return size * count;
}

/* libcurl tells its headers since 7.84; those of an older one are not compared. */
#define TELLS_HEADERS (LIBCURL_VERSION_NUM >= 0x075400)

static void read_headers(CURL *easy, struct outcome *outcome)
{
#if TELLS_HEADERS
    struct curl_header *header = NULL;

    while ((header = curl_easy_nextheader(easy, CURLH_HEADER, -1, header)) != NULL)
        add_header(outcome, wps_slice_of(header->name), wps_slice_trim(wps_slice_of(header->value)));
#else
    (void)easy, (void)outcome;
#endif
}

static bool set_up(CURL *easy, const char *name, bool head, struct outcome *outcome)
{
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                                             \
    if (!code)                                                                                                         \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, "http://127.0.0.1/");
    SET(CURLOPT_ABSTRACT_UNIX_SOCKET, name);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_NOBODY, (long)head);
    SET(CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, outcome);
#undef SET
    return code == CURLE_OK;
}

/* Answers the connection that has been made, all at once, and ends it. */
static int answer(int listener, const struct message *message)
{
    int peer = accept(listener, NULL, NULL);

    if (peer >= 0
        && (send(peer, message->bytes, message->length, MSG_NOSIGNAL) != (ssize_t)message->length
            || shutdown(peer, SHUT_WR)))
        fprintf(stderr, "the response could not be sent\n");
    return peer;
}

static bool finish(CURLM *multi, CURL *easy, struct outcome *outcome)
{
    int running = 1, left;
    CURLMsg *done = NULL;
    long status = 0;

    while (running && !curl_multi_perform(multi, &running) && running)
        curl_multi_poll(multi, NULL, 0, PATIENCE_MS, NULL);
    done = curl_multi_info_read(multi, &left);
    if (!done)
        return false;
    outcome->taken = done->data.result == CURLE_OK;
    if (!outcome->taken) {
        snprintf(outcome->refusal, sizeof outcome->refusal, "%s", curl_easy_strerror(done->data.result));
        return true;
    }
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    outcome->status = (int)status;
    read_headers(easy, outcome);
    return true;
}

struct oracle {
    CURLM *multi;
    char name[32]; /* of an abstract socket */
    int listener;
};

static bool open_oracle(struct oracle *oracle)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int length = snprintf(oracle->name, sizeof oracle->name, "webpubsub-oracle-%ld", (long)getpid());

    memcpy(address.sun_path + 1, oracle->name, (size_t)length);
    oracle->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    oracle->multi = curl_multi_init();
    return oracle->multi && oracle->listener >= 0
           && !bind(oracle->listener, (struct sockaddr *)&address,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length))
           && !listen(oracle->listener, 1);
}

/* With a handle of its own: libcurl 7.88 loses control over its memory when one handle sees certain responses. */
static bool ask_libcurl(const struct oracle *oracle, const struct message *message, bool head, struct outcome *outcome)
{
    CURL *easy = curl_easy_init();
    int running = 0, peer = -1;
    bool good = easy && set_up(easy, oracle->name, head, outcome) && !curl_multi_add_handle(oracle->multi, easy)
                && !curl_multi_perform(oracle->multi, &running); /* connects at once */

    if (good)
        peer = answer(oracle->listener, message);
    good = peer >= 0 && finish(oracle->multi, easy, outcome);
    if (easy)
        curl_multi_remove_handle(oracle->multi, easy);
    curl_easy_cleanup(easy);
    if (peer >= 0)
        close(peer);
    return good;
}

/* ------------------------------------------------------------------ comparing */

static struct way {
    char words[WAY_LENGTH];
    size_t count;
    uint64_t seed;
    struct message first;
} ways[MOST_WAYS];
static size_t way_count;

static void note(const struct message *message, uint64_t seed, const char *what, const char *detail)
{
    char way[WAY_LENGTH];
    size_t i = 0;

    snprintf(way, sizeof way, "%s%.130s", what, detail);
    while (i < way_count && strcmp(ways[i].words, way) != 0)
        i++;
    if (i == MOST_WAYS)
        return;
    if (i == way_count) {
        way_count++;
        memcpy(ways[i].words, way, sizeof way);
        ways[i].seed = seed;
        ways[i].first = *message;
    }
    ways[i].count++;
}

static bool same(const struct wps_buffer *a, const struct wps_buffer *b)
{
    return a->length == b->length && memcmp(wps_buffer_string(a), wps_buffer_string(b), a->length) == 0;
}

/* "taken" or "refused" by both, or a way to differ. */
static void compare(const struct message *message, uint64_t seed, const struct outcome *ours,
                    const struct outcome *theirs, size_t *alike)
{
    if (!ours->taken && theirs->taken)
        note(message, seed, "only we refuse it: ", ours->refusal);
    else if (ours->taken && !theirs->taken)
        note(message, seed, "only libcurl refuses it: ", theirs->refusal);
    else if (ours->taken && ours->status != theirs->status)
        note(message, seed, "another status", "");
    else if (ours->taken && TELLS_HEADERS && !same(&ours->headers, &theirs->headers))
        note(message, seed, "other headers", "");
    else if (ours->taken && !same(&ours->body, &theirs->body))
        note(message, seed, "another body", "");
    else
        alike[ours->taken]++;
}

static void print_way(const struct way *way)
{
    printf("%s\t%zu\t%" PRIu64 "\t", way->words, way->count, way->seed);
    print_bytes(&way->first);
}

int main(int argc, char **argv)
{
    size_t responses = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000, alike[2] = { 0 };
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct wps_exchange x = { .keep = false };
    struct message message;
    struct oracle oracle = { .listener = -1 };
    bool good = !curl_global_init(CURL_GLOBAL_DEFAULT) && open_oracle(&oracle);

    for (size_t i = 0; i < responses && good; i++) {
        struct outcome ours = { .taken = false }, theirs = { .taken = false };
        bool head;
        seed_round(seed + i);
        make_message(&message, FEW_CHANGES);
        head = below(8) == 0;
        ask_exchange(&x, &message, head, &ours);
        good = ask_libcurl(&oracle, &message, head, &theirs);
        compare(&message, seed + i, &ours, &theirs, alike);
        forget(&ours);
        forget(&theirs);
    }
    wps_exchange_free(&x);
    printf("%s\t%zu\t%zu\n", curl_version_info(CURLVERSION_NOW)->version, alike[true], alike[false]);
    for (size_t i = 0; i < way_count; i++)
        print_way(&ways[i]);
    curl_multi_cleanup(oracle.multi);
    curl_global_cleanup();
    return good ? 0 : 1;
}

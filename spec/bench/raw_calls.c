/* raw_calls.c - the yardstick: one libcurl easy handle, reused, with the options and headers of the library's calls.
 *
 *     raw_calls same|fresh SECONDS URL HEADER...      prints calls per second
 *
 * same: one request is set once and sent over and over. fresh: as in real life, each call is for another user and has
 * an id of its own, so URL and header list are set for each; the token stays the same, for nothing is signed here. */
#define _POSIX_C_SOURCE 200809L

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t discard(char *data, size_t size, size_t count, void *ignored)
{
    (void)data;
    (void)ignored;
    return size * count;
}

static struct curl_slist *make_headers(int argc, char **argv, long call)
{
    struct curl_slist *headers = NULL;
    char id[64];

    for (int i = 4; i < argc; i++)
        headers = curl_slist_append(headers, argv[i]);
    snprintf(id, sizeof id, "x-ms-client-request-id: 00000000-0000-4000-8000-%012ld", call);
    return curl_slist_append(headers, id);
}

static void set_request(CURL *easy, int argc, char **argv, long call, struct curl_slist **headers)
{
    char url[1024];

    snprintf(url, sizeof url, "%s&call=%ld", argv[3], call);
    curl_slist_free_all(*headers);
    *headers = make_headers(argc, argv, call);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
}

static void set_options(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
}

int main(int argc, char **argv)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = NULL;
    double seconds = argc > 3 ? atof(argv[2]) : 0, start;
    bool fresh = argc > 3 && strcmp(argv[1], "fresh") == 0;
    long calls = 0, status = 0;

    set_options(easy);
    set_request(easy, argc, argv, 0, &headers);
    for (start = now(); now() - start < seconds; calls++) {
        if (fresh)
            set_request(easy, argc, argv, calls, &headers);
        if (curl_easy_perform(easy) != CURLE_OK || curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK
            || status != 204) {
            fprintf(stderr, "raw_calls: no 204\n");
            return 1;
        }
    }
    printf("%.1f\n", (double)calls / (now() - start));
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    return 0;
}

/* raw_calls.c - the yardstick: one libcurl easy handle, reused, with the options and headers of the library's calls.
 *
 *     raw_calls URL SECONDS HEADER...      prints calls per second */
#define _POSIX_C_SOURCE 200809L

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
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

int main(int argc, char **argv)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = NULL;
    double seconds = argc > 2 ? atof(argv[2]) : 0, start;
    long calls = 0, status = 0;

    for (int i = 3; i < argc; i++)
        headers = curl_slist_append(headers, argv[i]);
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    for (start = now(); now() - start < seconds; calls++) {
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

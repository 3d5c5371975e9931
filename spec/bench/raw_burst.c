/* raw_burst.c - the yardstick for bursts: all requests at once through a plain libcurl multi handle.
 *
 *     raw_burst COUNT CONNECTIONS URL      prints the seconds until all are answered; 0 connections: no limit */
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

static void add(CURLM *multi, const char *url)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 60000L);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_multi_add_handle(multi, easy);
}

/* Takes the finished transfers out; returns how many were answered with 204. */
static long collect(CURLM *multi)
{
    CURLMsg *message;
    long answered = 0, status;
    int queued;

    while ((message = curl_multi_info_read(multi, &queued))) {
        CURL *easy = message->easy_handle;

        if (message->data.result == CURLE_OK && curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
            answered += status == 204;
        curl_multi_remove_handle(multi, easy);
        curl_easy_cleanup(easy);
    }
    return answered;
}

int main(int argc, char **argv)
{
    CURLM *multi = curl_multi_init();
    long count = argc > 3 ? atol(argv[1]) : 0, answered = 0;
    int running = 1;
    double start = now();

    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, argc > 3 ? atol(argv[2]) : 0L);
    for (long i = 0; i < count; i++)
        add(multi, argv[3]);
    while (running) {
        curl_multi_perform(multi, &running);
        answered += collect(multi);
        if (running)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("%.4f\n", now() - start);
    curl_multi_cleanup(multi);
    return answered == count && count ? 0 : 1;
}

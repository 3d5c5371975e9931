/* raw_burst.c - the yardstick for bursts: all requests at once through a libcurl multi handle, over as many connections.
 *
 *     raw_burst COUNT CA|- BEFORE AFTER HEADER...      prints the seconds until all are answered; see yardstick.h */
#include "yardstick.h"

#include <stdio.h>
#include <stdlib.h>

static bool add(CURLM *multi, struct curl_slist **headers)
{
    CURL *easy = yardstick_transfer();

    return easy && yardstick_next(easy, headers) && curl_multi_add_handle(multi, easy) == CURLM_OK;
}

/* Takes the finished transfers out; returns how many were answered with 204. */
static long collect(CURLM *multi)
{
    CURLMsg *message;
    long answered = 0;
    int queued;

    while ((message = curl_multi_info_read(multi, &queued))) {
        CURL *easy = message->easy_handle;

        answered += yardstick_answered(easy, message->data.result);
        curl_multi_remove_handle(multi, easy);
        curl_easy_cleanup(easy);
    }
    return answered;
}

int main(int argc, char **argv)
{
    long count = argc > 2 ? atol(argv[1]) : 0, answered = 0;
    struct curl_slist **headers = calloc((size_t)count, sizeof *headers);
    CURLM *multi = curl_multi_init();
    bool ready = count && headers && multi && yardstick_open(argc - 2, argv + 2);
    double start = yardstick_now();
    int running = 1;

    for (long i = 0; ready && i < count; i++)
        ready = add(multi, &headers[i]);
    while (ready && running) {
        curl_multi_perform(multi, &running);
        answered += collect(multi);
        if (running)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("%.4f\n", yardstick_now() - start);
    return answered == count && ready ? 0 : 1; /* memory goes with the process */
}

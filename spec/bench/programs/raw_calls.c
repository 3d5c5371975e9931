/* raw_calls.c - the yardstick for calls one after another: one libcurl easy handle, used again.
 *
 *     raw_calls LIMIT CA|- BEFORE AFTER HEADER...      prints calls per second; see yardstick.h */
#include "yardstick.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct curl_slist *headers = NULL;
    bool ready = argc > 2 && yardstick_open(argc - 2, argv + 2);
    CURL *easy = ready ? yardstick_transfer() : NULL;
    double start = yardstick_now();
    long calls = 0;

    ready = easy != NULL;
    while (ready && !yardstick_over(argv[1], calls, start)) {
        ready = yardstick_next(easy, &headers) && yardstick_answered(easy, curl_easy_perform(easy));
        calls++;
    }
    if (ready)
        printf("%.1f\n", (double)calls / (yardstick_now() - start));
    else
        fprintf(stderr, "raw_calls: no 204\n");
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return ready ? 0 : 1;
}

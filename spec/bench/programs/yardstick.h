/* yardstick.h - what the programs over plain libcurl share: a signed request of the library's, as many bytes long, and a
 * transfer that sends it. Nothing here is slower than it must be: the key is set once, and the id is a number. */
#ifndef BENCH_YARDSTICK_H
#define BENCH_YARDSTICK_H

#include <curl/curl.h>
#include <stdbool.h>

/* From the words CA|- BEFORE AFTER HEADER...: the URL is BEFORE, the user, AFTER. False where they are too few. */
bool yardstick_open(int count, char **words);

/* A transfer with the options that the library's calls have. */
CURL *yardstick_transfer(void);

/* Sets URL, token, id and headers of one more request; `headers` is the list of the transfer's last one. False without
 * memory. */
bool yardstick_next(CURL *easy, struct curl_slist **headers);

/* Was it answered with 204? */
bool yardstick_answered(CURL *easy, CURLcode result);

double yardstick_now(void);

/* LIMIT of a program's command line, "1.5s" or a number of calls: is it reached, when `calls` were made since `start`? */
bool yardstick_over(const char *limit, long calls, double start);

#endif

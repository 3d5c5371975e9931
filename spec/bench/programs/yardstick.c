/* yardstick.c - see yardstick.h. */
#define _POSIX_C_SOURCE 200809L

#include "yardstick.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { URL_BYTES = 1024, TOKEN_BYTES = 2048, LIFETIME = 300, FIRST_USER = 1000, OWN_WORDS = 3 };

static const char key[] = "a key of the usual length, 44 characters long";
static const char token_header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."; /* {"alg":"HS256","typ":"JWT"} */

static const char *ca, *before, *after;
static char **header_words;
static int header_count;
static long requests;
static EVP_MAC_CTX *mac;

static size_t discard(char *data, size_t size, size_t count, void *ignored)
{
    (void)data;
    (void)ignored;
    return size * count;
}

bool yardstick_open(int count, char **words)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end() };
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);

    if (count < OWN_WORDS || !algorithm)
        return false;
    ca = strcmp(words[0], "-") ? words[0] : NULL;
    before = words[1];
    after = words[2];
    header_words = words + OWN_WORDS;
    header_count = count - OWN_WORDS;
    mac = EVP_MAC_CTX_new(algorithm);
    return mac && EVP_MAC_init(mac, (const unsigned char *)key, sizeof key - 1, parameters);
}

CURL *yardstick_transfer(void)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 60000L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 60000L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    return easy;
}

/* Appends `length` bytes as base64url, without padding; returns the end of what is there then. */
static char *append_base64(char *end, const void *bytes, size_t length)
{
    char *start = end;

    end += EVP_EncodeBlock((unsigned char *)end, bytes, (int)length);
    for (char *at = start; at < end; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    while (end > start && end[-1] == '=')
        end--;
    return end;
}

static bool sign(const char *url, char *token)
{
    char claims[URL_BYTES + 64];
    unsigned char sum[EVP_MAX_MD_SIZE];
    size_t sum_length = 0;
    long issued = (long)time(NULL);
    int length = snprintf(claims, sizeof claims, "{\"aud\":\"%s\",\"iat\":%ld,\"exp\":%ld}", url, issued, issued + LIFETIME);
    char *signed_part = token + snprintf(token, TOKEN_BYTES, "Authorization: Bearer %s", token_header), *end;

    end = append_base64(signed_part, claims, (size_t)length);
    signed_part -= sizeof token_header - 1;
    if (!EVP_MAC_init(mac, NULL, 0, NULL) || !EVP_MAC_update(mac, (unsigned char *)signed_part, (size_t)(end - signed_part))
        || !EVP_MAC_final(mac, sum, &sum_length, sizeof sum))
        return false;
    *end++ = '.';
    *append_base64(end, sum, sum_length) = '\0';
    return true;
}

static bool append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer)
        *list = longer;
    return longer != NULL;
}

bool yardstick_next(CURL *easy, struct curl_slist **headers)
{
    char url[URL_BYTES], token[TOKEN_BYTES], id[64];
    long number = requests++;
    bool done;

    snprintf(url, sizeof url, "%suser-%ld%s", before, FIRST_USER + number, after);
    snprintf(id, sizeof id, "x-ms-client-request-id: 00000000-0000-4000-8000-%012ld", number);
    curl_slist_free_all(*headers);
    *headers = NULL;
    done = sign(url, token) && append(headers, "Content-Type:") && append(headers, id) && append(headers, token);
    for (int i = 0; i < header_count; i++)
        done = done && append(headers, header_words[i]);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    return done;
}

bool yardstick_answered(CURL *easy, CURLcode result)
{
    long status = 0;

    return result == CURLE_OK && curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 204;
}

double yardstick_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

bool yardstick_over(const char *limit, long calls, double start)
{
    return strchr(limit, 's') ? yardstick_now() - start >= atof(limit) : calls >= atol(limit);
}

/* curl/failure.c - libcurl's failures in this library's words. Messages name the origin and never the path, which
 * holds ids of users and connections. */
#include "curl/engine_private.h"

#include <stdio.h>
#include <string.h>

struct failure {
    enum wps_kind kind;
    const char *code;
    const char *sentence;
    const char *advice; /* "": none */
};

static const struct failure resolve = { WPS_TRANSPORT, "resolve", "its name could not be resolved",
                                        "check the endpoint's spelling and this machine's name service" };
static const struct failure connecting = { WPS_TRANSPORT, "connect", "no connection could be made",
                                           "check the endpoint, and that this machine may reach it" };
static const struct failure proxy = { WPS_TRANSPORT, "proxy", "the proxy did not connect",
                                      "check the proxy option or the proxy variables of the environment" };
static const struct failure tls = {
    WPS_TRANSPORT, "tls", "no TLS session could be agreed on",
    "check that the port speaks TLS 1.2 or newer, and whether it wants another client_cert" };
static const struct failure tls_ca_file = { WPS_TRANSPORT, "tls", "the CA certificates could not be loaded",
                                            "ca_file must be a file of PEM certificates" };
static const struct failure tls_client_cert = {
    WPS_TRANSPORT, "tls", "the client certificate could not be loaded",
    "client_cert and client_key must be PEM files that belong together, client_key_password the key's password" };
static const struct failure untrusted = { WPS_TRANSPORT, "certificate", "its certificate is not trusted",
                                          "set ca_file to the certificate of the CA that signed it" };
static const struct failure wrong_name = { WPS_TRANSPORT, "certificate", "its certificate is for another name",
                                           "the endpoint must name the host as the certificate does" };
static const struct failure wrong_date = { WPS_TRANSPORT, "certificate", "its certificate is not valid today",
                                           "it must be renewed, or this machine's clock set right" };
static const struct failure closed = { WPS_TRANSPORT, "closed", "the connection was closed before the response was "
                                       "complete", "" };
static const struct failure malformed = { WPS_PROTOCOL, "malformed", "the response is not valid HTTP", "" };
static const struct failure long_header = { WPS_PROTOCOL, "too_large", "a header line of the response is longer than "
                                            "libcurl takes, or memory ran out over it", "" };
static const struct failure no_memory = { WPS_NO_MEMORY, "memory", "not enough memory", "" };
static const struct failure other = { WPS_TRANSPORT, "failed", "the exchange failed", "" };

static const struct {
    CURLcode curl;
    const struct failure *failure;
} table[] = {
    { CURLE_COULDNT_RESOLVE_HOST, &resolve },
    { CURLE_COULDNT_CONNECT, &connecting },
    { CURLE_COULDNT_RESOLVE_PROXY, &proxy },
    { CURLE_PROXY, &proxy },
    { CURLE_SSL_CONNECT_ERROR, &tls },
    { CURLE_SSL_CIPHER, &tls },
#if LIBCURL_VERSION_NUM >= 0x074d00
    { CURLE_SSL_CLIENTCERT, &tls },
#endif
    { CURLE_SSL_CACERT_BADFILE, &tls_ca_file },
    { CURLE_SSL_CERTPROBLEM, &tls_client_cert },
    { CURLE_PEER_FAILED_VERIFICATION, &untrusted },
    { CURLE_GOT_NOTHING, &closed },
    { CURLE_SEND_ERROR, &closed },
    { CURLE_RECV_ERROR, &closed },
    { CURLE_PARTIAL_FILE, &closed },
    { CURLE_HTTP2_STREAM, &closed },
    { CURLE_HTTP2, &malformed },
    { CURLE_WEIRD_SERVER_REPLY, &malformed },
    { CURLE_UNSUPPORTED_PROTOCOL, &malformed }, /* HTTP/0.9, or a version nobody knows */
    { CURLE_OUT_OF_MEMORY, &no_memory },
};

/* Where one CURLcode stands for several things, the state of the exchange and libcurl's words tell them apart. */
static const struct failure *find_failure(const struct wps_exchange *exchange, CURLcode code)
{
    const char *words = exchange->handle->words;
    const struct failure *found = &other;
    long connect_status = 0;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].curl == code)
            found = table[i].failure;

    curl_easy_getinfo(exchange->handle->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (connect_status >= 300 || (found == &connecting && exchange->profile->proxy_from == WPS_PROXY_GIVEN))
        return &proxy;
    if (found == &closed && strstr(words, "chunked-encoding"))
        return &malformed;
    if (found == &closed && strstr(words, " alert "))
        return &tls; /* TLS 1.3 hears of a rejected client certificate only after its handshake */
    if (found == &untrusted && strstr(words, "subject name"))
        return &wrong_name;
    if (found == &untrusted && (strstr(words, "expired") || strstr(words, "not yet valid")))
        return &wrong_date;
    if (found == &no_memory && exchange->sent && exchange->stage != WPS_AT_BODY)
        return &long_header; /* which libcurl 7.88 calls out of memory, too */
    return found;
}

/* Servers have a hand in libcurl's words, and messages go to terminals. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

static void fail_by_time(struct wps_exchange *exchange)
{
    const char *authority = wps_buffer_string(&exchange->profile->authority);
    long connect_limit = exchange->profile->connect_timeout;
    bool connecting_was_shorter = connect_limit < exchange->timeout - exchange->queued;

    if (exchange->sent)
        wps_fail(&exchange->error, WPS_TIMEOUT, NULL, "attempt_timeout", "%s: no complete response within %g s",
                 authority, (double)exchange->timeout / 1000);
    else
        wps_fail(&exchange->error, WPS_TIMEOUT, NULL, "connect_timeout", "%s: not connected within %g s (%s)",
                 authority, (double)(connecting_was_shorter ? connect_limit : exchange->timeout) / 1000,
                 connecting_was_shorter ? "connect_timeout" : "all the time the request had");
}

void wps_exchange_fail(struct wps_exchange *exchange, CURLcode code)
{
    char *words = exchange->handle->words;
    const struct failure *failure;

    if (exchange->error.kind)
        return;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        fail_by_time(exchange);
        return;
    }
    failure = find_failure(exchange, code);
    make_printable(words);
    wps_fail(&exchange->error, failure->kind, NULL, failure->code, "%s: %s%s%s (%s)",
             wps_buffer_string(&exchange->profile->authority), failure->sentence, *failure->advice ? "; " : "",
             failure->advice, *words ? words : curl_easy_strerror(code));
}

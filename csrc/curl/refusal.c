/* curl/refusal.c - why a connection could not be opened. Numbers decide, never libcurl's words: those change from one
 * version to the next, and are only quoted. Messages name the origin and never the path, which holds ids of users and
 * connections. */
#include "curl/opening.h"

#include <stdio.h>

#include "curl/library.h"

struct reason {
    const char *code;
    const char *sentence;
    const char *advice; /* NULL: none */
};

static const struct reason resolve = { "resolve", "its name could not be resolved",
                                       "check the endpoint's spelling and this machine's name service" };
static const struct reason connecting = { "connect", "no connection could be made",
                                          "check the endpoint, and that this machine may reach it" };
static const struct reason proxy = { "proxy", "the proxy did not connect",
                                     "check the proxy option or the proxy variables of the environment" };
static const struct reason proxy_refused = { "proxy", "the proxy refused the tunnel",
                                             "check that it may connect to this host and port" };
static const struct reason proxy_login = { "proxy", "the proxy asks for another login",
                                           "give it as scheme://user:password@host:port in the proxy option" };
static const struct reason proxy_untrusted = { "proxy", "the proxy's certificate is not trusted, or for another name",
                                               "set ca_file to the certificate of the CA that signed it" };
static const struct reason tls = {
    "tls", "no TLS session could be agreed on",
    "check that the port speaks TLS 1.2 or newer, and whether it wants another client_cert" };
static const struct reason tls_ca_file = { "tls", "the CA certificates could not be loaded",
                                           "ca_file must be a file of PEM certificates" };
static const struct reason tls_client_cert = {
    "tls", "the client certificate could not be loaded",
    "client_cert and client_key must be PEM files that belong together, client_key_password the key's password" };
static const struct reason untrusted = { "certificate", "its certificate is not trusted",
                                         "set ca_file to the certificate of the CA that signed it" };
static const struct reason wrong_name = { "certificate", "its certificate is for another name",
                                          "the endpoint must name the host as the certificate does" };
static const struct reason wrong_date = { "certificate", "its certificate is not valid today",
                                          "it must be renewed, or this machine's clock set right" };
static const struct reason descriptors = { "descriptors", WPS_DESCRIPTORS_EXHAUSTED, NULL };
static const struct reason other = { "failed", "the connection failed", NULL };

static const struct {
    CURLcode curl;
    const struct reason *reason;
} table[] = {
    { CURLE_COULDNT_RESOLVE_HOST, &resolve },
    { CURLE_COULDNT_CONNECT, &connecting },
    { CURLE_OPERATION_TIMEDOUT, &connecting },
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
};

static long number(const struct wps_opening *opening, CURLINFO info)
{
    long value = 0;

    return curl_easy_getinfo(opening->easy, info, &value) ? 0 : value;
}

/* no_proxy may have spared this origin: then its own port was connected to. */
static bool by_proxy(const struct wps_opening *opening)
{
    return opening->profile->proxy.length
           && (!opening->profile->no_proxy.length || opening->port != opening->profile->port);
}

/* As OpenSSL numbers what is wrong with a certificate. Names are libcurl's to compare, when OpenSSL is content and before
 * libcurl has noted that. */
static const struct reason *certificate_reason(const struct wps_opening *opening)
{
    enum { TRUSTED = 0, UNSPECIFIED = 1, NOT_YET_VALID = 9, EXPIRED = 10, OTHER_NAME = 62, OTHER_ADDRESS = 64 };

    switch (number(opening, CURLINFO_SSL_VERIFYRESULT)) {
    case NOT_YET_VALID:
    case EXPIRED:
        return &wrong_date;
    case TRUSTED:
    case UNSPECIFIED:
    case OTHER_NAME:
    case OTHER_ADDRESS:
        return &wrong_name;
    default:
        return &untrusted;
    }
}

/* While the proxy has not opened the way, whatever fails is between us and it. */
static const struct reason *proxy_reason(const struct wps_opening *opening, const struct reason *found)
{
    enum { LOGIN_NEEDED = 407 };
    long answer = number(opening, CURLINFO_HTTP_CONNECTCODE);

    if (answer == LOGIN_NEEDED)
        return &proxy_login;
    if (answer >= 300)
        return &proxy_refused;
    if (answer >= 200 || found == &tls_ca_file || found == &tls_client_cert)
        return found;
    return found == &untrusted ? &proxy_untrusted : &proxy;
}

static const struct reason *find_reason(const struct wps_opening *opening)
{
    const struct reason *found = opening->profile->secure ? &tls : &other;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].curl == opening->code)
            found = table[i].reason;
    if (opening->exhausted || (found != &tls && wps_descriptors_exhausted()))
        return &descriptors;
    if (found == &resolve || found == &proxy)
        return found;
    if (by_proxy(opening) && (found == &connecting || !opening->profile->socks))
        found = proxy_reason(opening, found);
    return found == &untrusted ? certificate_reason(opening) : found;
}

/* Servers have a hand in libcurl's words, and messages go to terminals. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = ' ';
}

void wps_connection_explain(const struct wps_connection *connection, struct wps_refusal *refusal)
{
    const struct wps_opening *opening = connection->opening;
    const struct reason *reason = find_reason(opening);
    const char *words = *opening->words ? opening->words : curl_easy_strerror(opening->code);

    refusal->exhausted = reason == &descriptors;
    refusal->code = opening->code == CURLE_OUT_OF_MEMORY && reason != &descriptors ? NULL : reason->code;
    snprintf(refusal->words, sizeof refusal->words, "%s%s%s (%s)", reason->sentence, reason->advice ? "; " : "",
             reason->advice ? reason->advice : "", words);
    make_printable(refusal->words);
}

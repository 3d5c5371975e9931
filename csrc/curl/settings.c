/* curl/settings.c - a profile in libcurl's options. */
#include "curl/opening.h"

#include "curl/library.h"
#include "curl/trust.h"

static const char *text_or_null(const struct wps_buffer *buffer)
{
    return buffer->length ? buffer->data : NULL;
}

static CURLcode apply_client_certificate(const struct wps_profile *profile, CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLCERT, profile->client_cert.path.data);

    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_SSLKEY, text_or_null(&profile->client_key.path));
    if (!code) /* set even when empty, or OpenSSL asks for it at the terminal */
        code = curl_easy_setopt(easy, CURLOPT_KEYPASSWD, wps_buffer_string(&profile->client_key_password));
    if (!code) /* servers that ask for one and have no context for sessions refuse those that are resumed */
        code = curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    return code;
}

/* ------------------------------------------------------------------ the way */

/* Both are always set, for libcurl would ask the environment. */
static CURLcode apply_proxy(const struct wps_profile *profile, CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXY, wps_buffer_string(&profile->proxy));

    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, wps_buffer_string(&profile->no_proxy));
    return code;
}

static CURLcode apply_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* Ours is the deadline, and it comes before libcurl's; which still sees to it that a first address that hangs leaves
 * time for a second one. */
static CURLcode apply_timeout(const struct wps_profile *profile, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)wps_milliseconds(profile->connect_timeout + 1));
}

CURLcode wps_opening_apply(struct wps_profile *profile, CURL *easy)
{
    static const struct {
        CURLoption option;
        long value;
    } switches[] = {
        { CURLOPT_CONNECT_ONLY, 1 },
        { CURLOPT_HTTPPROXYTUNNEL, 1 },
        { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 }, /* or a server that offers HTTP/2 is greeted in it */
        { CURLOPT_SSL_VERIFYPEER, 1 },
        { CURLOPT_SSL_VERIFYHOST, 2 }, /* the name too */
        { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 }, /* or newer */
        { CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
        { CURLOPT_FOLLOWLOCATION, 0 },
        { CURLOPT_NETRC, CURL_NETRC_IGNORED },
        { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
        { CURLOPT_BUFFERSIZE, 4096 },
        { CURLOPT_TCP_NODELAY, 1 },
        { CURLOPT_TCP_KEEPALIVE, 1 },
        { CURLOPT_NOSIGNAL, 1 },
        { CURLOPT_MAXAGE_CONN, 1000000000 }, /* seconds; whose age matters is decided elsewhere */
#if LIBCURL_VERSION_NUM >= 0x075700
        { CURLOPT_QUICK_EXIT, 1 }, /* a name server that hangs must not hold up a timeout or a cancellation */
#endif
    };
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, wps_buffer_string(&profile->origin));

    for (size_t i = 0; !code && i < sizeof switches / sizeof switches[0]; i++)
        code = curl_easy_setopt(easy, switches[i].option, switches[i].value);
    if (!code)
        code = apply_timeout(profile, easy);
    if (!code)
        code = apply_protocols(easy);
    if (!code && profile->layered)
        code = (CURLcode)wps_trust_apply(profile, easy);
    if (!code && profile->client_cert.path.length)
        code = apply_client_certificate(profile, easy);
    if (!code)
        code = apply_proxy(profile, easy);
    return code;
}

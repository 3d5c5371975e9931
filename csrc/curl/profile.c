/* curl/profile.c - the settings towards one origin: checked, kept, and applied to libcurl's easy handles. */
#include "curl/engine_private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ checks */

/* Failures never quote a URL: user names and passwords are kept in some. */
static enum wps_kind url_failure(CURLUcode code, const char *option, const char *expected, struct wps_error *error)
{
    if (code == CURLUE_OUT_OF_MEMORY)
        return wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    return wps_fail(error, WPS_ARGUMENT, option, "invalid", "%s must be %s", option, expected);
}

/* CURLUE_OK where the URL is a scheme, a host and a port and has nothing else. */
static CURLUcode check_bare(CURLU *url)
{
    static const CURLUPart unwanted[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT };
    char *part = NULL;
    CURLUcode code = curl_url_get(url, CURLUPART_PATH, &part, 0);

    if (!code && strcmp(part, "/") != 0)
        code = CURLUE_MALFORMED_INPUT;
    for (size_t i = 0; !code && i < sizeof unwanted / sizeof unwanted[0]; i++) {
        curl_free(part);
        part = NULL;
        if (!curl_url_get(url, unwanted[i], &part, 0))
            code = CURLUE_MALFORMED_INPUT;
    }
    curl_free(part);
    return code;
}

static enum wps_kind profile_origin(struct wps_profile *profile, const char *text, struct wps_error *error)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *url = profile->url = curl_url();
    CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;

    if (!code)
        code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    if (!code)
        code = curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (!code)
        code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (!code)
        code = check_bare(url);
    if (!code && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        code = CURLUE_UNSUPPORTED_SCHEME;
    if (code) {
        url_failure(code, "origin", "https://host[:port] or http://host[:port], without path, query or user", error);
    } else {
        wps_buffer_text(&profile->authority, host);
        wps_buffer_text(&profile->authority, ":");
        wps_buffer_text(&profile->authority, port);
        wps_buffer_text(&profile->origin, scheme);
        wps_buffer_text(&profile->origin, "://");
        wps_buffer_text(&profile->origin, wps_buffer_string(&profile->authority));
        wps_buffer_check(&profile->authority, error, "origin");
        wps_buffer_check(&profile->origin, error, "origin");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return error->kind;
}

static bool any_variable(const char *const *names)
{
    for (; *names; names++) {
        const char *value = getenv(*names);
        if (value && *value)
            return true;
    }
    return false;
}

static enum wps_kind check_proxy(const char *text, struct wps_error *error)
{
    static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5", "socks5h" };
    char *scheme = NULL;
    CURLU *url = curl_url();
    CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) : CURLUE_OUT_OF_MEMORY;
    bool known = false;

    if (!code)
        code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    for (size_t i = 0; !code && i < sizeof schemes / sizeof schemes[0]; i++)
        known = known || strcmp(scheme, schemes[i]) == 0;
    if (code || !known)
        url_failure(code, "proxy", "scheme://[user:password@]host[:port], with scheme http, https, socks4, socks4a, "
                    "socks5 or socks5h", error);
    curl_free(scheme);
    curl_url_cleanup(url);
    return error->kind;
}

/* Decides once where a proxy may come from: without one, libcurl need not search the environment for each exchange.
 *
 * An HTTP proxy between us and an http:// origin wants the absolute form, "POST http://host/path". libcurl writes it
 * when the target stands in CURLOPT_URL (and drops the `?` of an empty query, nothing else), but sends
 * CURLOPT_REQUEST_TARGET as it is. Whether no_proxy spares this origin only libcurl knows, so the mere possibility of
 * a proxy decides. */
static enum wps_kind profile_proxy(struct wps_profile *profile, const struct wps_profile_options *options,
                                   struct wps_error *error)
{
    static const char *const for_https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
    static const char *const for_http[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
    bool secure = strncmp(wps_buffer_string(&profile->origin), "https:", 6) == 0;

    if (options->proxy && !options->no_proxy) {
        check_proxy(options->proxy, error);
        profile->proxy_from = WPS_PROXY_GIVEN;
    } else if (!options->no_proxy && any_variable(secure ? for_https : for_http)) {
        profile->proxy_from = WPS_PROXY_ENVIRONMENT;
    }
    profile->whole_url = !secure && profile->proxy_from != WPS_PROXY_NONE;
    return error->kind;
}

static enum wps_kind check_file(const char *option, const char *path, struct wps_error *error)
{
    char byte;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, &byte, 1) : -1;
    const char *reason = length < 0 ? strerror(errno) : "it is empty";

    if (file >= 0)
        close(file);
    if (length < 1)
        return wps_fail(error, WPS_ARGUMENT, option, "unreadable", "%s: cannot read %s: %s", option, path, reason);
    return WPS_OK;
}

static enum wps_kind keep(struct wps_buffer *buffer, const char *name, const char *text, struct wps_error *error)
{
    if (text)
        wps_buffer_text(buffer, text);
    return wps_buffer_check(buffer, error, name);
}

static enum wps_kind keep_file(struct wps_buffer *buffer, const char *name, const char *path, struct wps_error *error)
{
    if (path && !error->kind)
        check_file(name, path, error);
    return keep(buffer, name, path, error);
}

/* ------------------------------------------------------------------ life */

struct wps_profile *wps_profile_create(const struct wps_profile_options *options, struct wps_error *error)
{
    struct wps_profile *profile = NULL;

    if (wps_curl_initialise())
        wps_fail(error, WPS_TRANSPORT, NULL, "failed", "libcurl could not be initialised");
    else if (!(profile = calloc(1, sizeof *profile)))
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    if (!profile)
        return NULL;
    profile->references = 1;
    profile->http2 = options->http2;
    profile->max_connections = options->max_connections;
    profile->connect_timeout = wps_milliseconds(options->connect_timeout);
    profile->max_response_bytes = options->max_response_bytes;
    profile->max_header_bytes = options->max_header_bytes;

    if (!options->client_cert && (options->client_key || options->client_key_password))
        wps_fail(error, WPS_ARGUMENT, "client_cert", "missing",
                 "client_key and client_key_password are of use with client_cert only");
    keep_file(&profile->ca_file, "ca_file", options->ca_file, error);
    keep_file(&profile->client_cert, "client_cert", options->client_cert, error);
    keep_file(&profile->client_key, "client_key", options->client_key, error);
    keep(&profile->client_key_password, "client_key_password", options->client_key_password, error);
    keep(&profile->proxy, "proxy", options->proxy, error);
    if (!error->kind && !profile_origin(profile, options->origin, error))
        profile_proxy(profile, options, error);
    if (error->kind) {
        wps_profile_release(profile);
        profile = NULL;
    }
    return profile;
}

bool wps_profile_multiplexes(const struct wps_profile *profile)
{
    return profile->http2 && strncmp(wps_buffer_string(&profile->origin), "https:", 6) == 0;
}

struct wps_profile *wps_profile_hold(struct wps_profile *profile)
{
    __atomic_add_fetch(&profile->references, 1, __ATOMIC_RELAXED);
    return profile;
}

void wps_profile_release(struct wps_profile *profile)
{
    if (!profile || __atomic_sub_fetch(&profile->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    wps_buffer_free(&profile->origin);
    wps_buffer_free(&profile->authority);
    curl_url_cleanup(profile->url);
    wps_buffer_free(&profile->ca_file);
    wps_buffer_free(&profile->client_cert);
    wps_buffer_free(&profile->client_key);
    wps_buffer_free(&profile->client_key_password);
    wps_buffer_free(&profile->proxy);
    free(profile);
}

/* ------------------------------------------------------------------ application */

static const char *text_or_null(const struct wps_buffer *buffer)
{
    return buffer->length ? buffer->data : NULL;
}

/* "002c0b4f.0", as c_rehash names the links that OpenSSL looks certificates up by. */
static bool is_hashed_name(const char *name)
{
    size_t i = 0;

    while (i < 8 && isxdigit((unsigned char)name[i]))
        i++;
    return i == 8 && name[8] == '.' && isdigit((unsigned char)name[9]);
}

static bool system_directory_hashed; /* written once, by look_at_system_directory() */

static void look_at_system_directory(void)
{
    const char *path = curl_version_info(CURLVERSION_NOW)->capath;
    DIR *directory = path ? opendir(path) : NULL;
    struct dirent *entry;

    while (directory && !system_directory_hashed && (entry = readdir(directory)))
        system_directory_hashed = is_hashed_name(entry->d_name);
    if (directory)
        closedir(directory);
}

/* A bundle is parsed for every new connection, tens of milliseconds each time, unless CAPATH is unset: then libcurl
 * keeps what it has parsed. A hashed directory is better still, for only the one CA that is needed is read. So there is
 * always one of the two and never both. */
static CURLcode apply_trust(const struct wps_profile *profile, CURL *easy)
{
    static pthread_once_t looked = PTHREAD_ONCE_INIT;
    const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
    const char *file = text_or_null(&profile->ca_file);
    const char *directory = NULL;
    CURLcode code;

    pthread_once(&looked, look_at_system_directory);
    if (!file && system_directory_hashed)
        directory = built->capath;
    else if (!file)
        file = built->cainfo;
    if (!file && !directory)
        return CURLE_OK; /* a TLS library with a store of its own */

    code = curl_easy_setopt(easy, CURLOPT_CAINFO, file);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, file);
    if (!code && built->capath)
        code = curl_easy_setopt(easy, CURLOPT_CAPATH, directory);
    if (!code && built->capath)
        code = curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, directory);
    return code;
}

static CURLcode apply_client_certificate(const struct wps_profile *profile, CURL *easy)
{
    CURLcode code = CURLE_OK;

    if (profile->client_cert.length) {
        code = curl_easy_setopt(easy, CURLOPT_SSLCERT, profile->client_cert.data);
        if (!code)
            code = curl_easy_setopt(easy, CURLOPT_SSLKEY, text_or_null(&profile->client_key));
        if (!code) /* set even when empty, or OpenSSL asks for it at the terminal */
            code = curl_easy_setopt(easy, CURLOPT_KEYPASSWD, wps_buffer_string(&profile->client_key_password));
    }
    return code;
}

static CURLcode apply_proxy(const struct wps_profile *profile, CURL *easy)
{
    CURLcode code = CURLE_OK;

    if (profile->proxy_from == WPS_PROXY_NONE) {
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* unlike an empty CURLOPT_PROXY, asks no variable */
    } else if (profile->proxy_from == WPS_PROXY_GIVEN) {
        code = curl_easy_setopt(easy, CURLOPT_PROXY, profile->proxy.data);
        if (!code) /* what a program asks for outranks the environment's no_proxy */
            code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    }
    return code;
}

static CURLcode apply_protocols(const struct wps_profile *profile, CURL *easy)
{
    bool http2 = profile->http2 && (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2);
    long version = http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1;
#if LIBCURL_VERSION_NUM >= 0x075500
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif

    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    return code;
}

CURLcode wps_profile_apply(const struct wps_profile *profile, CURL *easy)
{
    static const struct {
        CURLoption option;
        long value;
    } switches[] = {
        { CURLOPT_SSL_VERIFYPEER, 1 },
        { CURLOPT_SSL_VERIFYHOST, 2 }, /* the name too */
        { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 }, /* or newer */
        { CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
        { CURLOPT_FOLLOWLOCATION, 0 },
        { CURLOPT_HTTP09_ALLOWED, 0 },
        { CURLOPT_NETRC, CURL_NETRC_IGNORED },
        { CURLOPT_PATH_AS_IS, 1 },
        { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
        { CURLOPT_BUFFERSIZE, 4096 },
        { CURLOPT_TCP_NODELAY, 1 },
        { CURLOPT_TCP_KEEPALIVE, 1 },
        { CURLOPT_NOSIGNAL, 1 },
#if LIBCURL_VERSION_NUM >= 0x075700
        { CURLOPT_QUICK_EXIT, 1 }, /* a name server that hangs must not hold up a timeout or a cancellation */
#endif
    };
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, profile->connect_timeout);

    for (size_t i = 0; !code && i < sizeof switches / sizeof switches[0]; i++)
        code = curl_easy_setopt(easy, switches[i].option, switches[i].value);
    if (!code && !profile->whole_url) /* as a handle, or libcurl parses it for each exchange; it only reads it */
        code = curl_easy_setopt(easy, CURLOPT_CURLU, profile->url);
    if (!code)
        code = apply_protocols(profile, easy);
    if (!code)
        code = apply_trust(profile, easy);
    if (!code)
        code = apply_client_certificate(profile, easy);
    if (!code)
        code = apply_proxy(profile, easy);
    return code;
}

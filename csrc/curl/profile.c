/* curl/profile.c - the settings towards one origin: checked, kept, and found again. */
#include "curl/profile.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "curl/library.h"
#include "curl/trust.h"

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
        code = curl_url_get(url, unwanted[i], &part, 0);
        if (part)
            code = CURLUE_MALFORMED_INPUT;
        else if (code != CURLUE_OUT_OF_MEMORY)
            code = CURLUE_OK; /* it is not there */
    }
    curl_free(part);
    return code;
}

/* NULL where it goes without saying. */
static CURLUcode written_port_of(CURLU *url, char **port)
{
    CURLUcode code = curl_url_get(url, CURLUPART_PORT, port, CURLU_NO_DEFAULT_PORT);

    return code == CURLUE_NO_PORT ? CURLUE_OK : code;
}

static enum wps_kind read_origin(struct wps_profile *profile, const char *text, struct wps_error *error)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *written_port = NULL;
    CURLU *url = curl_url();
    CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;

    if (!code)
        code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    if (!code)
        code = curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (!code)
        code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (!code)
        code = written_port_of(url, &written_port);
    if (!code)
        code = check_bare(url);
    if (!code && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        code = CURLUE_UNSUPPORTED_SCHEME;
    if (code) {
        url_failure(code, "origin", "https://host[:port] or http://host[:port], without path, query or user", error);
    } else {
        profile->secure = strcmp(scheme, "https") == 0;
        profile->port = atoi(port);
        wps_buffer_text(&profile->host, host);
        wps_buffer_text(&profile->authority, host);
        wps_buffer_text(&profile->authority, ":");
        wps_buffer_text(&profile->authority, port);
        if (written_port) {
            wps_buffer_text(&profile->host, ":");
            wps_buffer_text(&profile->host, written_port);
        }
        wps_buffer_text(&profile->origin, scheme);
        wps_buffer_text(&profile->origin, "://");
        wps_buffer_text(&profile->origin, wps_buffer_string(&profile->authority));
        wps_buffer_check(&profile->host, error, "origin");
        wps_buffer_check(&profile->authority, error, "origin");
        wps_buffer_check(&profile->origin, error, "origin");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(written_port);
    curl_url_cleanup(url);
    return error->kind;
}

/* The scheme of a proxy, to be freed with curl_free(); NULL where it is none that libcurl knows. */
static CURLUcode proxy_scheme(const char *text, char **scheme)
{
    static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5", "socks5h" };
    CURLU *url = curl_url();
    CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) : CURLUE_OUT_OF_MEMORY;
    bool known = false;

    *scheme = NULL;
    if (!code)
        code = curl_url_get(url, CURLUPART_SCHEME, scheme, 0);
    for (size_t i = 0; !code && i < sizeof schemes / sizeof schemes[0]; i++)
        known = known || strcmp(*scheme, schemes[i]) == 0;
    curl_url_cleanup(url);
    return code || known ? code : CURLUE_UNSUPPORTED_SCHEME;
}

static enum wps_kind keep(struct wps_buffer *buffer, const char *name, const char *text, struct wps_error *error)
{
    if (text)
        wps_buffer_text(buffer, text);
    return wps_buffer_check(buffer, error, name);
}

/* The first that is set and not empty. */
static const char *variable(const char *const *names)
{
    const char *value = NULL;

    for (; *names && !(value && *value); names++)
        value = getenv(*names);
    return value && *value ? value : NULL;
}

/* The environment is asked here and not by libcurl, for each connection and in the middle of a thread of its own. Its
 * proxies need no scheme. */
static enum wps_kind read_environment(struct wps_profile *profile, struct wps_error *error)
{
    static const char *const for_https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
    static const char *const for_http[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
    static const char *const for_none[] = { "no_proxy", "NO_PROXY", NULL };

    keep(&profile->proxy, "proxy", variable(profile->secure ? for_https : for_http), error);
    if (profile->proxy.length)
        keep(&profile->no_proxy, "no_proxy", variable(for_none), error);
    return error->kind;
}

/* What a program asks for outranks the environment's no_proxy. */
static enum wps_kind read_proxy(struct wps_profile *profile, const struct wps_profile_options *options,
                                struct wps_error *error)
{
    char *scheme = NULL;
    CURLUcode code;

    if (!options->proxy && !options->no_proxy)
        read_environment(profile, error);
    else if (!options->no_proxy)
        keep(&profile->proxy, "proxy", options->proxy, error);
    if (!error->kind && profile->proxy.length) {
        code = proxy_scheme(profile->proxy.data, &scheme);
        profile->layered = !code && strcmp(scheme, "https") == 0;
        profile->socks = !code && strncmp(scheme, "socks", 5) == 0;
        if (code == CURLUE_OUT_OF_MEMORY || (code && options->proxy))
            url_failure(code, "proxy", "scheme://[user:password@]host[:port], with scheme http, https, socks4, "
                        "socks4a, socks5 or socks5h", error);
        curl_free(scheme);
    }
    profile->layered = profile->layered || profile->secure;
    return error->kind;
}

static enum wps_kind read_thumbprint(struct wps_profile *profile, const char *text, struct wps_error *error)
{
    static const char digits[] = "0123456789abcdef";
    bool valid = !text || strlen(text) == 2 * (size_t)WPS_SHA1_LENGTH;

    if (!text || error->kind)
        return error->kind;
    for (size_t i = 0; valid && text[i]; i++) {
        const char *digit = strchr(digits, wps_lower(text[i]));
        valid = digit != NULL;
        if (valid)
            profile->thumbprint[i / 2] = (unsigned char)(profile->thumbprint[i / 2] << 4 | (digit - digits));
    }
    if (!valid)
        return wps_fail(error, WPS_ARGUMENT, "thumbprint", "invalid", "thumbprint must be 40 hexadecimal digits");
    if (!wps_trust_takes_thumbprints())
        return wps_fail(error, WPS_ARGUMENT, "thumbprint", "unsupported",
                        "libcurl uses another TLS library here, with which no thumbprint can be checked");
    profile->has_thumbprint = true;
    return WPS_OK;
}

static enum wps_kind read_file(struct wps_file *kept, const char *option, const char *path, struct wps_error *error)
{
    struct stat facts = { 0 };
    char byte;
    int file = path && !error->kind ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    ssize_t length = file >= 0 && !fstat(file, &facts) ? read(file, &byte, 1) : -1;
    const char *reason = length < 0 ? strerror(errno) : "it is empty";
    const long long identity[] = { (long long)facts.st_dev, (long long)facts.st_ino, (long long)facts.st_size,
                                   (long long)facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec };

    if (file >= 0)
        close(file);
    if (!path || error->kind)
        return error->kind;
    if (length < 1)
        return wps_fail(error, WPS_ARGUMENT, option, "unreadable", "%s: cannot read %s: %s", option, path, reason);
    memcpy(kept->identity, identity, sizeof identity);
    return keep(&kept->path, option, path, error);
}

/* ------------------------------------------------------------------ all of the process */

static struct wps_profile *profiles; /* locked, as is each last reference */

static bool same_text(const struct wps_buffer *a, const struct wps_buffer *b)
{
    return a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0);
}

static bool same_file(const struct wps_file *a, const struct wps_file *b)
{
    return same_text(&a->path, &b->path) && memcmp(a->identity, b->identity, sizeof a->identity) == 0;
}

static bool equal(const struct wps_profile *a, const struct wps_profile *b)
{
    return same_text(&a->origin, &b->origin) && a->has_thumbprint == b->has_thumbprint
           && memcmp(a->thumbprint, b->thumbprint, sizeof a->thumbprint) == 0 && same_file(&a->ca_file, &b->ca_file)
           && same_file(&a->client_cert, &b->client_cert) && same_file(&a->client_key, &b->client_key)
           && same_text(&a->client_key_password, &b->client_key_password) && same_text(&a->proxy, &b->proxy)
           && same_text(&a->no_proxy, &b->no_proxy) && a->max_connections == b->max_connections
           && a->connect_timeout == b->connect_timeout && a->idle_timeout == b->idle_timeout
           && a->max_connection_age == b->max_connection_age && a->max_response_bytes == b->max_response_bytes
           && a->max_header_bytes == b->max_header_bytes;
}

static void destroy(struct wps_profile *profile)
{
    struct wps_buffer *const buffers[] = {
        &profile->origin, &profile->authority, &profile->host, &profile->ca_file.path, &profile->client_cert.path,
        &profile->client_key.path, &profile->client_key_password, &profile->proxy, &profile->no_proxy,
    };

    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        wps_buffer_free(buffers[i]);
    wps_trust_free(profile->trust);
    free(profile);
}

/* The equal one that there is already, or this one. */
static struct wps_profile *intern(struct wps_profile *profile)
{
    struct wps_profile *found;

    wps_process_lock();
    for (found = profiles; found && !equal(found, profile);)
        found = found->next;
    if (found) {
        __atomic_add_fetch(&found->references, 1, __ATOMIC_RELAXED);
    } else {
        profile->references = 1;
        profile->next = profiles;
        if (profiles)
            profiles->previous = profile;
        profiles = profile;
    }
    wps_process_unlock();
    if (!found)
        return profile;
    destroy(profile);
    return found;
}

struct wps_profile *wps_profile_hold(struct wps_profile *profile)
{
    __atomic_add_fetch(&profile->references, 1, __ATOMIC_RELAXED);
    return profile;
}

bool wps_profile_is_last(const struct wps_profile *profile)
{
    return __atomic_load_n(&profile->references, __ATOMIC_RELAXED) == 1;
}

/* The last reference is given back while locked, or somebody could find the profile meanwhile. */
void wps_profile_release(struct wps_profile *profile)
{
    int references = profile ? __atomic_load_n(&profile->references, __ATOMIC_RELAXED) : 0;
    bool last;

    while (references > 1)
        if (__atomic_compare_exchange_n(&profile->references, &references, references - 1, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    if (!profile)
        return;
    wps_process_lock();
    last = __atomic_sub_fetch(&profile->references, 1, __ATOMIC_ACQ_REL) == 0;
    if (last) {
        *(profile->previous ? &profile->previous->next : &profiles) = profile->next;
        if (profile->next)
            profile->next->previous = profile->previous;
    }
    wps_process_unlock();
    if (last)
        destroy(profile);
}

/* ------------------------------------------------------------------ life */

struct wps_profile *wps_profile_create(const struct wps_profile_options *options, struct wps_error *error)
{
    struct wps_profile *profile = wps_library_open(error) ? NULL : calloc(1, sizeof *profile);

    if (!profile && !error->kind)
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    if (!profile)
        return NULL;
    profile->max_connections = options->max_connections;
    profile->connect_timeout = options->connect_timeout;
    profile->idle_timeout = options->idle_timeout;
    profile->max_connection_age = options->max_connection_age;
    profile->max_response_bytes = options->max_response_bytes;
    profile->max_header_bytes = options->max_header_bytes;

    if (!options->client_cert && (options->client_key || options->client_key_password))
        wps_fail(error, WPS_ARGUMENT, "client_cert", "missing",
                 "client_key and client_key_password are of use with client_cert only");
    read_thumbprint(profile, options->thumbprint, error);
    read_file(&profile->ca_file, "ca_file", options->ca_file, error);
    read_file(&profile->client_cert, "client_cert", options->client_cert, error);
    read_file(&profile->client_key, "client_key", options->client_key, error);
    keep(&profile->client_key_password, "client_key_password", options->client_key_password, error);
    if (!error->kind && !read_origin(profile, options->origin, error))
        read_proxy(profile, options, error);
    if (error->kind) {
        destroy(profile);
        return NULL;
    }
    return intern(profile);
}

void wps_profile_complete(const struct wps_profile *profile, struct wps_exchange_order *order)
{
    order->request.host.data = profile->host.data;
    order->request.host.length = profile->host.length;
    order->limits.header_bytes = profile->max_header_bytes;
    order->limits.body_bytes = profile->max_response_bytes;
    order->authority.data = profile->authority.data;
    order->authority.length = profile->authority.length;
    order->connect_seconds = profile->connect_timeout;
}

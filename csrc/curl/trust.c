/* curl/trust.c - whose certificates are trusted.
 *
 * libcurl parses a bundle of CA certificates again for every connection, tens of milliseconds each time. A hashed
 * directory, where the system has one, is read for the one CA that is needed. Everything else is parsed once for each
 * profile, and given to all its connections by way of OpenSSL; which works where libcurl uses the OpenSSL that we have. */
#include "curl/trust.h"

#include <ctype.h>
#include <curl/curl.h>
#include <dirent.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

/* ------------------------------------------------------------------ what there is */

static const curl_version_info_data *built; /* these are written once, by look_around() */
static bool directory_is_hashed, openssl_is_ours;

/* "002c0b4f.0", as c_rehash names the links that OpenSSL looks certificates up by. */
static bool is_hashed_name(const char *name)
{
    size_t i = 0;

    while (i < 8 && isxdigit((unsigned char)name[i]))
        i++;
    return i == 8 && name[8] == '.' && isdigit((unsigned char)name[9]);
}

static void look_around(void)
{
    const char *name = "OpenSSL/";
    struct dirent *entry;
    DIR *directory;

    built = curl_version_info(CURLVERSION_NOW);
    directory = built->capath ? opendir(built->capath) : NULL;
    while (directory && !directory_is_hashed && (entry = readdir(directory)))
        directory_is_hashed = is_hashed_name(entry->d_name);
    if (directory)
        closedir(directory);
    openssl_is_ours = built->ssl_version && strncmp(built->ssl_version, name, strlen(name)) == 0
                      && strcmp(built->ssl_version + strlen(name), OpenSSL_version(OPENSSL_VERSION_STRING)) == 0;
}

static pthread_once_t looked = PTHREAD_ONCE_INIT;

bool wps_trust_takes_thumbprints(void)
{
    pthread_once(&looked, look_around);
    return openssl_is_ours;
}

/* ------------------------------------------------------------------ certificates that are parsed once */

/* As libcurl would: what is in the file is trusted, an intermediate certificate too. What is wrong with the file,
 * libcurl says. */
static X509_STORE *parse(const char *file)
{
    X509_STORE *store = X509_STORE_new();

    ERR_set_mark();
    if (store && !X509_STORE_load_file(store, file)) {
        X509_STORE_free(store);
        store = NULL;
    }
    ERR_pop_to_mark();
    if (store)
        X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

/* The profile's, from whichever thread needs it first; NULL where there is none to be had. */
static X509_STORE *store_of(struct wps_profile *profile, const char *file)
{
    void *store = __atomic_load_n(&profile->trust, __ATOMIC_ACQUIRE), *none = NULL;

    if (store)
        return store;
    store = parse(file);
    if (store && !__atomic_compare_exchange_n(&profile->trust, &none, store, false, __ATOMIC_ACQ_REL,
                                              __ATOMIC_ACQUIRE)) {
        X509_STORE_free(store);
        store = none;
    }
    return store;
}

void wps_trust_free(void *trust)
{
    X509_STORE_free(trust);
}

/* ------------------------------------------------------------------ application */

/* In the place of all that is verified else: is this the one certificate? */
static int is_the_one(X509_STORE_CTX *presented, void *profile)
{
    const struct wps_profile *settings = profile;
    X509 *certificate = X509_STORE_CTX_get0_cert(presented);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    bool same = certificate && X509_digest(certificate, EVP_sha1(), digest, &length) && length == WPS_SHA1_LENGTH
                && memcmp(digest, settings->thumbprint, WPS_SHA1_LENGTH) == 0;

    X509_STORE_CTX_set_error(presented, same ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    return same;
}

/* Each new context of TLS, towards a proxy as well. Its keys are nobody's business: SSLKEYLOGFILE, which libcurl obeys,
 * would be a way for the environment to read along. */
static CURLcode on_context(CURL *easy, void *context, void *data)
{
    struct wps_profile *profile = data;
    X509_STORE *store = __atomic_load_n(&profile->trust, __ATOMIC_ACQUIRE);

    (void)easy;
    SSL_CTX_set_keylog_callback(context, NULL);
    if (profile->has_thumbprint)
        SSL_CTX_set_cert_verify_callback(context, is_the_one, profile);
    else if (store)
        SSL_CTX_set1_cert_store(context, store);
    return CURLE_OK;
}

static CURLcode apply_context(CURL *easy, struct wps_profile *profile)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);

    return code ? code : curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, profile);
}

/* The name in the certificate is nobody's, and a session that is resumed shows no certificate. */
static CURLcode apply_thumbprint(CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);

    return code ? code : curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

/* There is always one of the two and never both, or libcurl would parse the one beside the other. */
static CURLcode apply_paths(CURL *easy, const char *file, const char *directory, bool takes_directory)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CAINFO, file);

    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, file);
    if (!code && takes_directory)
        code = curl_easy_setopt(easy, CURLOPT_CAPATH, directory);
    if (!code && takes_directory)
        code = curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, directory);
    return code;
}

int wps_trust_apply(struct wps_profile *profile, void *easy)
{
    const char *file = profile->ca_file.path.length ? profile->ca_file.path.data : NULL;
    const char *directory = NULL;
    X509_STORE *store = NULL;
    CURLcode code = CURLE_OK;

    pthread_once(&looked, look_around);
    if (!file && directory_is_hashed)
        directory = built->capath;
    else if (!file)
        file = built->cainfo;
    if (file && openssl_is_ours)
        store = store_of(profile, file);
    if (file || directory) /* else the TLS library has a store of its own */
        code = apply_paths(easy, store ? NULL : file, directory, built->capath);
    if (!code && openssl_is_ours)
        code = apply_context(easy, profile);
    if (!code && profile->has_thumbprint)
        code = apply_thumbprint(easy);
    return code;
}

/* certificate.c - PEM and PKCS#12 read, and PS256 (RFC 7518, 3.5) signed, by OpenSSL. */
#include "core/certificate.h"
#include "core/base64.h"
#include "core/json.h"

#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { ASSERTION_LIFETIME = 600 }; /* seconds; Entra ID takes no longer ones */
enum { MIN_RSA_BITS = 2048 };
enum { MAX_CHAIN = 16 };
enum { CLOCK_TOLERANCE = 300 }; /* seconds that this machine's clock may be behind the certificate's */

static const char argument[] = "certificate";

static enum wps_kind no_memory(struct wps_error *error)
{
    return wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
}

/* Without a callback OpenSSL would ask at the terminal. */
static int give_password(char *out, int size, int writing, void *data)
{
    const struct wps_slice *password = data;

    (void)writing;
    if (!password->length || password->length > (size_t)size)
        return 0;
    memcpy(out, password->data, password->length);
    return (int)password->length;
}

static bool contains(struct wps_slice text, const char *wanted)
{
    size_t length = strlen(wanted);

    for (size_t i = 0; i + length <= text.length; i++)
        if (memcmp(text.data + i, wanted, length) == 0)
            return true;
    return false;
}

/* ------------------------------------------------------------------ PEM */

static enum wps_kind key_complaint(struct wps_slice text, struct wps_slice password, struct wps_error *error)
{
    if (!contains(text, "PRIVATE KEY-----"))
        return wps_fail(error, WPS_ARGUMENT, argument, "no_key",
                        "the file of certificate has no private key; append it there, or name its file as key");
    if (contains(text, "ENCRYPTED") && !password.length)
        return wps_fail(error, WPS_ARGUMENT, "password", "missing",
                        "the private key is encrypted; give its password");
    if (contains(text, "ENCRYPTED"))
        return wps_fail(error, WPS_ARGUMENT, "password", "wrong", "the password does not open the private key");
    return wps_fail(error, WPS_ARGUMENT, argument, "invalid", "the private key is not one that OpenSSL can read");
}

static enum wps_kind read_pem_key(EVP_PKEY **key, struct wps_slice text, struct wps_slice password,
                                  struct wps_error *error)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.length);

    if (!bio)
        return no_memory(error);
    *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &password);
    BIO_free(bio);
    return *key ? WPS_OK : key_complaint(text, password, error);
}

static enum wps_kind read_pem_certificates(STACK_OF(X509) *list, struct wps_slice text, struct wps_error *error)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.length);
    struct wps_slice none = { NULL, 0 };
    X509 *one = NULL;

    if (!bio)
        return no_memory(error);
    while (sk_X509_num(list) < MAX_CHAIN && (one = PEM_read_bio_X509(bio, NULL, give_password, &none)) != NULL)
        if (!sk_X509_push(list, one)) {
            X509_free(one);
            BIO_free(bio);
            return no_memory(error);
        }
    BIO_free(bio);
    if (!sk_X509_num(list))
        return wps_fail(error, WPS_ARGUMENT, argument, "no_certificate",
                        "the file of certificate has no certificate (-----BEGIN CERTIFICATE-----)");
    return WPS_OK;
}

/* ------------------------------------------------------------------ PKCS#12 */

static enum wps_kind unpack(PKCS12 *archive, const char *password, EVP_PKEY **key, STACK_OF(X509) *list,
                            struct wps_error *error)
{
    STACK_OF(X509) *others = NULL;
    X509 *own = NULL;
    bool pushed = true;

    if (!PKCS12_verify_mac(archive, password, -1) && (*password || !PKCS12_verify_mac(archive, NULL, 0)))
        return wps_fail(error, WPS_ARGUMENT, "password", *password ? "wrong" : "missing", *password
                        ? "the password does not open the PKCS#12 file of certificate"
                        : "the PKCS#12 file of certificate needs a password");
    if (!PKCS12_parse(archive, password, key, &own, &others))
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                        "OpenSSL cannot read the PKCS#12 file of certificate, maybe for its old cipher; make it anew: "
                        "openssl pkcs12 -legacy -in old.pfx -nodes -out new.pem");
    if (own) {
        pushed = sk_X509_push(list, own) > 0;
        if (!pushed)
            X509_free(own);
    }
    while (pushed && others && sk_X509_num(others) && sk_X509_num(list) < MAX_CHAIN) {
        X509 *next = sk_X509_shift(others);
        pushed = sk_X509_push(list, next) > 0;
        if (!pushed)
            X509_free(next);
    }
    sk_X509_pop_free(others, X509_free);
    if (!pushed)
        return no_memory(error);
    if (!*key)
        return wps_fail(error, WPS_ARGUMENT, argument, "no_key", "the PKCS#12 file of certificate has no private key");
    if (!sk_X509_num(list))
        return wps_fail(error, WPS_ARGUMENT, argument, "no_certificate",
                        "the PKCS#12 file of certificate has no certificate");
    return WPS_OK;
}

static enum wps_kind read_pkcs12(struct wps_slice text, struct wps_slice password, EVP_PKEY **key,
                                 STACK_OF(X509) *list, struct wps_error *error)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    PKCS12 *archive = d2i_PKCS12(NULL, &bytes, (long)text.length);
    struct wps_buffer word = { 0 };
    enum wps_kind failed;

    if (!archive)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                        "the file of certificate is neither PEM nor PKCS#12");
    wps_buffer_append(&word, password.data ? password.data : "", password.length);
    failed = wps_buffer_check(&word, error, "password");
    if (!failed)
        failed = unpack(archive, wps_buffer_string(&word), key, list, error);
    wps_buffer_free(&word);
    PKCS12_free(archive);
    return failed;
}

/* ------------------------------------------------------------------ what was read */

/* Moves the certificate that belongs to the key to the front. */
static enum wps_kind match(EVP_PKEY *key, STACK_OF(X509) *list, struct wps_error *error)
{
    for (int i = 0; i < sk_X509_num(list); i++)
        if (X509_check_private_key(sk_X509_value(list, i), key)) {
            X509 *own = sk_X509_delete(list, i);
            if (sk_X509_unshift(list, own))
                return WPS_OK;
            X509_free(own);
            return no_memory(error);
        }
    return wps_fail(error, WPS_ARGUMENT, argument, "mismatch",
                    "the private key does not belong to the certificate; both must be of one pair");
}

static enum wps_kind check_key(const EVP_PKEY *key, struct wps_error *error)
{
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                        "the private key is not RSA, the only kind with which Entra ID takes assertions");
    if (EVP_PKEY_get_bits(key) < MIN_RSA_BITS)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid", "the private key has %d bits; at least %d are needed",
                        EVP_PKEY_get_bits(key), MIN_RSA_BITS);
    return WPS_OK;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    if (epoch)
        ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    return (int64_t)days * 86400 + seconds;
}

static enum wps_kind take_chain(struct wps_certificate *certificate, STACK_OF(X509) *list, struct wps_error *error)
{
    wps_buffer_text(&certificate->chain, "[");
    for (int i = 0; i < sk_X509_num(list); i++) {
        unsigned char *der = NULL;
        int length = i2d_X509(sk_X509_value(list, i), &der);

        if (length < 0)
            return no_memory(error);
        wps_buffer_text(&certificate->chain, i ? ",\"" : "\"");
        wps_base64(&certificate->chain, der, (size_t)length);
        wps_buffer_text(&certificate->chain, "\"");
        OPENSSL_free(der);
    }
    wps_buffer_text(&certificate->chain, "]");
    return wps_buffer_check(&certificate->chain, error, argument);
}

static enum wps_kind take(struct wps_certificate *certificate, EVP_PKEY *key, STACK_OF(X509) *list,
                          struct wps_error *error)
{
    unsigned length = 0;
    X509 *own;

    if (check_key(key, error) || match(key, list, error) || take_chain(certificate, list, error))
        return error->kind;
    own = sk_X509_value(list, 0);
    if (!X509_digest(own, EVP_sha256(), certificate->thumbprint, &length) || length != WPS_THUMBPRINT_LENGTH)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid", "OpenSSL cannot hash the certificate");
    certificate->valid_from = seconds_of(X509_get0_notBefore(own));
    certificate->valid_until = seconds_of(X509_get0_notAfter(own));
    certificate->key = key;
    return WPS_OK;
}

enum wps_kind wps_certificate_load(struct wps_certificate *certificate, struct wps_slice text, struct wps_slice key,
                                   struct wps_slice password, struct wps_error *error)
{
    bool is_pem = contains(text, "-----BEGIN ");
    STACK_OF(X509) *list = NULL;
    EVP_PKEY *private_key = NULL;
    enum wps_kind failed = WPS_OK;

    wps_certificate_free(certificate);
    if (!text.length || text.length > INT_MAX / 2 || key.length > INT_MAX / 2)
        return wps_fail(error, WPS_ARGUMENT, argument, "empty", "the file of certificate is empty");
    ERR_set_mark();
    list = sk_X509_new_null();
    if (!list)
        failed = no_memory(error);
    if (!failed && is_pem)
        failed = read_pem_certificates(list, text, error);
    if (!failed && is_pem)
        failed = read_pem_key(&private_key, key.data ? key : text, password, error);
    if (!failed && !is_pem)
        failed = read_pkcs12(text, password, &private_key, list, error);
    if (!failed)
        failed = take(certificate, private_key, list, error);
    if (failed) {
        EVP_PKEY_free(private_key);
        certificate->key = NULL;
        wps_certificate_free(certificate);
    }
    sk_X509_pop_free(list, X509_free);
    ERR_pop_to_mark();
    return failed;
}

void wps_certificate_free(struct wps_certificate *certificate)
{
    EVP_PKEY_free(certificate->key);
    wps_buffer_free(&certificate->chain);
    memset(certificate, 0, sizeof *certificate);
}

/* ------------------------------------------------------------------ signing */

static bool sign(EVP_PKEY *key, struct wps_slice text, struct wps_buffer *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* the context's own */
    size_t length = (size_t)EVP_PKEY_get_size(key);
    unsigned char *out = (unsigned char *)wps_buffer_reserve(signature, length);
    bool done = context && out && EVP_DigestSignInit(context, &parameters, EVP_sha256(), NULL, key) > 0
                && EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) > 0
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) > 0
                && EVP_DigestSign(context, out, &length, (const unsigned char *)text.data, text.length) > 0;

    if (done)
        wps_buffer_commit(signature, length);
    EVP_MD_CTX_free(context);
    return done;
}

static void write_header(const struct wps_certificate *certificate, bool send_chain, struct wps_buffer *header)
{
    wps_buffer_text(header, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"");
    wps_base64url(header, certificate->thumbprint, WPS_THUMBPRINT_LENGTH);
    wps_buffer_text(header, "\"");
    if (send_chain) {
        wps_buffer_text(header, ",\"x5c\":");
        wps_buffer_append(header, certificate->chain.data, certificate->chain.length);
    }
    wps_buffer_text(header, "}");
}

static void write_claims(struct wps_slice audience, struct wps_slice client_id, struct wps_slice id, int64_t now,
                         struct wps_buffer *claims)
{
    wps_buffer_text(claims, "{\"aud\":");
    wps_json_string(claims, audience);
    wps_buffer_text(claims, ",\"iss\":");
    wps_json_string(claims, client_id);
    wps_buffer_text(claims, ",\"sub\":");
    wps_json_string(claims, client_id);
    wps_buffer_text(claims, ",\"jti\":");
    wps_json_string(claims, id);
    wps_buffer_text(claims, ",\"nbf\":");
    wps_buffer_integer(claims, now);
    wps_buffer_text(claims, ",\"exp\":");
    wps_buffer_integer(claims, now + ASSERTION_LIFETIME);
    wps_buffer_text(claims, "}");
}

enum wps_kind wps_certificate_assert(const struct wps_certificate *certificate, struct wps_slice audience,
                                     struct wps_slice client_id, struct wps_slice id, int64_t now, bool send_chain,
                                     struct wps_buffer *assertion, struct wps_error *error)
{
    struct wps_buffer header = { 0 }, claims = { 0 }, signature = { 0 };
    size_t start = assertion->length;
    enum wps_kind failed = WPS_OK;

    if (!certificate->key)
        failed = wps_fail(error, WPS_CREDENTIAL, NULL, "missing", "there is no certificate to sign with");
    else if (now > certificate->valid_until)
        failed = wps_fail(error, WPS_CREDENTIAL, NULL, "expired",
                          "the certificate has expired %lld days ago; Entra ID takes none that has",
                          (long long)((now - certificate->valid_until) / 86400));
    else if (now + CLOCK_TOLERANCE < certificate->valid_from)
        failed = wps_fail(error, WPS_CREDENTIAL, NULL, "not_yet_valid",
                          "the certificate is not valid yet, or this machine's clock is behind");
    if (!failed) {
        write_header(certificate, send_chain, &header);
        write_claims(audience, client_id, id, now, &claims);
        failed = wps_buffer_check(&header, error, "the assertion");
    }
    if (!failed)
        failed = wps_buffer_check(&claims, error, "the assertion");
    if (!failed) {
        wps_base64url(assertion, header.data, header.length);
        wps_buffer_text(assertion, ".");
        wps_base64url(assertion, claims.data, claims.length);
        failed = wps_buffer_check(assertion, error, "the assertion");
    }
    if (!failed) {
        struct wps_slice text = { assertion->data + start, assertion->length - start };

        ERR_set_mark();
        if (!sign(certificate->key, text, &signature))
            failed = wps_fail(error, WPS_CREDENTIAL, NULL, "signing", "OpenSSL could not sign the assertion");
        ERR_pop_to_mark();
    }
    if (!failed) {
        wps_buffer_text(assertion, ".");
        wps_base64url(assertion, signature.data, signature.length);
        failed = wps_buffer_check(assertion, error, "the assertion");
    }
    wps_buffer_free(&header);
    wps_buffer_free(&claims);
    wps_buffer_free(&signature);
    return failed;
}

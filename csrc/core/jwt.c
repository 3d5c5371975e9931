/* jwt.c - HS256 tokens (RFC 7515, RFC 7519). OpenSSL's queue of errors is its host's: what we add is taken away again. */
#include "core/json.h"
#include "core/service.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* Seconds a request's token is valid: every attempt gets a fresh one for its own URL, so it need only outlast the
 * attempt; the service allows for clocks that are 5 minutes off on top. */
enum { REQUEST_TOKEN_LIFETIME = 300 };

enum { HMAC_LENGTH = 32 };

/* base64url of {"alg":"HS256","typ":"JWT"}, and the dot after it */
static const char token_header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";

void wps_base64url(struct wps_buffer *buffer, const void *data, size_t length)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = data;
    size_t rest = length % 3, written = (length * 4 + 2) / 3;
    const unsigned char *end = in + (length - rest);
    char *out = wps_buffer_reserve(buffer, written);

    if (!out)
        return;
    for (; in < end; in += 3) {
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];

        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = alphabet[bits >> 6 & 63];
        *out++ = alphabet[bits & 63];
    }
    if (rest) {
        unsigned bits = (unsigned)in[0] << 16 | (rest > 1 ? (unsigned)in[1] << 8 : 0);

        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        if (rest > 1)
            *out++ = alphabet[bits >> 6 & 63];
    }
    wps_buffer_commit(buffer, written);
}

/* ------------------------------------------------------------------ signer */

/* An HMAC that holds the key, or NULL. */
static EVP_MAC_CTX *keyed_mac(struct wps_slice key)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end() };
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = algorithm ? EVP_MAC_CTX_new(algorithm) : NULL;

    EVP_MAC_free(algorithm);
    if (mac && !EVP_MAC_init(mac, (const unsigned char *)key.data, key.length, parameters)) {
        EVP_MAC_CTX_free(mac);
        mac = NULL;
    }
    return mac;
}

enum wps_kind wps_signer_set(struct wps_signer *signer, struct wps_slice key, struct wps_error *error)
{
    EVP_MAC_CTX *mac;
    bool no_memory;

    if (!key.length)
        return wps_fail(error, WPS_ARGUMENT, "key", "empty", "key is empty; expected the AccessKey of the service");
    ERR_set_mark();
    mac = keyed_mac(key);
    no_memory = !mac && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
    ERR_pop_to_mark();
    if (no_memory)
        return wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    if (!mac)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "signing",
                        "OpenSSL refuses HMAC-SHA256 with this key; its configuration (openssl.cnf) must have a provider "
                        "that allows it, such as default");
    wps_signer_free(signer);
    signer->mac = mac;
    return WPS_OK;
}

bool wps_signer_ready(const struct wps_signer *signer)
{
    return signer->mac != NULL;
}

void wps_signer_free(struct wps_signer *signer)
{
    EVP_MAC_CTX_free(signer->mac); /* wipes the key */
    signer->mac = NULL;
}

/* ------------------------------------------------------------------ tokens */

/* Writes the HMAC_LENGTH bytes of the HMAC; a NULL key starts over with the one that is set. */
static bool sign(EVP_MAC_CTX *mac, struct wps_slice text, unsigned char *hmac)
{
    size_t length = 0;
    bool good;

    ERR_set_mark();
    good = EVP_MAC_init(mac, NULL, 0, NULL) && EVP_MAC_update(mac, (const unsigned char *)text.data, text.length)
           && EVP_MAC_final(mac, hmac, &length, HMAC_LENGTH) && length == HMAC_LENGTH;
    ERR_pop_to_mark();
    return good;
}

enum wps_kind wps_jwt_sign(struct wps_signer *signer, struct wps_slice claims, struct wps_buffer *token,
                           struct wps_error *error)
{
    size_t start = token->length;
    unsigned char hmac[HMAC_LENGTH];

    if (!signer->mac)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "missing", "there is no key to sign with");
    wps_buffer_text(token, token_header);
    wps_base64url(token, claims.data, claims.length);
    if (!token->failed) {
        struct wps_slice text = { token->data + start, token->length - start };

        if (!sign(signer->mac, text, hmac))
            return wps_fail(error, WPS_CREDENTIAL, NULL, "signing", "OpenSSL could not sign the token");
        wps_buffer_text(token, ".");
        wps_base64url(token, hmac, sizeof hmac);
    }
    return wps_buffer_check(token, error, "the token");
}

enum wps_kind wps_jwt_sign_request(struct wps_signer *signer, struct wps_slice audience, int64_t now,
                                   struct wps_buffer *token, struct wps_error *error)
{
    struct wps_buffer claims = { 0 };
    enum wps_kind failed;

    wps_buffer_text(&claims, "{\"aud\":");
    wps_json_string(&claims, audience);
    wps_buffer_text(&claims, ",\"iat\":");
    wps_buffer_integer(&claims, now);
    wps_buffer_text(&claims, ",\"exp\":");
    wps_buffer_integer(&claims, now + REQUEST_TOKEN_LIFETIME);
    wps_buffer_text(&claims, "}");
    failed = wps_buffer_check(&claims, error, "the token");
    if (!failed) {
        struct wps_slice text = { claims.data, claims.length };
        failed = wps_jwt_sign(signer, text, token, error);
    }
    wps_buffer_free(&claims);
    return failed;
}

/* jwt.c - HS256 tokens (RFC 7515, RFC 7519). */
#include "core/base64.h"
#include "core/json.h"
#include "core/service.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* Seconds a request's token is valid: every attempt gets a fresh one for its own URL, so it need only outlast the
 * attempt; the service allows for clocks that are 5 minutes off on top. */
enum { REQUEST_TOKEN_LIFETIME = 300 };

/* base64url of {"alg":"HS256","typ":"JWT"}, and the dot after it */
static const char token_header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";

/* ------------------------------------------------------------------ signer */

/* Memory, a library without HMAC, or one that is set to refuse keys that are short. */
static void fail_to_key(bool out_of_memory, struct wps_error *error)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    if (out_of_memory || !code || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    else
        wps_fail(error, WPS_ARGUMENT, "key", "invalid", "OpenSSL, as it is configured, cannot sign with the key (%s)",
                 reason ? reason : "no reason given");
}

enum wps_kind wps_signer_set(struct wps_signer *signer, struct wps_slice key, struct wps_error *error)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end() };
    EVP_MAC *algorithm;
    EVP_MAC_CTX *mac = NULL;

    if (!key.length)
        return wps_fail(error, WPS_ARGUMENT, "key", "empty", "key is empty; expected the AccessKey of the service");
    ERR_set_mark(); /* the queue of errors is the program's */
    algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (algorithm)
        mac = EVP_MAC_CTX_new(algorithm);
    if (!mac || !EVP_MAC_init(mac, (const unsigned char *)key.data, key.length, parameters)) {
        fail_to_key(algorithm && !mac, error);
        EVP_MAC_CTX_free(mac);
        mac = NULL;
    }
    EVP_MAC_free(algorithm);
    ERR_pop_to_mark();
    if (!mac)
        return error->kind;
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

bool wps_signer_sum(struct wps_signer *signer, struct wps_slice text, unsigned char hmac[WPS_HMAC_LENGTH])
{
    size_t length = 0;
    bool done;

    if (!signer->mac)
        return false;
    ERR_set_mark();
    /* a NULL key starts over with the one that is set */
    done = EVP_MAC_init(signer->mac, NULL, 0, NULL)
           && EVP_MAC_update(signer->mac, (const unsigned char *)text.data, text.length)
           && EVP_MAC_final(signer->mac, hmac, &length, WPS_HMAC_LENGTH);
    ERR_pop_to_mark();
    return done;
}

/* ------------------------------------------------------------------ tokens */

enum wps_kind wps_jwt_sign(struct wps_signer *signer, struct wps_slice claims, struct wps_buffer *token,
                           struct wps_error *error)
{
    size_t start = token->length;
    unsigned char hmac[WPS_HMAC_LENGTH];

    if (!signer->mac)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "missing", "there is no key to sign with");
    wps_buffer_text(token, token_header);
    wps_base64url(token, claims.data, claims.length);
    if (!token->failed) {
        struct wps_slice text = { token->data + start, token->length - start };

        if (!wps_signer_sum(signer, text, hmac))
            return wps_fail(error, WPS_CREDENTIAL, NULL, "signing", "OpenSSL could not sign the token");
        wps_buffer_text(token, ".");
        wps_base64url(token, hmac, sizeof hmac);
    }
    return wps_buffer_check(token, error, "the token");
}

size_t wps_jwt_request_length(size_t audience_length)
{
    const size_t claims = sizeof "{\"aud\":\"\",\"iat\":1234567890,\"exp\":1234567890}" - 1 + audience_length;

    return sizeof token_header - 1 + (claims * 4 + 2) / 3 + 1 + (WPS_HMAC_LENGTH * 4 + 2) / 3;
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

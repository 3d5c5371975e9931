/* jwt.c - HS256 tokens (RFC 7515, RFC 7519), and the little JSON that is written rather than read. */
#include "core/service.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>

/* Seconds a request's token is valid: every attempt gets a fresh one for its own URL, so it need only outlast the
 * attempt; the service allows for clocks that are 5 minutes off on top. */
enum { REQUEST_TOKEN_LIFETIME = 300 };

enum { HMAC_LENGTH = 32 };

/* base64url of {"alg":"HS256","typ":"JWT"}, and the dot after it */
static const char token_header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";

void wps_json_string(struct wps_buffer *buffer, struct wps_slice text)
{
    size_t plain = 0; /* where the bytes begin that go out as they are */

    wps_buffer_text(buffer, "\"");
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        char escaped[8];

        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        wps_buffer_append(buffer, text.data + plain, i - plain);
        plain = i + 1;
        snprintf(escaped, sizeof escaped, byte < 0x20 ? "\\u%04x" : "\\%c", byte);
        wps_buffer_text(buffer, escaped);
    }
    wps_buffer_append(buffer, text.data + plain, text.length - plain);
    wps_buffer_text(buffer, "\"");
}

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

enum wps_kind wps_signer_set(struct wps_signer *signer, struct wps_slice key, struct wps_error *error)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end() };
    EVP_MAC *algorithm;
    EVP_MAC_CTX *mac = NULL;

    if (!key.length)
        return wps_fail(error, WPS_ARGUMENT, "key", "empty", "key is empty; expected the AccessKey of the service");
    algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (algorithm)
        mac = EVP_MAC_CTX_new(algorithm);
    EVP_MAC_free(algorithm);
    if (!mac || !EVP_MAC_init(mac, (const unsigned char *)key.data, key.length, parameters)) {
        EVP_MAC_CTX_free(mac);
        return wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    }
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

enum wps_kind wps_jwt_sign(struct wps_signer *signer, struct wps_slice claims, struct wps_buffer *token,
                           struct wps_error *error)
{
    size_t start = token->length, length = 0;
    unsigned char hmac[HMAC_LENGTH];

    if (!signer->mac)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "missing", "there is no key to sign with");
    wps_buffer_text(token, token_header);
    wps_base64url(token, claims.data, claims.length);
    if (!token->failed) {
        /* a NULL key starts over with the one that is set */
        if (!EVP_MAC_init(signer->mac, NULL, 0, NULL)
            || !EVP_MAC_update(signer->mac, (const unsigned char *)token->data + start, token->length - start)
            || !EVP_MAC_final(signer->mac, hmac, &length, sizeof hmac))
            return wps_fail(error, WPS_CREDENTIAL, NULL, "signing", "OpenSSL could not sign the token");
        wps_buffer_text(token, ".");
        wps_base64url(token, hmac, length);
    }
    return wps_buffer_check(token, error, "the token");
}

size_t wps_jwt_request_length(size_t audience_length)
{
    const size_t claims = sizeof "{\"aud\":\"\",\"iat\":1234567890,\"exp\":1234567890}" - 1 + audience_length;

    return sizeof token_header - 1 + (claims * 4 + 2) / 3 + 1 + (HMAC_LENGTH * 4 + 2) / 3;
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

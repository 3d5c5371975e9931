/* certificate.h - a certificate with its key, and what is signed with it in the place of a client secret. */
#ifndef WPS_CERTIFICATE_H
#define WPS_CERTIFICATE_H

#include "core/bytes.h"

enum { WPS_THUMBPRINT_LENGTH = 32 }; /* SHA-256 */

struct wps_certificate {
    void *key; /* EVP_PKEY, which OpenSSL wipes; NULL: there is none */
    unsigned char thumbprint[WPS_THUMBPRINT_LENGTH];
    struct wps_buffer chain; /* the certificates, the key's own first: a JSON list of base64 */
    int64_t valid_from, valid_until; /* seconds since the epoch */
};

/* Reads PEM or PKCS#12. `key` is the text of a PEM file of its own, absent where `text` holds the key as well. */
enum wps_kind wps_certificate_load(struct wps_certificate *certificate, struct wps_slice text, struct wps_slice key,
                                   struct wps_slice password, struct wps_error *error);
void wps_certificate_free(struct wps_certificate *certificate);

/* Appends the assertion (RFC 7523) that this is the client: a PS256 token for the token endpoint `audience`, named by
 * `id`, which nobody may have used before. With `send_chain` the certificates go along. */
enum wps_kind wps_certificate_assert(const struct wps_certificate *certificate, struct wps_slice audience,
                                     struct wps_slice client_id, struct wps_slice id, int64_t now, bool send_chain,
                                     struct wps_buffer *assertion, struct wps_error *error);

#endif

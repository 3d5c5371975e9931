/* events.c - the signature of the service's own requests. */
#include "core/events.h"

#include <openssl/crypto.h>
#include <string.h>

enum { MAX_SIGNATURE = 1024 }; /* bytes of the header; the service sends two hashes, 143 bytes */

static const char prefix[] = "sha256=";

enum { PREFIX_LENGTH = sizeof prefix - 1, HASH_LENGTH = PREFIX_LENGTH + 2 * WPS_HMAC_LENGTH };

static void write_hash(char hash[HASH_LENGTH], const unsigned char hmac[WPS_HMAC_LENGTH])
{
    static const char digits[] = "0123456789abcdef";

    memcpy(hash, prefix, PREFIX_LENGTH);
    for (size_t i = 0; i < WPS_HMAC_LENGTH; i++) {
        hash[PREFIX_LENGTH + 2 * i] = digits[hmac[i] >> 4];
        hash[PREFIX_LENGTH + 2 * i + 1] = digits[hmac[i] & 15];
    }
}

/* Every hash is looked at, so that the time does not tell which one fits. */
static bool contains(struct wps_slice signature, const char hash[HASH_LENGTH])
{
    int fitting = 0;

    while (signature.length) {
        const char *comma = memchr(signature.data, ',', signature.length);
        struct wps_slice one = { signature.data, comma ? (size_t)(comma - signature.data) : signature.length };
        size_t taken = comma ? one.length + 1 : one.length;

        signature.data += taken;
        signature.length -= taken;
        one = wps_slice_trim(one);
        if (one.length == HASH_LENGTH)
            fitting += CRYPTO_memcmp(one.data, hash, HASH_LENGTH) == 0;
    }
    return fitting > 0;
}

bool wps_event_is_signed(struct wps_signer *signer, struct wps_slice signature, struct wps_slice connection)
{
    unsigned char hmac[WPS_HMAC_LENGTH];
    char hash[HASH_LENGTH];
    bool fits = false;

    if (connection.length && signature.length && signature.length <= MAX_SIGNATURE
        && wps_signer_sum(signer, connection, hmac)) {
        write_hash(hash, hmac);
        fits = contains(signature, hash);
        wps_wipe(hmac, sizeof hmac); /* who reads them could sign for this connection */
        wps_wipe(hash, sizeof hash);
    }
    return fits;
}

/* lua/random.c - randomness for request ids. The core takes it as an argument; this is where it comes from. */
#include "lua/bindings.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

bool wps_random_fetch(void *out, size_t length)
{
    bool good;

    ERR_set_mark(); /* the queue of errors is the host's */
    good = RAND_bytes(out, (int)length) == 1;
    ERR_pop_to_mark();
    return good;
}

bool wps_random_take(struct wps_random *random, void *out, size_t length)
{
    pid_t process = getpid();

    if (random->left < length || random->owner != process) {
        random->left = 0;
        if (length > sizeof random->bytes || !wps_random_fetch(random->bytes, sizeof random->bytes))
            return false;
        random->left = sizeof random->bytes;
        random->owner = process;
    }
    random->left -= length;
    memcpy(out, random->bytes + random->left, length);
    return true;
}

bool wps_random_uuid(struct wps_random *random, char text[WPS_UUID_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];

    if (!wps_random_take(random, bytes, sizeof bytes))
        return false;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
    return true;
}

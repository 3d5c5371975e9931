/* base64.c - bytes as text (RFC 4648), in both alphabets. */
#include "core/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct wps_buffer *buffer, const void *data, size_t length, const char *alphabet)
{
    const unsigned char *in = data;
    size_t rest = length % 3, written = length / 3 * 4 + (rest ? rest + 1 : 0);
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

void wps_base64url(struct wps_buffer *buffer, const void *data, size_t length)
{
    encode(buffer, data, length, url_safe);
}

void wps_base64(struct wps_buffer *buffer, const void *data, size_t length)
{
    size_t rest = length % 3;

    encode(buffer, data, length, standard);
    if (rest)
        wps_buffer_text(buffer, rest == 1 ? "==" : "=");
}

static int value_of(char byte)
{
    return byte >= 'A' && byte <= 'Z'   ? byte - 'A'
           : byte >= 'a' && byte <= 'z' ? byte - 'a' + 26
           : byte >= '0' && byte <= '9' ? byte - '0' + 52
           : byte == '+' || byte == '-' ? 62
           : byte == '/' || byte == '_' ? 63
                                        : -1;
}

bool wps_base64_decode(struct wps_buffer *buffer, struct wps_slice text)
{
    size_t padding = 0;
    unsigned bits = 0;
    int held = 0;

    while (padding < 2 && padding < text.length && text.data[text.length - 1 - padding] == '=')
        padding++;
    text.length -= padding;
    for (size_t i = 0; i < text.length; i++) {
        int value = value_of(text.data[i]);
        char decoded;

        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            decoded = (char)(bits >> held & 0xff);
            wps_buffer_append(buffer, &decoded, 1);
        }
    }
    return text.length % 4 != 1 && !buffer->failed;
}

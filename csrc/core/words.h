/* words.h - eight bytes looked at together. A mask has the highest bit of each byte to which its name applies. */
#ifndef WPS_WORDS_H
#define WPS_WORDS_H

#include <string.h>

#include "core/bytes.h"

#define WPS_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define WPS_ALL WPS_EACH(0x80)

/* `limit` is from 1 to 0x80. No byte carries into the next. */
static inline uint64_t wps_below(uint64_t word, unsigned limit)
{
    return ~((word & WPS_EACH(0x7f)) + WPS_EACH(0x80 - limit)) & ~word & WPS_ALL;
}

static inline uint64_t wps_equal(uint64_t word, unsigned char byte)
{
    return wps_below(word ^ WPS_EACH(byte), 1);
}

static inline uint64_t wps_control(uint64_t word)
{
    return wps_below(word, 0x20) | wps_equal(word, 0x7f);
}

/* No control bytes but for tabs. */
static inline uint64_t wps_no_value(uint64_t word)
{
    return wps_control(word) & ~wps_equal(word, '\t');
}

/* Anything but '!' to '~'. */
static inline uint64_t wps_invisible(uint64_t word)
{
    return wps_below(word, 0x21) | wps_equal(word, 0x7f) | (word & WPS_ALL);
}

/* Anything but letters and '-', of which most names of headers are made. */
static inline uint64_t wps_unusual_in_name(uint64_t word)
{
    uint64_t lower = word | WPS_EACH(0x20);

    return ~((wps_below(lower, 'z' + 1) & ~wps_below(lower, 'a')) | wps_equal(word, '-')) & WPS_ALL;
}

/* Does the mask apply to any byte of the slice? It must not apply to letters. */
static inline bool wps_slice_any(struct wps_slice slice, uint64_t (*mask)(uint64_t))
{
    uint64_t word, found = 0;

    for (; slice.length >= sizeof word; slice.data += sizeof word, slice.length -= sizeof word) {
        memcpy(&word, slice.data, sizeof word);
        found |= mask(word);
    }
    if (slice.length) {
        word = WPS_EACH('x');
        memcpy(&word, slice.data, slice.length);
        found |= mask(word);
    }
    return found != 0;
}

#endif

/* words.h - eight bytes looked at together. A question about a word is answered with 0 for no: it asks about any of its
 * bytes. */
#ifndef WPS_WORDS_H
#define WPS_WORDS_H

#include <string.h>

#include "core/bytes.h"

#define WPS_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define WPS_TOPS WPS_EACH(0x80)

/* `limit` is at most 0x80. The subtraction borrows from the next byte only where the answer is yes already. */
static inline uint64_t wps_any_below(uint64_t word, unsigned limit)
{
    return (word - WPS_EACH(limit)) & ~word & WPS_TOPS;
}

/* `limit` is below 0x80. The sum carries into the next byte only where the answer is yes already. */
static inline uint64_t wps_any_above(uint64_t word, unsigned limit)
{
    return ((word + WPS_EACH(0x7f - limit)) | word) & WPS_TOPS;
}

static inline uint64_t wps_any_equal(uint64_t word, unsigned char byte)
{
    return wps_any_below(word ^ WPS_EACH(byte), 1);
}

/* Bytes below 0x20, and 0x7f. */
static inline uint64_t wps_any_control(uint64_t word)
{
    return wps_any_below(word, 0x20) | wps_any_equal(word, 0x7f);
}

/* Anything but '!' to '~'. */
static inline uint64_t wps_any_invisible(uint64_t word)
{
    return wps_any_below(word, '!') | wps_any_above(word, '~');
}

/* The word with the bit 0x40 set in each byte that is `byte`: a tab becomes 'I', '-' becomes 'm'. */
static inline uint64_t wps_to_letter(uint64_t word, unsigned char byte)
{
    uint64_t other = word ^ WPS_EACH(byte); /* 0 where it is that byte; no carry passes from one to the next */

    return word | (~(((other & WPS_EACH(0x7f)) + WPS_EACH(0x7f)) | other) & WPS_TOPS) >> 1;
}

/* Control bytes but for tabs, which are rare. */
static inline uint64_t wps_any_no_value(uint64_t word)
{
    return wps_any_control(word) ? wps_any_control(wps_to_letter(word, '\t')) : 0;
}

/* Anything but letters and '-', of which most names of headers are made. */
static inline uint64_t wps_any_unusual(uint64_t word)
{
    uint64_t lower = wps_to_letter(word, '-') | WPS_EACH(0x20);

    return wps_any_below(lower, 'a') | wps_any_above(lower, 'z');
}

static inline uint64_t wps_word(const char *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof word);
    return word;
}

/* Up to seven bytes; the others are letters, or those bytes again. */
static inline uint64_t wps_short_word(struct wps_slice slice)
{
    uint64_t word = WPS_EACH('x');
    uint32_t half;

    if (slice.length >= sizeof half) {
        memcpy(&half, slice.data, sizeof half);
        word = half;
        memcpy(&half, slice.data + slice.length - sizeof half, sizeof half);
        return word << 32 | half;
    }
    for (size_t i = 0; i < slice.length; i++)
        word = word << 8 | (unsigned char)slice.data[i];
    return word;
}

/* The question about all bytes of the slice; it must be no for letters. */
static inline bool wps_slice_any(struct wps_slice slice, uint64_t (*question)(uint64_t))
{
    uint64_t found = 0;
    size_t at = 0;

    if (slice.length < sizeof found)
        return question(wps_short_word(slice)) != 0;
    for (; at + sizeof found < slice.length; at += sizeof found)
        found |= question(wps_word(slice.data + at));
    found |= question(wps_word(slice.data + slice.length - sizeof found)); /* overlaps the one before */
    return found != 0;
}

#endif

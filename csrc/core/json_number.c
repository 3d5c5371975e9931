/* json_number.c - the text of a JSON number as an int64_t or a double, by exact arithmetic: strtod() would ask the
 * process's locale, which any thread may change meanwhile, for the decimal point. */
#include "core/json.h"

#include <string.h>

/* A decimal number: digits * 10^exponent. */
struct decimal {
    struct wps_slice text; /* what is left of it */
    bool negative;
    char digits[800]; /* 767 decide between two doubles; if there are more, the last one says that something follows */
    size_t count;
    long exponent;
};

static bool is_digit(struct wps_slice text)
{
    return text.length && *text.data >= '0' && *text.data <= '9';
}

static bool take(struct wps_slice *text, char byte)
{
    if (!text->length || wps_lower(*text->data) != byte)
        return false;
    text->data++;
    text->length--;
    return true;
}

/* Reads digits; those of a fraction move the exponent. Zeros in front are no digits. */
static void read_digits(struct decimal *number, bool fraction)
{
    const size_t last = sizeof number->digits - 1;

    for (; is_digit(number->text); number->text.data++, number->text.length--) {
        char digit = *number->text.data;

        if (number->count < last) {
            if (number->count || digit != '0')
                number->digits[number->count++] = (char)(digit - '0');
            number->exponent -= fraction;
        } else {
            if (digit != '0')
                number->digits[last] = 1;
            number->exponent += !fraction;
        }
    }
}

static void read_exponent(struct decimal *number)
{
    const long huge = 100000000; /* beyond what digits in front could make up for */
    bool negative = take(&number->text, '-');
    long value = 0;

    if (!negative)
        take(&number->text, '+');
    for (; is_digit(number->text); number->text.data++, number->text.length--)
        if (value < huge)
            value = value * 10 + (*number->text.data - '0');
    number->exponent += negative ? -value : value;
}

static bool read_decimal(struct decimal *number, struct wps_slice text)
{
    memset(number, 0, sizeof *number);
    number->text = text;
    number->negative = take(&number->text, '-');
    if (!is_digit(number->text))
        return false;
    read_digits(number, false);
    if (take(&number->text, '.'))
        read_digits(number, true);
    if (take(&number->text, 'e'))
        read_exponent(number);
    if (number->digits[sizeof number->digits - 1]) { /* one more digit, worth less than any that was read */
        number->count = sizeof number->digits;
        number->exponent--;
    }
    return !number->text.length;
}

/* ------------------------------------------------------------------ large numbers */

/* Of 32 bits each, the lowest first. The largest one is divided by 10^1130: 64 + 3763 bits, and a limb. */
struct large {
    uint32_t limbs[128];
    size_t count; /* the highest one is not 0 */
};

static void multiply_add(struct large *number, uint32_t factor, uint32_t summand)
{
    uint64_t carry = summand;

    for (size_t i = 0; i < number->count; i++) {
        carry += (uint64_t)number->limbs[i] * factor;
        number->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        number->limbs[number->count++] = (uint32_t)carry;
}

/* Divides; is there a remainder? */
static bool divide(struct large *number, uint32_t divisor)
{
    uint64_t rest = 0;

    for (size_t i = number->count; i-- > 0;) {
        rest = rest << 32 | number->limbs[i];
        number->limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (number->count && !number->limbs[number->count - 1])
        number->count--;
    return rest != 0;
}

/* Multiplies with 2^32, so many times. */
static void shift(struct large *number, size_t limbs)
{
    memmove(number->limbs + limbs, number->limbs, number->count * sizeof *number->limbs);
    memset(number->limbs, 0, limbs * sizeof *number->limbs);
    number->count += limbs;
}

static bool bit(const struct large *number, long index)
{
    return number->limbs[index / 32] >> index % 32 & 1;
}

static long bit_count(const struct large *number)
{
    long bits = (long)number->count * 32;

    while (bits && !bit(number, bits - 1))
        bits--;
    return bits;
}

static bool any_bit_below(const struct large *number, long index)
{
    for (long i = 0; i < index; i++)
        if (bit(number, i))
            return true;
    return false;
}

static uint32_t power_of_ten(long power)
{
    uint32_t value = 1;

    while (power-- > 0)
        value *= 10;
    return value;
}

/* ------------------------------------------------------------------ the nearest double */

enum {
    STEP = 9,             /* 10^9 is the largest power of ten in a limb */
    MANTISSA_BITS = 53,   /* with the one that is not stored */
    LOWEST_EXPONENT = -1022,
    HIGHEST_EXPONENT = 1023
};

/* The bits of the double nearest to number * 2^-(32 * shifted), and a little more if `inexact`; ties to even. */
static uint64_t round_to_double(const struct large *number, long shifted, bool inexact)
{
    long bits = bit_count(number), exponent = bits - 1 - 32 * shifted, kept = MANTISSA_BITS;
    uint64_t mantissa = 0;
    bool half, more;

    if (exponent < LOWEST_EXPONENT)
        kept -= LOWEST_EXPONENT - exponent;
    if (kept < 0)
        return 0;
    for (long i = 1; i <= kept; i++)
        mantissa = mantissa << 1 | (bits >= i && bit(number, bits - i));
    half = bits > kept && bit(number, bits - kept - 1);
    more = inexact || any_bit_below(number, bits - kept - 1);
    if (half && (more || mantissa & 1))
        mantissa++; /* may carry into the exponent, which is what it should do */
    if (exponent < LOWEST_EXPONENT)
        return mantissa;
    if (exponent > HIGHEST_EXPONENT)
        exponent = HIGHEST_EXPONENT + 1;
    return mantissa + ((uint64_t)(exponent - LOWEST_EXPONENT) << (MANTISSA_BITS - 1));
}

static uint64_t nearest_double(const struct decimal *number)
{
    long up = number->exponent, down = -number->exponent; /* powers of ten to multiply with and to divide by */
    struct large value = { .count = 0 };
    bool inexact = false;
    long shifted = 0;

    for (size_t i = 0; i < number->count; i++)
        multiply_add(&value, 10, (uint32_t)number->digits[i]);
    for (; up > 0; up -= STEP)
        multiply_add(&value, power_of_ten(up < STEP ? up : STEP), 0);
    if (down > 0) { /* the quotient needs 64 bits at least; log2(10) < 3.33 */
        long missing = 64 + down * 333 / 100 - bit_count(&value);
        shifted = missing > 0 ? missing / 32 + 1 : 0;
        shift(&value, (size_t)shifted);
    }
    for (; down > 0; down -= STEP)
        inexact = divide(&value, power_of_ten(down < STEP ? down : STEP)) || inexact;
    return round_to_double(&value, shifted, inexact);
}

bool wps_json_double(struct wps_slice raw, double *value)
{
    const uint64_t infinity = (uint64_t)0x7ff << 52;
    struct decimal number;
    uint64_t bits = 0;
    long magnitude; /* the number is below 10^magnitude */

    if (!read_decimal(&number, raw))
        return false;
    magnitude = (long)number.count + number.exponent;
    if (number.count && magnitude > 310)
        bits = infinity;
    else if (number.count && magnitude > -330)
        bits = nearest_double(&number);
    if (bits >= infinity)
        return false;
    bits |= (uint64_t)number.negative << 63;
    memcpy(value, &bits, sizeof bits);
    return true;
}

bool wps_json_integer(struct wps_slice raw, int64_t *value)
{
    bool negative = take(&raw, '-');
    uint64_t limit = (uint64_t)INT64_MAX + negative, sum = 0;

    if (!is_digit(raw))
        return false;
    for (; is_digit(raw); raw.data++, raw.length--) {
        unsigned digit = (unsigned)(*raw.data - '0');
        if (sum > (limit - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? (int64_t)-sum : (int64_t)sum;
    return !raw.length;
}

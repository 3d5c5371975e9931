/* trace.c - the form of traceparent and tracestate. */
#include "core/trace.h"

#include <string.h>

enum {
    VERSION = 2,
    TRACE = 32,
    PARENT = 16,
    FLAGS = 2, /* hexadecimal digits */
    PARENT_LENGTH = VERSION + 1 + TRACE + 1 + PARENT + 1 + FLAGS,
    MAX_STATE = 512, /* bytes that everyone passes on */
    MAX_MEMBERS = 32,
    MAX_NAME = 256,
    MAX_VALUE = 256
};

/* So many lower-case hexadecimal digits. */
static bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

static bool is_zero(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != '0')
            return false;
    return true;
}

/* Later versions may append fields. */
static bool is_traceparent(struct wps_slice value)
{
    const char *version = value.data, *trace, *parent, *flags;

    if (value.length < PARENT_LENGTH)
        return false;
    trace = version + VERSION + 1;
    parent = trace + TRACE + 1;
    flags = parent + PARENT + 1;
    if (!is_hex(version, VERSION) || !is_hex(trace, TRACE) || !is_hex(parent, PARENT) || !is_hex(flags, FLAGS)
        || trace[-1] != '-' || parent[-1] != '-' || flags[-1] != '-')
        return false;
    if (memcmp(version, "ff", VERSION) == 0 || is_zero(trace, TRACE) || is_zero(parent, PARENT))
        return false;
    if (value.length == PARENT_LENGTH)
        return true;
    return !is_zero(version, VERSION) && value.data[PARENT_LENGTH] == '-' && !wps_slice_has_control(value);
}

enum wps_kind wps_traceparent_check(struct wps_slice value, struct wps_error *error)
{
    if (is_traceparent(value))
        return WPS_OK;
    return wps_fail(
        error, WPS_ARGUMENT, "traceparent", "invalid",
        "traceparent must be a version, trace id, parent id and flags in lower-case hexadecimal digits, such as "
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
}

static bool is_name(const char *text, size_t length)
{
    if (!length || length > MAX_NAME || !((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9')))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!text[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789_-*/@", text[i]))
            return false;
    return true;
}

static bool is_value(const char *text, size_t length)
{
    if (!length || length > MAX_VALUE || text[length - 1] == ' ')
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '=')
            return false;
    return true;
}

/* name=value; an empty member is allowed. */
static bool is_member(struct wps_slice member)
{
    const char *equals;

    member = wps_slice_trim(member);
    equals = member.length ? memchr(member.data, '=', member.length) : NULL;
    if (!equals)
        return !member.length;
    return is_name(member.data, (size_t)(equals - member.data))
           && is_value(equals + 1, (size_t)(member.data + member.length - equals - 1));
}

static bool is_tracestate(struct wps_slice value)
{
    const char *end = value.data + value.length, *start = value.data;
    int members = 0;

    if (!value.length || value.length > MAX_STATE)
        return false;
    for (;;) {
        const char *comma = memchr(start, ',', (size_t)(end - start));
        struct wps_slice member = { start, (size_t)((comma ? comma : end) - start) };

        if (++members > MAX_MEMBERS || !is_member(member))
            return false;
        if (!comma)
            return true;
        start = comma + 1;
    }
}

enum wps_kind wps_tracestate_check(struct wps_slice value, struct wps_error *error)
{
    if (is_tracestate(value))
        return WPS_OK;
    return wps_fail(error, WPS_ARGUMENT, "tracestate", "invalid",
                    "tracestate must be a list of at most %d name=value, %d bytes in all, such as congo=t61rcWkgMzE",
                    MAX_MEMBERS, MAX_STATE);
}

/* response.c - what a response says besides its body: how long to wait, and a code where the body has none. */
#include "core/base64.h"
#include "core/headers.h"
#include "core/service.h"

#include <stdio.h>
#include <string.h>

const char *wps_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" },
        { 301, "Moved Permanently" }, { 302, "Found" }, { 304, "Not Modified" },
        { 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
        { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
        { 405, "Method Not Allowed" }, { 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" },
        { 411, "Length Required" }, { 412, "Precondition Failed" }, { 413, "Content Too Large" },
        { 414, "URI Too Long" }, { 415, "Unsupported Media Type" }, { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" },
        { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "";
}

void wps_response_free(struct wps_response *response)
{
    wps_buffer_free(&response->headers);
    wps_buffer_free(&response->body);
    response->status = 0;
}

/* ------------------------------------------------------------------ Retry-After */

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years begin in March, so that leap days come
 * last and 400 years are 146,097 days. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int month_number(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *found = strlen(name) == 3 ? strstr(names, name) : NULL;

    return found && (found - names) % 3 == 0 ? (int)(found - names) / 3 + 1 : 0;
}

static bool within(int value, int low, int high)
{
    return value >= low && value <= high;
}

double wps_utc_seconds(const int parts[6])
{
    if (!within(parts[0], 1970, 9999) || !within(parts[1], 1, 12) || !within(parts[2], 1, 31)
        || !within(parts[3], 0, 23) || !within(parts[4], 0, 59) || !within(parts[5], 0, 60))
        return -1;
    return (double)days_since_epoch(parts[0], parts[1], parts[2]) * 86400 + parts[3] * 3600.0 + parts[4] * 60.0
           + parts[5];
}

/* The three forms of RFC 9110, section 5.6.7; negative: none of them. */
static double parse_date(const char *text)
{
    char month[4] = "";
    int day = 0, year = 0, hour = 0, minute = 0, second = 0;
    int end = 0; /* set where all of a form has matched */

    sscanf(text, "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute, &second, &end);
    if (!end) {
        sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute, &second,
               &end);
        if (end)
            year += year < 70 ? 2000 : 1900;
    }
    if (!end)
        sscanf(text, "%*3[A-Za-z] %3s %2d %2d:%2d:%2d %4d%n", month, &day, &hour, &minute, &second, &year, &end);
    if (!end || text[end] != '\0')
        return -1;
    return wps_utc_seconds((const int[]){ year, month_number(month), day, hour, minute, second });
}

/* A count in decimal digits, perhaps with a fraction; negative: something else. */
static double parse_number(const char *text)
{
    double number = 0, unit = 1;
    const char *digit = text;

    for (; *digit >= '0' && *digit <= '9'; digit++)
        number = number * 10 + (*digit - '0');
    if (digit > text && *digit == '.') /* not strtod(), which asks the locale what a point is */
        for (digit++; *digit >= '0' && *digit <= '9'; digit++)
            number += (*digit - '0') * (unit /= 10);
    return digit > text && *digit == '\0' ? number : -1;
}

/* Copies a header's value out as text; false: there is none, or it is too long to be a date or a number. */
static bool value_of(struct wps_slice headers, const char *name, char *text, size_t size)
{
    struct wps_slice value = wps_headers_find(headers, name);

    if (!value.length || value.length >= size)
        return false;
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    return true;
}

double wps_retry_after(struct wps_slice headers, double wall)
{
    static const struct {
        const char *name;
        double unit; /* seconds */
    } forms[] = { { "retry-after-ms", 0.001 }, { "x-ms-retry-after-ms", 0.001 }, { "Retry-After", 1 } };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char text[48];
        double number, date;

        if (!value_of(headers, forms[i].name, text, sizeof text))
            continue;
        number = parse_number(text);
        if (number >= 0)
            return number * forms[i].unit;
        date = forms[i].unit < 1 ? -1 : parse_date(text);
        if (date >= 0)
            return date > wall ? date - wall : 0;
    }
    return -1;
}

double wps_response_date(struct wps_slice headers)
{
    char text[48];

    return value_of(headers, "Date", text, sizeof text) ? parse_date(text) : -1;
}

/* ------------------------------------------------------------------ codes and challenges */

/* name="value" or name=value */
struct wps_slice wps_challenge(struct wps_slice headers, const char *name)
{
    struct wps_slice header = wps_headers_find(headers, "WWW-Authenticate");
    size_t length = strlen(name);
    bool quoted = false;

    for (size_t i = 0; i + length + 1 < header.length; i++) {
        struct wps_slice word = { header.data + i, length }, value;
        bool at_start = i == 0 || strchr(" ,\t", header.data[i - 1]);

        if (header.data[i] == '"')
            quoted = !quoted; /* what a description quotes is no parameter */
        if (quoted || !at_start || header.data[i + length] != '=' || !wps_slice_is(word, name))
            continue;
        value.data = header.data + i + length + 1;
        value.length = header.length - (i + length + 1);
        if (value.data[0] == '"') {
            const char *end = memchr(value.data + 1, '"', value.length - 1);
            value.data++;
            value.length = end ? (size_t)(end - value.data) : value.length - 1;
        } else {
            size_t bare = 0;
            while (bare < value.length && !strchr(", \t", value.data[bare]))
                bare++;
            value.length = bare;
        }
        return value;
    }
    return wps_slice_of(NULL);
}

struct wps_slice wps_fallback_code(int status, struct wps_slice headers, char *room, size_t size)
{
    struct wps_slice code = wps_headers_find(headers, "x-ms-error-code");

    if (!code.length)
        code = wps_challenge(headers, "error");
    if (!code.length)
        code = wps_slice_of(wps_status_text(status));
    if (!code.length) {
        snprintf(room, size, "HTTP %d", status);
        code = wps_slice_of(room);
    }
    return code;
}

/* ------------------------------------------------------------------ bodies that cannot be read */

/* The value of a parameter of Content-Type, without its quotes. */
static struct wps_slice media_parameter(struct wps_slice type, const char *name)
{
    size_t length = strlen(name);

    while (type.length) {
        const char *end = memchr(type.data, ';', type.length);
        struct wps_slice part = { type.data, end ? (size_t)(end - type.data) : type.length }, word;

        type.data += part.length + (end != NULL);
        type.length -= part.length + (end != NULL);
        part = wps_slice_trim(part);
        word.data = part.data;
        word.length = length;
        if (part.length <= length || part.data[length] != '=' || !wps_slice_is(word, name))
            continue;
        part.data += length + 1;
        part.length -= length + 1;
        if (part.length >= 2 && part.data[0] == '"') {
            part.data++;
            part.length -= 2;
        }
        return part;
    }
    return wps_slice_of(NULL);
}

/* application/json, text/json, application/problem+json; where there is no type, nobody says that it is another. */
static bool is_json_type(struct wps_slice type)
{
    static const char suffix[] = "json";
    struct wps_slice ending;

    if (type.length < sizeof suffix)
        return !type.length;
    ending.data = type.data + type.length - (sizeof suffix - 1);
    ending.length = sizeof suffix - 1;
    return wps_slice_is(ending, suffix) && (ending.data[-1] == '/' || ending.data[-1] == '+');
}

void wps_body_complaint(struct wps_slice headers, const char *problem, char *text, size_t size)
{
    enum { SHOWN = 40 }; /* bytes of what came from outside */
    struct wps_slice encoding = wps_headers_find(headers, "Content-Encoding");
    struct wps_slice type = wps_headers_find(headers, "Content-Type");
    struct wps_slice charset = media_parameter(type, "charset");
    const char *end = type.length ? memchr(type.data, ';', type.length) : NULL;

    if (end)
        type.length = (size_t)(end - type.data);
    type = wps_slice_trim(type);
    if (encoding.length && !wps_slice_is(encoding, "identity"))
        snprintf(text, size, "it is encoded as %.*s, which was not asked for",
                 (int)(encoding.length < SHOWN ? encoding.length : SHOWN), encoding.data);
    else if (charset.length && !wps_slice_is(charset, "utf-8") && !wps_slice_is(charset, "us-ascii"))
        snprintf(text, size, "it is in %.*s, not UTF-8", (int)(charset.length < SHOWN ? charset.length : SHOWN),
                 charset.data);
    else if (!is_json_type(type))
        snprintf(text, size, "it is %.*s, not JSON", (int)(type.length < SHOWN ? type.length : SHOWN), type.data);
    else
        snprintf(text, size, "%s", problem);
}

/* ------------------------------------------------------------------ claims */

bool wps_claims_challenge(int status, struct wps_slice headers, struct wps_buffer *claims)
{
    bool found;

    wps_buffer_truncate(claims, 0);
    found = status == 401 && wps_slice_is(wps_challenge(headers, "error"), "insufficient_claims")
            && wps_base64_decode(claims, wps_challenge(headers, "claims")) && claims->length;
    if (!found && claims->failed != WPS_NO_MEMORY)
        wps_buffer_truncate(claims, 0); /* what was decoded before it went wrong */
    return found;
}

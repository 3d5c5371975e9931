/* endpoint.c - where the service is: connection string, endpoint, reverse proxy, and what may stand in a URL. */
#include "core/service.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_alphanumeric(char byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Negative: no hexadecimal digit. */
static int hex_value(int byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool is_hex(char byte)
{
    return hex_value(byte) >= 0;
}

/* RFC 3986, unreserved: the bytes by their values, as one bit each. */
static bool is_unreserved(unsigned char byte)
{
    static const uint32_t unreserved[8] = {
        0x00000000, /* control bytes */
        0x03ff6000, /* - . 0-9 */
        0x87fffffe, /* A-Z _ */
        0x47fffffe, /* a-z ~ */
    };

    return unreserved[byte / 32] >> (byte % 32) & 1;
}

void wps_escape(struct wps_buffer *buffer, struct wps_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0, run;

    while (at < text.length) {
        for (run = at; at < text.length && is_unreserved((unsigned char)text.data[at]);)
            at++;
        wps_buffer_append(buffer, text.data + run, at - run); /* mostly all of it */
        for (; at < text.length && !is_unreserved((unsigned char)text.data[at]); at++) {
            unsigned char byte = (unsigned char)text.data[at];
            char escaped[] = { '%', digits[byte >> 4], digits[byte & 15] };
            wps_buffer_append(buffer, escaped, sizeof escaped);
        }
    }
}

/* 1-65535, or 0 where the text is no such number. */
static int parse_port(struct wps_slice text)
{
    int port = 0;

    if (!text.length || text.length > 5)
        return 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!is_digit(text.data[i]))
            return 0;
        port = port * 10 + (text.data[i] - '0');
    }
    return port <= 65535 ? port : 0;
}

/* ------------------------------------------------------------------ connection string */

/* Takes "Name=Value" off the front of `rest`; blank parts are passed over. A part without "=" has an absent value. */
static bool next_part(struct wps_slice *rest, struct wps_slice *name, struct wps_slice *value)
{
    while (rest->length) {
        const char *end = memchr(rest->data, ';', rest->length);
        struct wps_slice part = { rest->data, end ? (size_t)(end - rest->data) : rest->length };
        const char *equals;

        rest->data += part.length;
        rest->length -= part.length;
        if (end) {
            rest->data++;
            rest->length--;
        }
        part = wps_slice_trim(part);
        if (!part.length)
            continue;
        equals = memchr(part.data, '=', part.length);
        name->data = part.data;
        name->length = equals ? (size_t)(equals - part.data) : part.length;
        *name = wps_slice_trim(*name);
        *value = wps_slice_of(NULL);
        if (equals) {
            struct wps_slice after = { equals + 1, part.length - (size_t)(equals + 1 - part.data) };
            *value = wps_slice_trim(after);
        }
        return true;
    }
    return false;
}

static bool appears_again(struct wps_slice rest, struct wps_slice wanted)
{
    struct wps_slice name, value;

    while (next_part(&rest, &name, &value))
        if (wps_slice_equal_nocase(name, wanted))
            return true;
    return false;
}

/* What a connection string says of Entra ID, in the place of a key. */
static enum wps_kind check_auth_type(const struct wps_connection_string *parts, struct wps_error *error)
{
    enum { SHOWN = 32 };
    static const char argument[] = "connection_string";
    struct wps_slice kind = parts->auth_type;
    bool is_application = wps_slice_is(kind, "azure.app");

    if (!wps_slice_is(kind, "azure") && !wps_slice_is(kind, "azure.msi") && !is_application)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                        "connection_string has AuthType=%.*s, which is unknown; expected azure, azure.msi or azure.app",
                        wps_slice_has_control(kind) ? 0 : (int)(kind.length < SHOWN ? kind.length : SHOWN), kind.data);
    if (parts->key.data)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                        "connection_string has AuthType and AccessKey; it can have one of them");
    if (is_application && !(parts->client_id.length && parts->secret.length && parts->tenant.length))
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                        "connection_string with AuthType=azure.app needs ClientId, ClientSecret and TenantId");
    return WPS_OK;
}

enum wps_kind wps_connection_string_parse(struct wps_connection_string *parts, struct wps_slice text,
                                          struct wps_error *error)
{
    static const char form[] = "expected Endpoint=https://<name>.webpubsub.azure.com;AccessKey=<key>;Version=1.0;";
    static const char argument[] = "connection_string";
    struct wps_slice rest = text, name, value, port = { NULL, 0 };
    const struct {
        const char *name;
        struct wps_slice *value;
    } keys[] = {
        { "Endpoint", &parts->endpoint }, { "AccessKey", &parts->key },       { "Port", &port },
        { "AuthType", &parts->auth_type }, { "ClientId", &parts->client_id }, { "ClientSecret", &parts->secret },
        { "TenantId", &parts->tenant },
    };

    memset(parts, 0, sizeof *parts);
    while (next_part(&rest, &name, &value)) {
        if (!value.data)
            return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                            "connection_string has a part without '='; %s", form);
        if (appears_again(rest, name))
            return wps_fail(error, WPS_ARGUMENT, argument, "invalid", "connection_string has a key twice; %s", form);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (wps_slice_is(name, keys[i].name))
                *keys[i].value = value;
    }
    if (!parts->endpoint.length)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid", "connection_string has no Endpoint; %s", form);
    if (parts->auth_type.data && check_auth_type(parts, error))
        return error->kind;
    if (!parts->auth_type.data && !parts->key.length)
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid", "connection_string has no AccessKey; %s", form);
    if (port.data && !(parts->port = parse_port(port)))
        return wps_fail(error, WPS_ARGUMENT, argument, "invalid",
                        "the Port of connection_string must be a number from 1 to 65535");
    return WPS_OK;
}

/* ------------------------------------------------------------------ endpoint */

size_t wps_origin_length(struct wps_slice url)
{
    const char *colon = url.length ? memchr(url.data, ':', url.length) : NULL;
    size_t at = colon ? (size_t)(colon - url.data) + 3 : url.length;

    while (at < url.length && url.data[at] != '/')
        at++;
    return at < url.length ? at : 0;
}

/* Takes a number from 0 to 255 off the text; negative: there is none. Like inet_pton(), it knows no leading zeros. */
static int take_octet(struct wps_slice *text)
{
    int value = 0;
    size_t digits = 0;

    for (; digits < text->length && digits < 3 && is_digit(text->data[digits]); digits++)
        value = value * 10 + (text->data[digits] - '0');
    if (!digits || value > 255 || (digits > 1 && text->data[0] == '0'))
        return -1;
    text->data += digits;
    text->length -= digits;
    return value;
}

/* What is no address is a name, which a name server may lead anywhere: 127.evil.example, but 127.0.0.256 as well. */
static bool is_loopback_address(struct wps_slice text)
{
    bool loopback = take_octet(&text) == 127;

    for (int i = 0; loopback && i < 3; i++) {
        loopback = text.length && text.data[0] == '.';
        text.data += loopback;
        text.length -= loopback;
        loopback = loopback && take_octet(&text) >= 0;
    }
    return loopback && !text.length;
}

static bool host_is_loopback(struct wps_slice host)
{
    return wps_slice_is(host, "localhost") || wps_slice_is(host, "[::1]") || is_loopback_address(host);
}

static bool host_is_valid(struct wps_slice host)
{
    bool literal = host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';

    if (!host.length)
        return false;
    for (size_t i = literal; i < host.length - literal; i++) {
        char byte = host.data[i];
        bool valid = literal ? is_hex(byte) || byte == ':' || byte == '.'
                             : is_alphanumeric(byte) || byte == '-' || byte == '.' || byte == '_';
        if (!valid)
            return false;
    }
    return true;
}

/* Splits "host[:port]"; an IPv6 address keeps its brackets. False: the port is no port. */
static bool split_authority(struct wps_slice authority, struct wps_slice *host, int *port)
{
    const char *close = authority.length ? memchr(authority.data, ']', authority.length) : NULL;
    size_t from = close ? (size_t)(close - authority.data) : 0;
    const char *colon = authority.length ? memchr(authority.data + from, ':', authority.length - from) : NULL;

    *host = authority;
    if (colon) {
        struct wps_slice digits = { colon + 1, authority.length - (size_t)(colon + 1 - authority.data) };
        host->length = (size_t)(colon - authority.data);
        *port = parse_port(digits);
        return *port != 0;
    }
    return true;
}

bool wps_proxy_is_loopback(struct wps_slice url)
{
    struct wps_slice rest = url, host;
    int port = 0;

    for (size_t i = 0; i + 2 < url.length && rest.data == url.data; i++)
        if (memcmp(url.data + i, "://", 3) == 0) {
            rest.data += i + 3;
            rest.length -= i + 3;
        }
    for (size_t i = 0; i < rest.length; i++)
        if (strchr("/?#", rest.data[i])) /* a NUL as well */
            rest.length = i;
    for (size_t i = rest.length; i > 0; i--)
        if (rest.data[i - 1] == '@') { /* after a user's name and password */
            rest.data += i;
            rest.length -= i;
            break;
        }
    return split_authority(rest, &host, &port) && host_is_loopback(host);
}

/* ------------------------------------------------------------------ dot segments */

enum { MOST_DECODINGS = 2 };

/* The first byte of the text after decoding it `times` times, and how many bytes of the text it takes; 0: none left. */
static size_t decode_byte(struct wps_slice text, int times, int *byte)
{
    size_t taken = 0, used = 0;
    int bytes[3] = { 0 }, wanted = times ? 3 : 1, got = 0;

    if (!times) {
        *byte = text.length ? (unsigned char)text.data[0] : 0;
        return text.length > 0;
    }
    for (; got < wanted; got++) {
        struct wps_slice rest = { text.data + used, text.length - used };
        size_t length = decode_byte(rest, times - 1, &bytes[got]);
        if (!length)
            break;
        used += length;
        if (!got)
            taken = length;
        if (bytes[0] != '%')
            break;
    }
    *byte = bytes[0];
    if (got == 3 && hex_value(bytes[1]) >= 0 && hex_value(bytes[2]) >= 0) {
        *byte = hex_value(bytes[1]) << 4 | hex_value(bytes[2]);
        taken = used;
    }
    return taken;
}

/* What ends a segment somewhere on the way: servlets cut parameters off at ";", others read "\" as "/", and a NUL, "?"
 * or "#" that was decoded too early ends the path. */
static bool ends_segment(int byte)
{
    return byte == '/' || byte == '\\' || byte == ';' || byte == '?' || byte == '#' || byte == '\0';
}

static bool has_dots_decoded(struct wps_slice path, int times)
{
    size_t dots = 0, other = 0, length;

    do {
        int byte;
        length = decode_byte(path, times, &byte);
        path.data += length;
        path.length -= length;
        if (!length || ends_segment(byte)) {
            if ((dots == 1 || dots == 2) && !other)
                return true;
            dots = other = 0;
        } else if (byte == '.') {
            dots++;
        } else if (byte >= ' ') { /* some parsers drop control bytes */
            other++;
        }
    } while (length);
    return false;
}

bool wps_path_has_dots(struct wps_slice path)
{
    if (!path.length || !(memchr(path.data, '.', path.length) || memchr(path.data, '%', path.length)))
        return false;
    for (int times = 0; times <= MOST_DECODINGS; times++)
        if (has_dots_decoded(path, times))
            return true;
    return false;
}

bool wps_segment_is_hollow(struct wps_slice segment)
{
    for (int times = 0; times <= MOST_DECODINGS; times++) {
        struct wps_slice rest = segment;
        size_t length;
        bool hollow = true;
        int byte;

        while (hollow && (length = decode_byte(rest, times, &byte))) {
            hollow = ends_segment(byte) || byte < ' ';
            rest.data += length;
            rest.length -= length;
        }
        if (hollow)
            return true;
    }
    return false;
}

/* Nothing that a URL parser on the way could read as something else. */
static bool path_is_valid(struct wps_slice path)
{
    for (size_t i = 0; i < path.length; i++) {
        char byte = path.data[i];

        if (byte == '%') {
            if (path.length - i < 3 || !is_hex(path.data[i + 1]) || !is_hex(path.data[i + 2]))
                return false;
            i += 2;
        } else if (!is_alphanumeric(byte) && (byte == '\0' || !strchr("/.-_~!$&'()*+,;=:@", byte))) {
            return false;
        }
    }
    return !wps_path_has_dots(path);
}

static void append_lower(struct wps_buffer *buffer, struct wps_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char byte = wps_lower(text.data[i]);
        wps_buffer_append(buffer, &byte, 1);
    }
}

/* Takes "http://" or "https://" off the text; without a scheme it is https. False: another scheme. */
static bool take_scheme(struct wps_slice *text, bool *secure)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(schemes[i]);
        struct wps_slice start = { text->data, length };
        if (text->length >= length && wps_slice_is(start, schemes[i])) {
            *secure = i == 1;
            text->data += length;
            text->length -= length;
            return true;
        }
    }
    *secure = true;
    for (size_t i = 0; i + 2 < text->length; i++)
        if (memcmp(text->data + i, "://", 3) == 0)
            return false;
    return true;
}

enum wps_kind wps_base_parse(struct wps_base *base, struct wps_slice text, int port, const char *what,
                             struct wps_error *error)
{
    struct wps_slice rest = wps_slice_trim(text), authority, host;
    const char *slash;
    int written_port = 0;

    wps_base_free(base);
    if (!take_scheme(&rest, &base->secure))
        return wps_fail(error, WPS_ARGUMENT, what, "invalid", "%s must begin with https:// or http://", what);
    while (rest.length && rest.data[rest.length - 1] == '/')
        rest.length--;
    slash = rest.length ? memchr(rest.data, '/', rest.length) : NULL;
    authority.data = rest.data;
    authority.length = slash ? (size_t)(slash - rest.data) : rest.length;
    rest.data += authority.length;
    rest.length -= authority.length;
    if (!split_authority(authority, &host, &written_port))
        return wps_fail(error, WPS_ARGUMENT, what, "invalid", "the port of %s must be a number from 1 to 65535", what);
    if (!host_is_valid(host))
        return wps_fail(error, WPS_ARGUMENT, what, "invalid",
                        "%s must have the form https://host[:port][/path]; its host may have ASCII letters, digits, "
                        "'-', '.' and '_' only (an international name in its xn-- form)", what);
    if (!path_is_valid(rest))
        return wps_fail(error, WPS_ARGUMENT, what, "invalid",
                        "the path of %s must have no query, fragment or dot segments, and only characters that a URL "
                        "allows", what);
    if (!port)
        port = written_port;
    base->loopback = host_is_loopback(host);
    wps_buffer_text(&base->url, base->secure ? "https://" : "http://");
    append_lower(&base->url, host);
    if (port && port != (base->secure ? 443 : 80)) {
        wps_buffer_text(&base->url, ":");
        wps_buffer_integer(&base->url, port);
    }
    base->origin = base->url.length;
    wps_buffer_append(&base->url, rest.data, rest.length);
    return wps_buffer_check(&base->url, error, what);
}

void wps_base_free(struct wps_base *base)
{
    wps_buffer_free(&base->url);
    memset(base, 0, sizeof *base);
}

enum wps_kind wps_hub_check(struct wps_slice hub, struct wps_error *error)
{
    bool valid = hub.length >= 1 && hub.length <= 128 && is_alphanumeric(hub.data[0]) && !is_digit(hub.data[0]);

    if (!hub.data)
        return wps_fail(error, WPS_ARGUMENT, "hub", "missing", "hub is missing: the name of the hub, such as \"chat\"");
    for (size_t i = 0; valid && i < hub.length; i++)
        valid = is_alphanumeric(hub.data[i]) || (hub.data[i] != '\0' && strchr("_`,.[]", hub.data[i]));
    if (!valid)
        return wps_fail(error, WPS_ARGUMENT, "hub", hub.length ? "invalid" : "empty",
                        "hub must be 1 to 128 characters: a letter, then letters, digits and _ ` , . [ ]");
    return WPS_OK;
}

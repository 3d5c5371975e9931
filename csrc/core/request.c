/* request.c - an operation and its arguments become a method, a URL, headers and a body. */
#include "core/headers.h"
#include "core/json.h"
#include "core/service.h"

#include <stdio.h>
#include <string.h>

enum { MAX_GROUP_CHARACTERS = 1024 };

void wps_request_begin(struct wps_request *request, const struct wps_operation *operation)
{
    request->operation = operation;
    request->body.maximum = WPS_MAX_BODY;
    request->url.maximum = request->target.maximum = request->query.maximum = WPS_MAX_BUILT;
}

void wps_request_free(struct wps_request *request)
{
    wps_buffer_free(&request->url);
    wps_buffer_free(&request->target);
    wps_buffer_free(&request->headers);
    wps_buffer_free(&request->body);
    wps_buffer_free(&request->query);
}

/* ------------------------------------------------------------------ what a value may be */

/* A segment that something on the way may fold away would turn a call for one user into one for the whole hub. Escaping
 * does not help: parsers fold %2E as well, and a gateway that decodes %2F makes several segments of one. */
static enum wps_kind check_segment(struct wps_slice value, const char *name, struct wps_error *error)
{
    if (wps_path_has_dots(value))
        return wps_fail(error, WPS_ARGUMENT, name, "invalid",
                        "%s must not be or contain a dot segment (\".\" or \"..\", also between / \\ ; ? # or escaped): "
                        "what decodes the URL on the way would make another resource of it", name);
    if (wps_segment_is_hollow(value))
        return wps_fail(error, WPS_ARGUMENT, name, "invalid",
                        "%s must not consist of / \\ ; ? # only: what decodes the URL on the way and merges slashes would "
                        "leave nothing of it", name);
    if (wps_slice_has_control(value))
        return wps_fail(error, WPS_ARGUMENT, name, "invalid", "%s must not have control bytes", name);
    return WPS_OK;
}

static enum wps_kind check_group(struct wps_slice value, const char *name, struct wps_error *error)
{
    size_t characters = 0;

    for (size_t i = 0; i < value.length; i++)
        characters += ((unsigned char)value.data[i] & 0xc0) != 0x80;
    if (characters > MAX_GROUP_CHARACTERS)
        return wps_fail(error, WPS_ARGUMENT, name, "invalid", "%s has %zu characters; at most %d are allowed", name,
                        characters, MAX_GROUP_CHARACTERS);
    if (wps_slice_trim(value).length == 0)
        return wps_fail(error, WPS_ARGUMENT, name, "invalid", "%s must not be all white space", name);
    return WPS_OK;
}

static enum wps_kind check_choice(const struct wps_parameter *parameter, struct wps_slice value,
                                  struct wps_error *error)
{
    for (size_t i = 0; i < sizeof parameter->choices / sizeof *parameter->choices && parameter->choices[i]; i++)
        if (wps_slice_equal(value, wps_slice_of(parameter->choices[i])))
            return WPS_OK;
    return wps_fail(error, WPS_ARGUMENT, parameter->name, "invalid", "%s must be %s", parameter->name,
                    parameter->doc);
}

/* `name` is the argument as its user wrote it: "excluded[2]". */
static enum wps_kind check_text(const struct wps_parameter *parameter, const char *name, struct wps_slice value,
                                struct wps_error *error)
{
    enum wps_kind failed = WPS_OK;

    if (!value.length && (parameter->type != WPS_TEXT || parameter->place == WPS_IN_PATH))
        return wps_fail(error, WPS_ARGUMENT, name, "empty", "%s must not be empty; expected %s", name, parameter->doc);
    if (!wps_slice_is_utf8(value))
        return wps_fail(error, WPS_ARGUMENT, name, "invalid", "%s must be UTF-8", name);
    if (parameter->type == WPS_GROUP || parameter->type == WPS_GROUPS)
        failed = check_group(value, name, error);
    if (!failed && parameter->type == WPS_CHOICE)
        failed = check_choice(parameter, value, error);
    if (!failed && parameter->place == WPS_IN_PATH)
        failed = check_segment(value, name, error);
    return failed;
}

/* One of a list's; 0: the argument is no list. The name with its position is made for an error only. */
static enum wps_kind check_item(const struct wps_parameter *parameter, int item, struct wps_slice value,
                                struct wps_error *error)
{
    char numbered[48];

    if (!check_text(parameter, parameter->name, value, error) || !item)
        return error->kind;
    snprintf(numbered, sizeof numbered, "%s[%d]", parameter->name, item);
    *error = (struct wps_error){ 0 };
    return check_text(parameter, numbered, value, error);
}

/* ------------------------------------------------------------------ where a value goes */

/* The bit in `given` of the operation's parameter of this type; 0: it has none. */
static unsigned bit_of(const struct wps_operation *operation, enum wps_type type)
{
    for (int i = 0; i < WPS_MAX_PARAMETERS && operation->parameters[i]; i++)
        if (operation->parameters[i]->type == type)
            return 1u << i;
    return 0;
}

static enum wps_kind set_media_type(struct wps_request *request, struct wps_slice value, struct wps_error *error)
{
    static const struct {
        const char *name, *mime;
    } types[] = { { "text", "text/plain" }, { "json", "application/json" }, { "binary", "application/octet-stream" } };

    if (request->given & bit_of(request->operation, WPS_JSON))
        return wps_fail(error, WPS_ARGUMENT, "content_type", "invalid",
                        "json is sent as application/json; give content_type with content only");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (wps_slice_is(value, types[i].name) || wps_slice_is(value, types[i].mime)) {
            request->content_type = types[i].mime;
            return WPS_OK;
        }
    return wps_fail(error, WPS_ARGUMENT, "content_type", "invalid",
                    "content_type must be \"text\", \"json\", \"binary\", \"text/plain\", \"application/json\" or "
                    "\"application/octet-stream\"");
}

static enum wps_kind set_content(struct wps_request *request, struct wps_slice value, struct wps_error *error)
{
    if (value.length > WPS_MAX_BODY)
        return wps_fail(error, WPS_ARGUMENT, "content", "invalid", "content has %zu bytes; at most %d (1 MiB) can be sent",
                        value.length, WPS_MAX_BODY);
    wps_buffer_append(&request->body, value.data, value.length);
    request->has_body = true;
    if (!request->content_type)
        request->content_type = "text/plain";
    return wps_buffer_check(&request->body, error, "content");
}

struct wps_buffer *wps_request_json(struct wps_request *request, int index, struct wps_error *error)
{
    if (request->has_body) {
        wps_fail(error, WPS_ARGUMENT, "json", "invalid", "content and json are both given; give one of them");
        return NULL;
    }
    request->given |= 1u << index | bit_of(request->operation, WPS_CONTENT);
    request->content_type = "application/json";
    request->has_body = true;
    return &request->body;
}

static void add_query(struct wps_buffer *buffer, const char *name, struct wps_slice value)
{
    wps_buffer_text(buffer, "&");
    wps_buffer_text(buffer, name);
    wps_buffer_text(buffer, "=");
    wps_escape(buffer, value);
}

/* A member of the JSON body. The object stays open until wps_request_finish(); a list is closed after each item and
 * opened again for the next. */
static void add_member(struct wps_request *request, const struct wps_parameter *parameter, int item,
                       struct wps_slice value)
{
    struct wps_buffer *body = &request->body;

    if (body->failed)
        return; /* cutting it would forget the failure */
    if (item > 1) {
        wps_buffer_truncate(body, body->length - 1);
        wps_buffer_text(body, ",");
    } else {
        wps_buffer_text(body, body->length ? "," : "{");
        wps_json_string(body, wps_slice_of(parameter->wire));
        wps_buffer_text(body, item ? ":[" : ":");
    }
    wps_json_string(body, value);
    if (item)
        wps_buffer_text(body, "]");
    request->has_body = request->body_is_object = true;
    request->content_type = "application/json";
}

/* `whole` is what has become too long with this parameter. */
static enum wps_kind check_room(const struct wps_buffer *buffer, const struct wps_parameter *parameter,
                                const char *whole, struct wps_error *error)
{
    if (buffer->failed == WPS_ARGUMENT)
        return wps_fail(error, WPS_ARGUMENT, parameter->name, "invalid", "with %s %s is longer than %zu bytes",
                        parameter->name, whole, buffer->maximum);
    return wps_buffer_check(buffer, error, whole);
}

enum wps_kind wps_request_text(struct wps_request *request, int index, int item, struct wps_slice value,
                               struct wps_error *error)
{
    const struct wps_parameter *parameter = request->operation->parameters[index];
    size_t before = request->query.length;

    request->given |= 1u << index;
    if (parameter->type == WPS_CONTENT)
        return set_content(request, value, error);
    if (parameter->type == WPS_MEDIA)
        return set_media_type(request, value, error);
    if (check_item(parameter, item, value, error))
        return error->kind;
    if (parameter->place == WPS_IN_PATH) {
        request->path_values[index] = value;
        request->bytes[index] = value.length;
        return WPS_OK;
    }
    if (parameter->place == WPS_IN_BODY) {
        add_member(request, parameter, item, value);
        return check_room(&request->body, parameter, "the body", error);
    }
    add_query(&request->query, parameter->wire, value);
    request->bytes[index] += request->query.length - before;
    return check_room(&request->query, parameter, "the URL", error);
}

enum wps_kind wps_request_integer(struct wps_request *request, int index, int64_t value, struct wps_error *error)
{
    const struct wps_parameter *parameter = request->operation->parameters[index];

    request->given |= 1u << index;
    if (value < parameter->minimum || value > parameter->maximum)
        return wps_fail(error, WPS_ARGUMENT, parameter->name, "invalid", "%s must be from %lld to %lld; it is %lld",
                        parameter->name, (long long)parameter->minimum, (long long)parameter->maximum,
                        (long long)value);
    wps_buffer_text(&request->query, "&");
    wps_buffer_text(&request->query, parameter->wire);
    wps_buffer_text(&request->query, "=");
    wps_buffer_integer(&request->query, value);
    return WPS_OK;
}

/* ------------------------------------------------------------------ the whole */

static void append_path(struct wps_request *request)
{
    const struct wps_operation *operation = request->operation;
    const char *path = operation->path;

    while (*path) {
        size_t literal = strcspn(path, "{");
        wps_buffer_append(&request->url, path, literal);
        path += literal;
        if (*path == '{') {
            struct wps_slice name = { path + 1, strcspn(path + 1, "}") };
            for (int i = 0; i < WPS_MAX_PARAMETERS && operation->parameters[i]; i++)
                if (wps_slice_equal(name, wps_slice_of(operation->parameters[i]->name))) {
                    size_t before = request->url.length;
                    wps_escape(&request->url, request->path_values[i]);
                    if (!request->url.failed)
                        request->bytes[i] = request->url.length - before;
                }
            path += name.length + 2;
        }
    }
}

static enum wps_kind check_required(const struct wps_request *request, struct wps_error *error)
{
    const struct wps_operation *operation = request->operation;

    for (int i = 0; i < WPS_MAX_PARAMETERS && operation->parameters[i]; i++) {
        const struct wps_parameter *parameter = operation->parameters[i];
        if (parameter->required && !(request->given & 1u << i))
            return wps_fail(error, WPS_ARGUMENT, parameter->name, "missing", "%s is missing: %s", parameter->name,
                            parameter->doc);
    }
    return WPS_OK;
}

/* The parameter that takes the most of the URL, as the one to shorten; NULL: none takes any. */
static const struct wps_parameter *longest_parameter(const struct wps_request *request, size_t *bytes)
{
    const struct wps_parameter *longest = NULL;

    *bytes = 0;
    for (int i = 0; i < WPS_MAX_PARAMETERS; i++)
        if (request->bytes[i] > *bytes) {
            *bytes = request->bytes[i];
            longest = request->operation->parameters[i];
        }
    return longest;
}

enum wps_kind wps_request_check_size(const struct wps_request *request, size_t maximum, size_t token_bytes,
                                     struct wps_error *error)
{
    const size_t url = request->url.length, headers = request->headers.length + token_bytes;
    const size_t most_headers = maximum / 3 * 4;
    const struct wps_parameter *longest;
    char share[96] = "";
    size_t bytes;

    if (url <= maximum && headers <= most_headers)
        return WPS_OK;
    longest = longest_parameter(request, &bytes);
    if (longest)
        snprintf(share, sizeof share, ", %zu of them for %s", bytes, longest->name);
    if (url > maximum)
        return wps_fail(error, WPS_ARGUMENT, longest ? longest->name : "the URL", "invalid",
                        "the URL has %zu bytes%s; the service takes at most %zu (option max_url_bytes)", url, share,
                        maximum);
    if (!longest || !token_bytes || bytes < url / 2)
        return wps_fail(error, WPS_ARGUMENT, "headers", "invalid",
                        "the request has %zu bytes of headers; the service takes at most %zu (option max_url_bytes, and "
                        "a third more)", headers, most_headers);
    return wps_fail(error, WPS_ARGUMENT, longest->name, "invalid",
                    "the request has %zu bytes of headers with its token, which repeats the URL of %zu bytes%s; the "
                    "service takes at most %zu (option max_url_bytes, and a third more)", headers, url, share,
                    most_headers);
}

/* The target is what the server is asked for: a reverse proxy has its own path in front of the original one. */
static enum wps_kind derive_target(struct wps_request *request, const struct wps_endpoint *endpoint,
                                   struct wps_error *error)
{
    const struct wps_base *proxy = &endpoint->proxy;
    size_t origin = endpoint->service.origin;

    if (wps_buffer_check(&request->url, error, "the URL"))
        return error->kind;
    wps_buffer_truncate(&request->target, 0);
    if (proxy->url.length)
        wps_buffer_append(&request->target, proxy->url.data + proxy->origin, proxy->url.length - proxy->origin);
    wps_buffer_append(&request->target, request->url.data + origin, request->url.length - origin);
    return wps_buffer_check(&request->target, error, "the URL");
}

enum wps_kind wps_request_finish(struct wps_request *request, const struct wps_endpoint *endpoint,
                                 struct wps_slice hub, struct wps_error *error)
{
    struct wps_buffer *url = &request->url;
    const struct wps_parameter *longest;
    size_t bytes;

    if (check_required(request, error))
        return error->kind;
    wps_buffer_append(url, endpoint->service.url.data, endpoint->service.url.length);
    wps_buffer_text(url, "/api");
    if (!request->operation->hubless) {
        wps_buffer_text(url, "/hubs/");
        wps_escape(url, hub);
    }
    append_path(request);
    longest = longest_parameter(request, &bytes);
    if (longest && check_room(url, longest, "the URL", error))
        return error->kind;
    wps_buffer_text(url, "?api-version=" WPS_API_VERSION);
    wps_buffer_append(url, wps_buffer_string(&request->query), request->query.length);
    if (request->body_is_object)
        wps_buffer_text(&request->body, "}");
    if (request->has_body)
        wps_headers_set(&request->headers, wps_slice_of("Content-Type"), wps_slice_of(request->content_type));
    if (wps_buffer_check(&request->query, error, "the URL") || wps_buffer_check(&request->body, error, "the body")
        || wps_buffer_check(&request->headers, error, "headers"))
        return error->kind;
    return derive_target(request, endpoint, error);
}

/* ------------------------------------------------------------------ changes afterwards */

enum wps_kind wps_request_add_query(struct wps_request *request, struct wps_slice name, struct wps_slice value,
                                    size_t maximum, struct wps_error *error)
{
    struct wps_buffer *const buffers[] = { &request->url, &request->target };
    const size_t before[] = { request->url.length, request->target.length };

    if (!name.length)
        return wps_fail(error, WPS_ARGUMENT, "name", "empty", "the name of a query parameter must not be empty");
    for (int i = 0; i < 2; i++) {
        wps_buffer_text(buffers[i], "&");
        wps_escape(buffers[i], name);
        wps_buffer_text(buffers[i], "=");
        wps_escape(buffers[i], value);
        wps_buffer_check(buffers[i], error, "the URL");
    }
    if (request->url.length > maximum)
        wps_fail(error, WPS_ARGUMENT, "value", "invalid",
                 "with this query parameter the URL has %zu bytes; the service takes at most %zu (option max_url_bytes)",
                 request->url.length, maximum);
    for (int i = 0; i < 2 && error->kind; i++) /* both or neither: what is signed must be what is sent */
        wps_buffer_truncate(buffers[i], before[i]);
    return error->kind;
}

enum wps_kind wps_request_follow(struct wps_request *request, const struct wps_endpoint *endpoint,
                                 struct wps_slice url, size_t maximum, struct wps_error *error)
{
    const struct wps_base *service = &endpoint->service;
    struct wps_slice origin = { url.data, wps_origin_length(url) };
    struct wps_base base = { 0 };
    struct wps_error ignored = { 0 };
    struct wps_slice path = { url.data + origin.length, 0 };
    bool printable = origin.length > 0 && origin.length < url.length;
    bool same;

    for (size_t i = 0; printable && i < url.length; i++)
        printable = url.data[i] > ' ' && url.data[i] < 0x7f && url.data[i] != '#';
    if (!printable)
        return wps_fail(error, WPS_PROTOCOL, NULL, "malformed", "the link to the next page is not an absolute URL");
    while (path.length < url.length - origin.length && path.data[path.length] != '?')
        path.length++;
    if (wps_path_has_dots(path)) /* behind a reverse proxy they could lead out of the service */
        return wps_fail(error, WPS_PROTOCOL, NULL, "malformed",
                        "the link to the next page has dot segments, plain or escaped");
    if (url.length > maximum)
        return wps_fail(error, WPS_PROTOCOL, NULL, "too_large", "the link to the next page has %zu bytes; the service "
                        "takes at most %zu (option max_url_bytes)", url.length, maximum);
    same = !wps_base_parse(&base, origin, 0, "nextLink", &ignored) && base.url.length == service->origin
           && memcmp(base.url.data, service->url.data, service->origin) == 0;
    wps_base_free(&base);
    if (ignored.kind == WPS_NO_MEMORY)
        return wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    if (!same)
        return wps_fail(error, WPS_PROTOCOL, NULL, "foreign_link",
                        "the link to the next page leads to another server; it was not followed");
    wps_buffer_truncate(&request->url, service->origin);
    wps_buffer_append(&request->url, url.data + origin.length, url.length - origin.length);
    return derive_target(request, endpoint, error);
}

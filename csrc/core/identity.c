/* identity.c - who asks for a token, where, and with what. See identity.h. */
#include "core/identity.h"
#include "core/headers.h"
#include "core/json.h"

#include <string.h>

/* Announces that this client understands claims challenges. */
#define CAPABILITIES "\"xms_cc\":{\"values\":[\"cp1\"]}"

static const struct wps_json_limits claims_limits = { .bytes = 16384, .values = 1000, .depth = 16 };

/* How each managed identity is asked. */
static const struct {
    const char *name;
    const char *version; /* NULL: none */
    const char *secret;  /* the header that has it */
    const char *ids[4];  /* by wps_principal, the parameter's name; NULL: it cannot be chosen so */
    bool metadata;       /* with the header "Metadata: true" */
} sources[] = {
    [WPS_CLIENT_SECRET] = { .name = "Entra ID" },
    [WPS_ASSERTION] = { .name = "Entra ID" },
    [WPS_SERVICE_FABRIC] = { .name = "Service Fabric", .version = "2019-07-01-preview", .secret = "secret" },
    [WPS_APP_SERVICE] = { .name = "App Service", .version = "2019-08-01", .secret = "X-IDENTITY-HEADER",
                          .ids = { NULL, "client_id", "principal_id", "mi_res_id" } },
    [WPS_ARC] = { .name = "Azure Arc", .version = "2020-06-01", .metadata = true },
    [WPS_AZURE_ML] = { .name = "Azure ML", .version = "2017-09-01", .secret = "secret",
                       .ids = { NULL, "clientid", NULL, NULL } },
    [WPS_CLOUD_SHELL] = { .name = "Cloud Shell", .metadata = true },
    [WPS_IMDS] = { .name = "IMDS", .version = "2018-02-01", .metadata = true,
                   .ids = { NULL, "client_id", "object_id", "msi_res_id" } },
};

const char *wps_source_name(enum wps_source source)
{
    return sources[source].name;
}

bool wps_source_is_managed(enum wps_source source)
{
    return source > WPS_ASSERTION;
}

/* ------------------------------------------------------------------ where */

enum nearness { FAR, PRIVATE, LINK_LOCAL, THIS_MACHINE };

static bool parse_ipv4(struct wps_slice host, unsigned char bytes[4])
{
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        int value = 0;
        size_t start = at;

        while (at < host.length && at - start < 3 && host.data[at] >= '0' && host.data[at] <= '9')
            value = value * 10 + (host.data[at++] - '0');
        /* a leading zero is octal to some */
        if (at == start || value > 255 || (at - start > 1 && host.data[start] == '0'))
            return false;
        if (i < 3 && (at >= host.length || host.data[at++] != '.'))
            return false;
        bytes[i] = (unsigned char)value;
    }
    return at == host.length;
}

static bool has_prefix(struct wps_slice text, const char *prefix)
{
    struct wps_slice start = { text.data, strlen(prefix) };

    return text.length >= start.length && wps_slice_is(start, prefix);
}

static enum nearness nearness_of(const struct wps_base *base)
{
    struct wps_slice host = { base->url.data + (base->secure ? 8 : 7), base->origin - (base->secure ? 8 : 7) };
    unsigned char ip[4];
    const char *colon;

    if (base->loopback)
        return THIS_MACHINE;
    if (has_prefix(host, "[fe8") || has_prefix(host, "[fe9") || has_prefix(host, "[fea") || has_prefix(host, "[feb"))
        return LINK_LOCAL;
    if (has_prefix(host, "[fc") || has_prefix(host, "[fd"))
        return PRIVATE;
    colon = memchr(host.data, ':', host.length);
    if (colon)
        host.length = (size_t)(colon - host.data);
    if (!parse_ipv4(host, ip))
        return FAR;
    if (ip[0] == 169 && ip[1] == 254)
        return LINK_LOCAL;
    if (ip[0] == 10 || (ip[0] == 100 && (ip[1] & 0xc0) == 64) || (ip[0] == 172 && (ip[1] & 0xf0) == 16)
        || (ip[0] == 192 && ip[1] == 168))
        return PRIVATE;
    return FAR;
}

bool wps_identity_is_near(const struct wps_identity *identity)
{
    return wps_source_is_managed(identity->source) || nearness_of(&identity->place) == THIS_MACHINE;
}

/* Whoever reads a token request can be this client. */
static enum wps_kind check_place(const struct wps_base *place, enum wps_source source, const char *name,
                                 struct wps_error *error)
{
    enum nearness nearness = nearness_of(place);

    if (place->secure || nearness == THIS_MACHINE || nearness == LINK_LOCAL)
        return WPS_OK;
    if (wps_source_is_managed(source) && source != WPS_IMDS && nearness == PRIVATE)
        return WPS_OK;
    return wps_fail(error, WPS_ARGUMENT, name, "invalid",
                    "%s is plain http:// to another machine, which would read the token; use https://", name);
}

static enum wps_kind set_place(struct wps_identity *identity, const struct wps_identity_parts *parts,
                               struct wps_error *error)
{
    struct wps_slice text = wps_slice_trim(parts->place);

    if (!text.data)
        text = wps_slice_of(parts->source == WPS_IMDS ? WPS_IMDS_ENDPOINT : WPS_DEFAULT_AUTHORITY);
    if (wps_base_parse(&identity->place, text, 0, parts->place_name, error)
        || check_place(&identity->place, parts->source, parts->place_name, error))
        return error->kind;
    identity->trailing_slash = wps_source_is_managed(parts->source) && parts->source != WPS_IMDS
                               && text.data[text.length - 1] == '/';
    return WPS_OK;
}

/* ------------------------------------------------------------------ who */

/* It becomes a segment of the path. */
static enum wps_kind check_tenant(struct wps_slice tenant, struct wps_error *error)
{
    bool valid = tenant.length > 0 && !wps_path_has_dots(tenant);

    if (!tenant.data)
        return wps_fail(error, WPS_ARGUMENT, "tenant", "missing",
                        "tenant is missing: the directory's id, or one of its domains");
    for (size_t i = 0; valid && i < tenant.length; i++) {
        char byte = wps_lower(tenant.data[i]);
        valid = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' || byte == '-';
    }
    if (!valid)
        return wps_fail(error, WPS_ARGUMENT, "tenant", tenant.length ? "invalid" : "empty",
                        "tenant must be the directory's id or one of its domains: letters, digits, '.' and '-'");
    return WPS_OK;
}

static enum wps_kind check_word(struct wps_slice word, const char *name, const char *doc, struct wps_error *error)
{
    bool valid = word.length > 0;

    if (!word.data)
        return wps_fail(error, WPS_ARGUMENT, name, "missing", "%s is missing: %s", name, doc);
    for (size_t i = 0; valid && i < word.length; i++)
        valid = word.data[i] > ' ' && word.data[i] < 0x7f;
    if (!valid)
        return wps_fail(error, WPS_ARGUMENT, name, word.length ? "invalid" : "empty",
                        "%s must be %s, without blanks and control bytes", name, doc);
    return WPS_OK;
}

static const char scope_suffix[] = "/.default";

static enum wps_kind check_scope(struct wps_slice scope, struct wps_error *error)
{
    const size_t length = sizeof scope_suffix - 1;

    if (check_word(scope, "scope", "a resource and /.default", error))
        return error->kind;
    if (scope.length <= length || memcmp(scope.data + scope.length - length, scope_suffix, length) != 0)
        return wps_fail(error, WPS_ARGUMENT, "scope", "invalid", "scope must end with /.default, as in %s",
                        WPS_DEFAULT_SCOPE);
    return WPS_OK;
}

static enum wps_kind check_principal(const struct wps_identity_parts *parts, struct wps_error *error)
{
    static const char *const names[] = { "", "client_id", "object_id", "resource_id" };
    const char *name = names[parts->principal];

    if (parts->principal == WPS_SYSTEM_ASSIGNED)
        return WPS_OK;
    if (!sources[parts->source].ids[parts->principal])
        return wps_fail(error, WPS_ARGUMENT, name, "unsupported", "%s takes no %s%s", wps_source_name(parts->source),
                        name, parts->source == WPS_AZURE_ML ? "; give client_id" : ": it has one identity only");
    return check_word(parts->client_id, name, "the id of a managed identity", error);
}

static enum wps_kind check_parts(const struct wps_identity_parts *parts, struct wps_error *error)
{
    if (wps_source_is_managed(parts->source))
        return check_principal(parts, error);
    if (check_tenant(parts->tenant, error)
        || check_word(parts->client_id, "client_id", "the application's id", error))
        return error->kind;
    if (parts->source == WPS_CLIENT_SECRET && !parts->secret.length)
        return wps_fail(error, WPS_ARGUMENT, "secret", parts->secret.data ? "empty" : "missing",
                        "secret is %s: a client secret of the application", parts->secret.data ? "empty" : "missing");
    return WPS_OK;
}

/* Secrets of managed identities become headers. */
static enum wps_kind check_secret(const struct wps_identity_parts *parts, struct wps_error *error)
{
    bool is_header = wps_source_is_managed(parts->source);

    if (parts->secret.data && is_header && !wps_slice_is_header_value(parts->secret))
        return wps_fail(error, WPS_ARGUMENT, "secret", "invalid",
                        "the secret with which %s is asked has control bytes", wps_source_name(parts->source));
    return WPS_OK;
}

/* A source is asked as the service is; IMDS sometimes needs more than a minute while it is updated. */
static void set_limits(struct wps_limits *limits, enum wps_source source)
{
    static const int imds_statuses[] = { 404, 408, 410, 429, 500, 502, 503, 504 };

    *limits = wps_default_limits;
    limits->timeout = 30;
    if (source != WPS_IMDS)
        return;
    limits->timeout = 90;
    limits->retry.retries = 8;
    limits->retry.max_delay = 20;
    memset(limits->retry.statuses, 0, sizeof limits->retry.statuses);
    memcpy(limits->retry.statuses, imds_statuses, sizeof imds_statuses);
}

static void keep(struct wps_buffer *buffer, struct wps_slice text)
{
    wps_buffer_append(buffer, text.data, text.length);
}

enum wps_kind wps_identity_set(struct wps_identity *identity, const struct wps_identity_parts *parts,
                               struct wps_error *error)
{
    struct wps_slice scope = parts->scope.data ? parts->scope : wps_slice_of(WPS_DEFAULT_SCOPE);

    if (check_parts(parts, error) || check_secret(parts, error) || check_scope(scope, error)
        || set_place(identity, parts, error))
        return error->kind;
    identity->source = parts->source;
    identity->principal = parts->principal;
    keep(&identity->tenant, parts->tenant);
    keep(&identity->client_id, parts->client_id);
    keep(&identity->scope, scope);
    keep(&identity->secret, parts->secret);
    set_limits(&identity->limits, parts->source);
    if (wps_buffer_check(&identity->tenant, error, "tenant")
        || wps_buffer_check(&identity->client_id, error, "client_id")
        || wps_buffer_check(&identity->scope, error, "scope"))
        return error->kind;
    return wps_buffer_check(&identity->secret, error, "secret");
}

void wps_identity_free(struct wps_identity *identity)
{
    wps_base_free(&identity->place);
    wps_buffer_free(&identity->tenant);
    wps_buffer_free(&identity->client_id);
    wps_buffer_free(&identity->scope);
    wps_buffer_free(&identity->secret);
    wps_certificate_free(&identity->certificate);
}

/* ------------------------------------------------------------------ claims */

/* Where `text` is written on, with what, and what of it comes after. */
static void insert(struct wps_buffer *out, struct wps_slice text, size_t at, const char *what)
{
    struct wps_slice rest = { text.data + at, text.length - at };
    bool is_last = wps_slice_trim(rest).data[0] == '}';

    wps_buffer_append(out, text.data, at);
    wps_buffer_text(out, what);
    wps_buffer_text(out, is_last ? "" : ",");
    wps_buffer_append(out, rest.data, rest.length);
}

/* The claims of a challenge, and this client's capabilities with them. */
static enum wps_kind merge_claims(struct wps_buffer *out, struct wps_slice claims, struct wps_error *error)
{
    static const char *const outer[] = { "access_token", NULL }, *const inner[] = { "xms_cc", NULL };
    struct wps_json_reader reader;
    unsigned seen = 0, seen_inner = 0;
    size_t open = 0, open_inner = 0;
    bool valid;

    if (!claims.data) {
        wps_buffer_text(out, "{\"access_token\":{" CAPABILITIES "}}");
        return WPS_OK;
    }
    wps_json_begin(&reader, claims, &claims_limits);
    valid = wps_json_next(&reader) == WPS_JSON_OBJECT;
    open = reader.at;
    while (valid && wps_json_member(&reader, outer, &seen) >= 0) {
        valid = wps_json_next(&reader) == WPS_JSON_OBJECT;
        open_inner = reader.at;
        while (valid && wps_json_member(&reader, inner, &seen_inner) >= 0) {
            wps_json_next(&reader);
            wps_json_skip(&reader);
        }
    }
    if (!valid || !wps_json_end(&reader))
        return wps_fail(error, WPS_CREDENTIAL, NULL, "claims",
                        "the claims that the service asks for are not the JSON they should be");
    if (seen_inner)
        wps_buffer_append(out, claims.data, claims.length);
    else if (open_inner)
        insert(out, claims, open_inner, CAPABILITIES);
    else
        insert(out, claims, open, "\"access_token\":{" CAPABILITIES "}");
    return WPS_OK;
}

/* ------------------------------------------------------------------ requests */

static const struct wps_operation post = { .name = "get_token", .method = "POST", .unsigned_ = true };
static const struct wps_operation get = { .name = "get_token", .method = "GET", .unsigned_ = true };

static struct wps_slice slice_of(const struct wps_buffer *buffer)
{
    struct wps_slice slice = { buffer->data, buffer->length };

    return slice;
}

/* The scope without its suffix, which is how managed identities call it. */
static struct wps_slice resource_of(const struct wps_identity *identity)
{
    struct wps_slice resource = slice_of(&identity->scope);

    resource.length -= sizeof scope_suffix - 1;
    return resource;
}

static void add_field(struct wps_buffer *form, const char *name, struct wps_slice value)
{
    if (form->length && form->data[form->length - 1] != '?')
        wps_buffer_text(form, "&");
    wps_buffer_text(form, name);
    wps_buffer_text(form, "=");
    wps_escape(form, value);
}

void wps_identity_url(const struct wps_identity *identity, struct wps_buffer *url)
{
    wps_buffer_append(url, identity->place.url.data, identity->place.url.length);
    if (identity->source == WPS_IMDS) {
        wps_buffer_text(url, "/metadata/identity/oauth2/token");
    } else if (!wps_source_is_managed(identity->source)) {
        wps_buffer_text(url, "/");
        wps_buffer_append(url, identity->tenant.data, identity->tenant.length);
        wps_buffer_text(url, "/oauth2/v2.0/token");
    } else if (identity->trailing_slash || identity->place.url.length == identity->place.origin) {
        wps_buffer_text(url, "/");
    }
}

static enum wps_kind fill_form(const struct wps_identity *identity, struct wps_slice proof, struct wps_slice claims,
                               struct wps_request *request, struct wps_error *error)
{
    struct wps_buffer *form = &request->body, merged = { 0 };

    add_field(form, "grant_type", wps_slice_of("client_credentials"));
    add_field(form, "client_id", slice_of(&identity->client_id));
    add_field(form, "scope", slice_of(&identity->scope));
    if (identity->source == WPS_CLIENT_SECRET) {
        add_field(form, "client_secret", slice_of(&identity->secret));
    } else {
        add_field(form, "client_assertion_type",
                  wps_slice_of("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        add_field(form, "client_assertion", proof);
    }
    if (!merge_claims(&merged, claims, error) && !wps_buffer_check(&merged, error, "claims"))
        add_field(form, "claims", slice_of(&merged));
    wps_buffer_free(&merged);
    return error->kind;
}

static void fill_query(const struct wps_identity *identity, struct wps_buffer *url)
{
    const char *id = sources[identity->source].ids[identity->principal];

    wps_buffer_text(url, "?");
    add_field(url, "api-version", wps_slice_of(sources[identity->source].version));
    add_field(url, "resource", resource_of(identity));
    if (id)
        add_field(url, id, slice_of(&identity->client_id));
}

static void add_header(struct wps_request *request, const char *name, struct wps_slice value)
{
    wps_headers_add(&request->headers, wps_slice_of(name), value);
}

static void add_arc_key(struct wps_buffer *headers, struct wps_slice key)
{
    wps_buffer_text(headers, "Authorization: Basic ");
    wps_buffer_append(headers, key.data, key.length);
    wps_buffer_text(headers, "\r\n");
}

enum wps_kind wps_identity_request(const struct wps_identity *identity, struct wps_slice proof,
                                   struct wps_slice claims, struct wps_request *request, struct wps_error *error)
{
    bool managed = wps_source_is_managed(identity->source);
    bool has_form = !managed || identity->source == WPS_CLOUD_SHELL;

    if (proof.data && (!proof.length || !wps_slice_is_header_value(proof)))
        return wps_fail(error, WPS_CREDENTIAL, NULL, "proof", "the %s is empty or has control bytes",
                        managed ? "key file of Azure Arc" : "assertion");
    wps_request_begin(request, has_form ? &post : &get);
    request->has_body = has_form;
    wps_identity_url(identity, &request->url);
    add_header(request, "Accept", wps_slice_of("application/json"));
    if (sources[identity->source].metadata)
        add_header(request, "Metadata", wps_slice_of("true"));
    if (sources[identity->source].secret)
        add_header(request, sources[identity->source].secret, slice_of(&identity->secret));
    if (has_form)
        add_header(request, "Content-Type", wps_slice_of("application/x-www-form-urlencoded"));
    if (!managed)
        fill_form(identity, proof, claims, request, error);
    else if (has_form)
        add_field(&request->body, "resource", resource_of(identity));
    else
        fill_query(identity, &request->url);
    if (managed && proof.data)
        add_arc_key(&request->headers, proof);
    wps_buffer_append(&request->target, wps_buffer_string(&request->url) + identity->place.origin,
                      request->url.length - identity->place.origin);
    if (error->kind || wps_buffer_check(&request->url, error, "the URL")
        || wps_buffer_check(&request->target, error, "the URL")
        || wps_buffer_check(&request->headers, error, "headers"))
        return error->kind;
    return wps_buffer_check(&request->body, error, "the form");
}

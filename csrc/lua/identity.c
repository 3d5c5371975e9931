/* lua/identity.c - an identity of Entra ID, whose secrets stay here, and the calls that ask for its tokens. */
#include "core/identity.h"
#include "lua/tokens.h"

#include <string.h>
#include <unistd.h>

#define WPS_IDENTITY "webpubsub.identity"

enum { MAX_CERTIFICATE = 1024 * 1024, MAX_TOKEN_FILE = 64 * 1024 }; /* bytes of a file */

struct identity {
    struct wps_identity core;
    struct wps_buffer token_file; /* the path of a federated token; empty: none */
    struct wps_random random;
};

static int identity_gc(lua_State *L)
{
    struct identity *self = luaL_checkudata(L, 1, WPS_IDENTITY);

    wps_identity_free(&self->core);
    wps_buffer_free(&self->token_file);
    return 0;
}

/* ------------------------------------------------------------------ making one */

/* By their order in wps_source and wps_principal. */
static const char *const source_names[] = {
    "client_secret", "assertion", "service_fabric", "app_service", "arc", "azure_ml", "cloud_shell", "imds", NULL,
};
static const char *const id_names[] = { NULL, "client_id", "object_id", "resource_id" };

static int check_source(lua_State *L)
{
    int source;

    lua_getfield(L, 1, "source");
    source = luaL_checkoption(L, -1, NULL, source_names);
    lua_pop(L, 1);
    return source;
}

static void read_principal(lua_State *L, struct wps_identity_parts *parts, const char *operation)
{
    struct wps_error error = { 0 };

    for (int i = WPS_BY_CLIENT_ID; i <= WPS_BY_RESOURCE_ID; i++) {
        struct wps_slice id = wpsL_string_field(L, 1, id_names[i]);

        if (id.data && parts->principal)
            wps_fail(&error, WPS_ARGUMENT, id_names[i], "invalid",
                     "client_id, object_id and resource_id are three names for one identity; give one of them");
        wpsL_check(L, error.kind, &error, operation);
        if (id.data) {
            parts->principal = (enum wps_principal)i;
            parts->client_id = id;
        }
    }
}

/* The text of a file, in a buffer that a userdata on the stack owns. */
static struct wps_slice push_file(lua_State *L, const char *option, const char *operation)
{
    struct wps_slice path = wpsL_string_field(L, 1, option), none = { NULL, 0 };
    struct wps_buffer *text = wpsL_push_scratch(L, 0);
    struct wps_error error = { 0 };
    char what[48] = "the file of ";

    if (!path.data)
        return none;
    strncat(what, option, sizeof what - strlen(what) - 1);
    if (wps_read_file(path.data, what, MAX_CERTIFICATE, false, text, &error) == WPS_CREDENTIAL) {
        error.kind = WPS_ARGUMENT;
        strncat(error.argument, option, sizeof error.argument - 1);
    }
    wpsL_check(L, error.kind, &error, operation);
    none.data = wps_buffer_string(text);
    none.length = text->length;
    return none;
}

static void read_certificate(lua_State *L, struct identity *self, const char *operation)
{
    struct wps_slice text = push_file(L, "certificate", operation), key = push_file(L, "key", operation);
    struct wps_slice password = wpsL_string_field(L, 1, "password");
    struct wps_error error = { 0 };

    if (text.data)
        wps_certificate_load(&self->core.certificate, text, key, password, &error);
    wpsL_check(L, error.kind, &error, operation);
    self->core.send_chain = wpsL_boolean_field(L, 1, "send_chain");
    wps_buffer_free(lua_touserdata(L, -1)); /* rather than when they are collected */
    wps_buffer_free(lua_touserdata(L, -2));
    lua_pop(L, 2);
}

static void read_token_file(lua_State *L, struct identity *self, const char *operation)
{
    struct wps_slice path = wpsL_string_field(L, 1, "token_file");
    struct wps_error error = { 0 };

    wps_buffer_append(&self->token_file, path.data, path.length);
    wpsL_check(L, wps_buffer_check(&self->token_file, &error, "token_file"), &error, operation);
}

/* identity(parts, operation): parts are options that were checked, with `source`, `place` and `place_name`. */
static int core_identity(lua_State *L)
{
    const char *operation = luaL_checkstring(L, 2);
    struct wps_identity_parts parts = { .source = WPS_CLIENT_SECRET };
    struct wps_error error = { 0 };
    struct identity *self;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    self = lua_newuserdata(L, sizeof *self);
    memset(self, 0, sizeof *self);
    luaL_setmetatable(L, WPS_IDENTITY);
    parts.source = (enum wps_source)check_source(L);
    parts.place = wpsL_string_field(L, 1, "place");
    parts.place_name = parts.place.data ? wpsL_string_field(L, 1, "place_name").data : "authority";
    parts.tenant = wpsL_string_field(L, 1, "tenant");
    parts.client_id = wpsL_string_field(L, 1, "client_id");
    parts.scope = wpsL_string_field(L, 1, "scope");
    parts.secret = wpsL_string_field(L, 1, "secret");
    if (wps_source_is_managed(parts.source))
        read_principal(L, &parts, operation);
    wpsL_check(L, wps_identity_set(&self->core, &parts, &error), &error, operation);
    wpsL_read_number(L, 1, "timeout", &self->core.limits.timeout);
    read_certificate(L, self, operation);
    read_token_file(L, self, operation);
    return 1;
}

/* ------------------------------------------------------------------ answers */

int wpsL_push_token(lua_State *L, struct wps_buffer *scratch, struct wps_token *token)
{
    *scratch = token->text;
    lua_pushlstring(L, wps_buffer_string(scratch), scratch->length);
    wps_buffer_free(scratch);
    lua_pushnumber(L, token->expires);
    lua_pushnumber(L, token->refresh);
    return 3;
}

int wpsL_push_refusal(lua_State *L, const struct wps_error *error)
{
    if (error->kind == WPS_NO_MEMORY)
        return wpsL_raise_no_memory(L);
    lua_pushnil(L);
    lua_pushstring(L, error->code);
    lua_pushstring(L, error->message);
    return 3;
}

/* ------------------------------------------------------------------ asking */

static struct identity *to_identity(lua_State *L)
{
    return luaL_checkudata(L, 1, WPS_IDENTITY);
}

static enum wps_kind write_assertion(struct identity *self, int64_t wall, struct wps_buffer *proof,
                                     struct wps_error *error)
{
    const struct wps_buffer *id = &self->core.client_id;
    struct wps_slice client_id = { id->data, id->length };
    struct wps_buffer url = { 0 };
    char uuid[WPS_UUID_LENGTH + 1];
    enum wps_kind failed;

    if (!wps_random_uuid(&self->random, uuid))
        return wps_fail(error, WPS_CREDENTIAL, NULL, "random", "OpenSSL has no random bytes for an assertion");
    wps_identity_url(&self->core, &url);
    failed = wps_buffer_check(&url, error, "the URL");
    if (!failed) {
        struct wps_slice audience = { url.data, url.length };
        failed = wps_certificate_assert(&self->core.certificate, audience, client_id, wps_slice_of(uuid), wall,
                                        self->core.send_chain, proof, error);
    }
    wps_buffer_free(&url);
    return failed;
}

/* Pushes a call that asks; `proof` may be empty. */
static int push_request(lua_State *L, struct identity *self, const struct wps_buffer *proof, struct wps_slice claims)
{
    struct wps_slice proven = { proof->data, proof->length };
    struct wps_error error = { 0 };
    struct wps_call *call = wpsL_push_call(L, 1);

    call->owner = getpid();
    call->limits = self->core.limits;
    if (proven.data)
        proven = wps_slice_trim(proven);
    if (wps_identity_request(&self->core, proven, claims, &call->request, &error))
        return wpsL_push_refusal(L, &error);
    wps_headers_add(&call->request.headers, wps_slice_of("User-Agent"), wps_slice_of("lua-webpubsub/" WPS_VERSION));
    if (wps_buffer_check(&call->request.headers, &error, "headers"))
        return wpsL_push_refusal(L, &error);
    return 1;
}

/* prepare(wall, claims or nil, seconds or nil, retries or nil): a call that asks for a token; or nil, code, message. */
static int identity_prepare(lua_State *L)
{
    struct identity *self = to_identity(L);
    int64_t wall = (int64_t)luaL_checknumber(L, 2);
    struct wps_slice claims = wpsL_to_slice(L, 3);
    struct wps_buffer *proof;
    struct wps_error error = { 0 };
    struct wps_call *call;
    int pushed;

    lua_settop(L, 5);
    proof = wpsL_push_scratch(L, 0);
    if (self->token_file.length)
        wps_read_file(self->token_file.data, "the file of the federated token", MAX_TOKEN_FILE, false, proof, &error);
    else if (self->core.certificate.key)
        write_assertion(self, wall, proof, &error);
    if (error.kind)
        return wpsL_push_refusal(L, &error);
    pushed = push_request(L, self, proof, claims);
    wps_buffer_free(proof);
    if (pushed > 1)
        return pushed;
    call = lua_touserdata(L, -1);
    if (!lua_isnil(L, 4) && lua_tonumber(L, 4) < call->limits.timeout)
        call->limits.timeout = lua_tonumber(L, 4);
    if (!lua_isnil(L, 5))
        call->limits.retry.retries = (int)lua_tonumber(L, 5);
    return 1;
}

/* probe(seconds): a call that a virtual machine's endpoint refuses, and so shows that it is there. */
static int identity_probe(lua_State *L)
{
    struct identity *self = to_identity(L);
    double seconds = luaL_checknumber(L, 2);
    struct wps_buffer nothing = { 0 };
    int pushed = push_request(L, self, &nothing, wps_slice_of(NULL));
    struct wps_call *call = pushed == 1 ? lua_touserdata(L, -1) : NULL;

    if (call) {
        wps_headers_set(&call->request.headers, wps_slice_of("Metadata"), wps_slice_of(NULL));
        call->limits.timeout = seconds;
        call->limits.retry.retries = 0;
    }
    return pushed;
}

/* prove(call[, folder]): Arc has answered with a challenge; a call with the text of the file that it names. */
static int identity_prove(lua_State *L)
{
    struct identity *self = to_identity(L);
    const struct wps_call *call = wpsL_to_call(L, 2);
    struct wps_slice headers = { call->response.headers.data, call->response.headers.length };
    const char *folder = luaL_optstring(L, 3, WPS_ARC_KEYS);
    struct wps_buffer *proof = wpsL_push_scratch(L, 0);
    struct wps_error error = { 0 };
    char path[256];
    int pushed;

    if (!wps_arc_key_path(headers, folder, path, sizeof path, &error))
        wps_read_file(path, "the key file of Azure Arc", WPS_MAX_ARC_KEY, true, proof, &error);
    if (error.kind)
        return wpsL_push_refusal(L, &error);
    if (!proof->length)
        wps_buffer_text(proof, " "); /* is refused as empty */
    pushed = push_request(L, self, proof, wps_slice_of(NULL));
    wps_buffer_free(proof);
    return pushed;
}

/* answer(call, wall): the token, when it expires and when to ask for the next (0: nobody says); or nil, code, message
 * and the seconds to wait before another request, if the answer has them. */
static int identity_answer(lua_State *L)
{
    struct identity *self = to_identity(L);
    const struct wps_call *call = wpsL_to_call(L, 2);
    struct wps_slice headers = { call->response.headers.data, call->response.headers.length };
    double wall = luaL_checknumber(L, 3), pause;
    struct wps_token token = { .expires = 0 };
    struct wps_buffer *text = wpsL_push_scratch(L, 0);
    struct wps_error error = { 0 };
    int pushed;

    wps_identity_answer(&self->core, &call->response, wall, &token, &error);
    if (!error.kind)
        return wpsL_push_token(L, text, &token);
    pushed = wpsL_push_refusal(L, &error);
    pause = wps_retry_after(headers, wall);
    if (pause < 0)
        return pushed;
    lua_pushnumber(L, pause);
    return pushed + 1;
}

/* origin(): scheme, host and port; and whether no proxy leads there. */
static int identity_origin(lua_State *L)
{
    const struct wps_identity *core = &to_identity(L)->core;

    lua_pushlstring(L, core->place.url.data, core->place.origin);
    lua_pushboolean(L, wps_identity_is_near(core));
    return 2;
}

static int identity_tostring(lua_State *L)
{
    lua_pushfstring(L, "webpubsub identity (%s)", wps_source_name(to_identity(L)->core.source));
    return 1;
}

void wpsL_register_identity(lua_State *L)
{
    static const luaL_Reg functions[] = { { "identity", core_identity }, { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "prepare", identity_prepare }, { "probe", identity_probe },   { "prove", identity_prove },
        { "answer", identity_answer },   { "origin", identity_origin }, { NULL, NULL },
    };

    luaL_newmetatable(L, WPS_IDENTITY);
    lua_pushcfunction(L, identity_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, identity_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    luaL_newlibtable(L, methods);
    wpsL_push_classes(L);
    luaL_setfuncs(L, methods, WPS_CLASS_UPVALUES);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    wpsL_push_classes(L);
    luaL_setfuncs(L, functions, WPS_CLASS_UPVALUES);
}

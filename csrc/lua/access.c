/* lua/access.c - tokens with which WebSocket clients connect, signed here where the client has a key. */
#include "core/json.h"
#include "lua/bindings.h"

#include <string.h>

enum { DEFAULT_LIFETIME = 3600 }; /* seconds */

/* What each protocol is called by us and by the service, and its path below the endpoint. */
static const struct protocol {
    const char *name, *client_type, *path;
} protocols[] = {
    { "default", "Default", "/client/hubs/" },
    { "mqtt", "MQTT", "/clients/mqtt/hubs/" },
    { "socketio", "socketio", "/clients/socketio/hubs/" },
};

static const char operation[] = "client_access_url";

static const struct protocol *read_protocol(lua_State *L)
{
    struct wps_slice name = wpsL_string_field(L, 2, "protocol");
    struct wps_error error = { 0 };

    if (!name.data)
        return &protocols[0];
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (wps_slice_equal(name, wps_slice_of(protocols[i].name)))
            return &protocols[i];
    wps_fail(&error, WPS_ARGUMENT, "protocol", "invalid", "protocol must be \"default\", \"mqtt\" or \"socketio\"");
    wpsL_raise(L, &error, operation);
    return NULL;
}

static int64_t read_lifetime(lua_State *L)
{
    double seconds = DEFAULT_LIFETIME;

    wpsL_read_number(L, 2, "expires_in", &seconds);
    return (int64_t)seconds;
}

/* Appends ,"name":["a","b"] for a list that is there and not empty. */
static void add_list(lua_State *L, const char *field, const char *claim, struct wps_buffer *claims)
{
    int count;

    if (!wpsL_push_field(L, 2, field))
        return;
    count = (int)lua_rawlen(L, -1);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        if (i == 1) {
            wps_buffer_text(claims, ",");
            wps_json_string(claims, wps_slice_of(claim));
        }
        wps_buffer_text(claims, i == 1 ? ":[" : ",");
        wps_json_string(claims, wpsL_to_slice(L, -1));
        lua_pop(L, 1);
    }
    if (count)
        wps_buffer_text(claims, "]");
    lua_pop(L, 1);
}

/* The buffers live in a userdata, for reading a list may raise. */
struct access {
    struct wps_buffer url, claims, token;
};

static int access_gc(lua_State *L)
{
    struct access *access = lua_touserdata(L, 1);

    wps_buffer_free(&access->url);
    wps_buffer_free(&access->claims);
    wps_buffer_free(&access->token);
    return 0;
}

static struct access *push_access(lua_State *L)
{
    struct access *access = lua_newuserdata(L, sizeof *access);

    memset(access, 0, sizeof *access);
    luaL_setmetatable(L, WPS_ACCESS);
    return access;
}

static void sign(lua_State *L, struct wps_client *client, struct access *access, int64_t now, int64_t lifetime)
{
    struct wps_buffer *claims = &access->claims;
    struct wps_slice audience = { access->url.data, access->url.length }, json;
    struct wps_slice user = wpsL_string_field(L, 2, "user");
    struct wps_error error = { 0 };

    wps_buffer_text(claims, "{\"aud\":");
    wps_json_string(claims, audience);
    wps_buffer_text(claims, ",\"iat\":");
    wps_buffer_integer(claims, now);
    wps_buffer_text(claims, ",\"exp\":");
    wps_buffer_integer(claims, now + lifetime);
    if (user.data) {
        wps_buffer_text(claims, ",\"sub\":");
        wps_json_string(claims, user);
    }
    add_list(L, "roles", "role", claims);
    add_list(L, "groups", "webpubsub.group", claims);
    wps_buffer_text(claims, "}");
    wpsL_check(L, wps_buffer_check(claims, &error, "the token"), &error, operation);
    json.data = claims->data;
    json.length = claims->length;
    wpsL_check(L, wps_jwt_sign(&client->signer, json, &access->token, &error), &error, operation);
}

/* access(client, arguments, wall): the URL without a token (http where the client connects with ws), the token or
 * nil where the service must make it, the protocol's client_type, and the lifetime in seconds. The caller checks the
 * strings and lists, by preparing generate_client_token with them, before anybody sees the token. */
static int core_access(lua_State *L)
{
    struct wps_client *client = wpsL_to_client(L, 1, operation);
    int64_t wall = (int64_t)luaL_checknumber(L, 3);
    struct wps_slice hub = { client->hub.data, client->hub.length };
    const struct protocol *protocol;
    struct wps_error error = { 0 };
    struct access *access;
    int64_t lifetime;

    wpsL_check_options(L, 2, wps_options, WPS_FOR_ACCESS, "the table of arguments", operation);
    protocol = read_protocol(L);
    lifetime = read_lifetime(L);
    access = push_access(L);
    wps_buffer_append(&access->url, client->endpoint.service.url.data, client->endpoint.service.url.length);
    wps_buffer_text(&access->url, protocol->path);
    wps_escape(&access->url, hub);
    wpsL_check(L, wps_buffer_check(&access->url, &error, "the URL"), &error, operation);
    lua_pushlstring(L, access->url.data, access->url.length);
    if (wps_signer_ready(&client->signer)) {
        sign(L, client, access, wall + (int64_t)client->clock_offset, lifetime);
        lua_pushlstring(L, access->token.data, access->token.length);
    } else {
        lua_pushnil(L);
    }
    lua_pushstring(L, protocol->client_type);
    lua_pushnumber(L, (lua_Number)lifetime);
    return 4;
}

void wpsL_register_access(lua_State *L)
{
    luaL_newmetatable(L, WPS_ACCESS);
    lua_pushcfunction(L, access_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    wpsL_push_classes(L);
    lua_pushcclosure(L, core_access, WPS_CLASS_UPVALUES);
    lua_setfield(L, -2, "access");
}

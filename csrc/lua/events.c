/* lua/events.c - what an event handler needs of C: signatures compared with keys that stay here, base64, UTF-8. */
#include "core/base64.h"
#include "core/events.h"
#include "lua/bindings.h"

#include <stdio.h>
#include <string.h>

#define WPS_EVENT_KEYS "webpubsub.events keys"
#define WPS_SCRATCH "webpubsub.events scratch"

static const char operation[] = "events.new";

/* ------------------------------------------------------------------ keys */

enum { MAX_KEYS = 8 }; /* the service has two; more are kept while they are rotated */

struct event_keys {
    struct wps_signer signers[MAX_KEYS];
    size_t count;
    bool has_client; /* at [1] of the uservalue: its key counts too, whichever it is when an event arrives */
};

static int keys_gc(lua_State *L)
{
    struct event_keys *keys = luaL_checkudata(L, 1, WPS_EVENT_KEYS);

    for (size_t i = 0; i < keys->count; i++)
        wps_signer_free(&keys->signers[i]);
    keys->count = 0;
    return 0;
}

static struct event_keys *push_keys(lua_State *L)
{
    struct event_keys *keys = lua_newuserdata(L, sizeof *keys);

    memset(keys, 0, sizeof *keys);
    luaL_setmetatable(L, WPS_EVENT_KEYS);
    lua_newtable(L);
    wpsL_setuservalue(L, -2);
    return keys;
}

/* Reads the list of keys at index 1. */
static void read_keys(lua_State *L, struct event_keys *keys)
{
    size_t count, entries = 0;
    struct wps_error error = { 0 };

    luaL_checktype(L, 1, LUA_TTABLE);
    count = lua_rawlen(L, 1);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
        entries++;
    if (count != entries || !count || count > MAX_KEYS) {
        wps_fail(&error, WPS_ARGUMENT, "keys", "invalid",
                 "keys must be a list of 1 to %d access keys, { \"...\" }, without holes or names", MAX_KEYS);
        wpsL_raise(L, &error, operation);
    }
    for (size_t i = 0; i < count; i++) {
        struct wps_slice key;
        char name[32];

        snprintf(name, sizeof name, "keys[%zu]", i + 1);
        lua_rawgeti(L, 1, (int)i + 1);
        key = wpsL_to_slice(L, -1);
        if (!key.data)
            wpsL_type_error(L, name, "string", -1, operation);
        if (!key.length)
            wps_fail(&error, WPS_ARGUMENT, name, "empty", "%s is empty; expected an access key of the service", name);
        else if (!wps_signer_set(&keys->signers[i], key, &error))
            keys->count = i + 1;
        wpsL_check(L, error.kind, &error, operation);
        lua_pop(L, 1);
    }
}

/* event_keys(keys, client): what signatures are compared with. A list of keys, a client whose key counts, or both. */
static int core_event_keys(lua_State *L)
{
    struct event_keys *keys;
    struct wps_error error = { 0 };

    lua_settop(L, 2);
    keys = push_keys(L);
    if (!lua_isnil(L, 1))
        read_keys(L, keys);
    if (!lua_isnil(L, 2)) {
        if (!wpsL_class_test(L, 2, WPS_CLIENT_UPVALUE))
            wpsL_type_error(L, "client", "client, as webpubsub.new makes it", 2, operation);
        if (!wps_signer_ready(&wpsL_to_client(L, 2, operation)->signer)) {
            wps_fail(&error, WPS_ARGUMENT, "client", "invalid",
                     "this client has a credential and no key to compare signatures with; give keys or authorize");
            wpsL_raise(L, &error, operation);
        }
        wpsL_getuservalue(L, 3);
        lua_pushvalue(L, 2);
        lua_rawseti(L, -2, 1);
        lua_pop(L, 1);
        keys->has_client = true;
    }
    return 1;
}

/* event_is_signed(keys, signature, connection): does a hash of the header fit one of the keys? */
static int core_event_is_signed(lua_State *L)
{
    struct event_keys *keys = luaL_checkudata(L, 1, WPS_EVENT_KEYS);
    struct wps_slice signature = wpsL_to_slice(L, 2), connection = wpsL_to_slice(L, 3);
    bool fits = false;

    for (size_t i = 0; i < keys->count; i++)
        fits |= wps_event_is_signed(&keys->signers[i], signature, connection);
    if (keys->has_client) {
        wpsL_getuservalue(L, 1);
        lua_rawgeti(L, -1, 1);
        fits |= wps_event_is_signed(&wpsL_to_client(L, -1, operation)->signer, signature, connection);
    }
    lua_pushboolean(L, fits);
    return 1;
}

/* ------------------------------------------------------------------ text */

static int scratch_gc(lua_State *L)
{
    wps_buffer_free(luaL_checkudata(L, 1, WPS_SCRATCH));
    return 0;
}

/* A buffer that its userdata frees, for pushing a string may raise. */
static struct wps_buffer *push_scratch(lua_State *L, size_t maximum)
{
    struct wps_buffer *buffer = lua_newuserdata(L, sizeof *buffer);

    memset(buffer, 0, sizeof *buffer);
    buffer->maximum = maximum;
    luaL_setmetatable(L, WPS_SCRATCH);
    return buffer;
}

static int push_text(lua_State *L, struct wps_buffer *buffer)
{
    if (buffer->failed)
        return wpsL_raise_no_memory(L); /* nothing is longer than the maximum it was given */
    lua_pushlstring(L, wps_buffer_string(buffer), buffer->length);
    wps_buffer_free(buffer); /* rather than when it is collected */
    return 1;
}

/* base64(bytes): their text, with padding. */
static int core_base64(lua_State *L)
{
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    struct wps_buffer *buffer = push_scratch(L, length / 3 * 4 + 5);

    wps_base64(buffer, bytes, length);
    return push_text(L, buffer);
}

/* decode_base64(text): the bytes, or nil where it is not base64. */
static int core_decode_base64(lua_State *L)
{
    struct wps_slice text = { NULL, 0 };
    struct wps_buffer *buffer;

    text.data = luaL_checklstring(L, 1, &text.length);
    buffer = push_scratch(L, text.length + 1);
    if (!wps_base64_decode(buffer, text) && !buffer->failed) {
        wps_buffer_free(buffer);
        lua_pushnil(L);
        return 1;
    }
    return push_text(L, buffer);
}

/* is_utf8(text) */
static int core_is_utf8(lua_State *L)
{
    struct wps_slice text = { NULL, 0 };

    text.data = luaL_checklstring(L, 1, &text.length);
    lua_pushboolean(L, wps_slice_is_utf8(text));
    return 1;
}

/* check_hub(hub): raises unless it can be a hub's name. */
static int core_check_hub(lua_State *L)
{
    struct wps_error error = { 0 };

    wpsL_check(L, wps_hub_check(wpsL_to_slice(L, 1), &error), &error, operation);
    return 0;
}

/* encode_json(value): its text; raises where the value cannot be JSON. */
static int core_encode_json(lua_State *L)
{
    struct wps_error error = { 0 };

    lua_settop(L, 1);
    wpsL_encode_json(L, 1, &error);
    wpsL_check(L, error.kind, &error, NULL);
    return 1;
}

/* decode_json(text): its value, or nil where it is not JSON. */
static int core_decode_json(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    if (!wpsL_push_json(L, wpsL_to_slice(L, 1)))
        lua_pushnil(L);
    return 1;
}

static void register_class(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

void wpsL_register_events(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "event_keys", core_event_keys },       { "event_is_signed", core_event_is_signed },
        { "base64", core_base64 },               { "decode_base64", core_decode_base64 },
        { "is_utf8", core_is_utf8 },             { "check_hub", core_check_hub },
        { "encode_json", core_encode_json },     { "decode_json", core_decode_json },
        { NULL, NULL },
    };

    register_class(L, WPS_EVENT_KEYS, keys_gc);
    register_class(L, WPS_SCRATCH, scratch_gc);
    wpsL_push_classes(L);
    luaL_setfuncs(L, functions, WPS_CLASS_UPVALUES);
}

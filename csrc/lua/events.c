/* lua/events.c - an event handler's keys, which stay here, and what is compared with them. */
#include "core/events.h"
#include "lua/bindings.h"

#include <stdio.h>
#include <string.h>

#define WPS_EVENT_KEYS "webpubsub.events keys"

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

/* check_hub(hub): raises unless it can be a hub's name. */
static int core_check_hub(lua_State *L)
{
    struct wps_error error = { 0 };

    wpsL_check(L, wps_hub_check(wpsL_to_slice(L, 1), &error), &error, operation);
    return 0;
}

void wpsL_register_events(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "event_keys", core_event_keys },
        { "event_is_signed", core_event_is_signed },
        { "check_hub", core_check_hub },
        { NULL, NULL },
    };

    luaL_newmetatable(L, WPS_EVENT_KEYS);
    lua_pushcfunction(L, keys_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    wpsL_push_classes(L);
    luaL_setfuncs(L, functions, WPS_CLASS_UPVALUES);
}

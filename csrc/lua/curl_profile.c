/* lua/curl_profile.c - the settings towards one origin, see lua/curl.c. Ranges were checked where the options were. */
#include <math.h>
#include <string.h>

#include "lua/curl.h"

#define MAX_BYTES 2147483647.0 /* of a response */

enum { MAX_CONNECTIONS = 10000 }; /* of a profile in a loop */

static const char *const text_options[] = { "origin", "thumbprint", "ca_file", "client_cert", "client_key",
                                            "client_key_password", "proxy", NULL };
static const char *const other_options[] = { "connect_timeout", "idle_timeout", "max_connection_age",
                                             "max_response_bytes", "max_header_bytes", "max_connections", NULL };

static bool is_one_of(const char *name, const char *const *names, struct wps_nearest *nearest)
{
    for (; *names; names++) {
        if (strcmp(name, *names) == 0)
            return true;
        wps_nearest_offer(nearest, *names);
    }
    return false;
}

static void check_names(lua_State *L, int table)
{
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
        struct wps_nearest nearest = { name, NULL, 0 };

        if (!is_one_of(name, text_options, &nearest) && !is_one_of(name, other_options, &nearest))
            luaL_error(L, "profile has no option '%s'%s%s%s", name, nearest.best ? "; did you mean '" : "",
                       nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
    }
}

/* The text stays on the stack, where the collector sees it. */
static const char *text_option(lua_State *L, int table, const char *name)
{
    const char *text = NULL;
    size_t length;

    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "%s must be a string, not a %s", name, luaL_typename(L, -1));
        text = lua_tolstring(L, -1, &length);
        if (!length || strlen(text) != length)
            luaL_error(L, "%s must be a string that is not empty and has no NUL byte", name);
    }
    return text;
}

static double number_option(lua_State *L, int table, const char *name, double missing, double maximum)
{
    double value = missing;

    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1)) {
        value = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(value > 0 && value <= maximum))
            luaL_error(L, "%s must be a number above 0", name);
    }
    lua_pop(L, 1);
    return value;
}

static double whole_option(lua_State *L, int table, const char *name, double missing, double maximum)
{
    double value = number_option(L, table, name, missing, maximum);

    if (value != floor(value))
        luaL_error(L, "%s must be a whole number", name);
    return value;
}

static void read_proxy(lua_State *L, int table, struct wps_profile_options *options)
{
    lua_getfield(L, table, "proxy");
    options->no_proxy = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (!options->no_proxy)
        options->proxy = text_option(L, table, "proxy");
}

static int curl_profile(lua_State *L)
{
    struct wps_profile_options options = { .no_proxy = false };
    struct wps_error error = { .kind = WPS_OK };
    struct wps_profile_box *box;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    check_names(L, 1);
    options.origin = text_option(L, 1, "origin");
    luaL_argcheck(L, options.origin, 1, "origin is missing");
    options.thumbprint = text_option(L, 1, "thumbprint");
    options.ca_file = text_option(L, 1, "ca_file");
    options.client_cert = text_option(L, 1, "client_cert");
    options.client_key = text_option(L, 1, "client_key");
    options.client_key_password = text_option(L, 1, "client_key_password");
    read_proxy(L, 1, &options);
    options.connect_timeout = number_option(L, 1, "connect_timeout", 5, HUGE_VAL);
    options.idle_timeout = number_option(L, 1, "idle_timeout", 60, HUGE_VAL);
    options.max_connection_age = number_option(L, 1, "max_connection_age", 300, HUGE_VAL);
    options.max_response_bytes = (size_t)whole_option(L, 1, "max_response_bytes", 1024 * 1024, MAX_BYTES);
    options.max_header_bytes = (size_t)whole_option(L, 1, "max_header_bytes", 64 * 1024, MAX_BYTES);
    options.max_connections = (int)whole_option(L, 1, "max_connections", 100, MAX_CONNECTIONS);

    box = lua_newuserdata(L, sizeof *box);
    box->profile = NULL;
    luaL_setmetatable(L, WPS_CURL_PROFILE);
    box->profile = wps_profile_create(&options, &error);
    if (error.kind == WPS_NO_MEMORY)
        return wpsL_curl_raise(L, &error);
    if (error.kind) {
        lua_pushnil(L);
        lua_pushstring(L, wps_kind_name(error.kind));
        lua_pushstring(L, error.code);
        lua_pushstring(L, error.message);
        lua_pushstring(L, *error.argument ? error.argument : NULL);
        return 5;
    }
    return 1;
}

static int profile_gc(lua_State *L)
{
    struct wps_profile_box *box = luaL_checkudata(L, 1, WPS_CURL_PROFILE);

    wps_profile_release(box->profile);
    box->profile = NULL;
    return 0;
}

void wpsL_curl_open_profile(lua_State *L)
{
    static const luaL_Reg no_methods[] = { { NULL, NULL } };

    wpsL_curl_class(L, WPS_CURL_PROFILE, no_methods, profile_gc);
    lua_pushcfunction(L, curl_profile);
    lua_setfield(L, -2, "profile");
}

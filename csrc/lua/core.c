/* lua/core.c - require "webpubsub.core": the operations table, tokens, and the pieces that stand by themselves. */
#include "lua/bindings.h"

#include "core/codes.h"

#include <time.h>

/* ------------------------------------------------------------------ operations() */

static void push_parameter(lua_State *L, const struct wps_parameter *parameter)
{
    static const char *const places[] = { [WPS_IN_PATH] = "path", [WPS_IN_QUERY] = "query", [WPS_IN_BODY] = "body" };

    lua_createtable(L, 0, 8);
    lua_pushstring(L, parameter->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, parameter->wire);
    lua_setfield(L, -2, "wire");
    lua_pushstring(L, wps_type_name(parameter->type));
    lua_setfield(L, -2, "type");
    lua_pushstring(L, places[parameter->place]);
    lua_setfield(L, -2, "place");
    lua_pushboolean(L, parameter->required);
    lua_setfield(L, -2, "required");
    lua_pushstring(L, parameter->doc);
    lua_setfield(L, -2, "doc");
    if (parameter->type == WPS_INTEGER) {
        lua_pushinteger(L, (lua_Integer)parameter->minimum);
        lua_setfield(L, -2, "minimum");
        lua_pushinteger(L, (lua_Integer)parameter->maximum);
        lua_setfield(L, -2, "maximum");
    }
    if (parameter->choices[0]) {
        lua_newtable(L);
        for (int i = 0; i < 4 && parameter->choices[i]; i++) {
            lua_pushstring(L, parameter->choices[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_setfield(L, -2, "choices");
    }
}

static void push_operation(lua_State *L, const struct wps_operation *operation)
{
    static const char *const results[] = { [WPS_RESULT_NONE] = "none", [WPS_RESULT_EXISTS] = "exists",
                                           [WPS_RESULT_TOKEN] = "token", [WPS_RESULT_LIST] = "list" };

    lua_createtable(L, 0, 9);
    lua_pushstring(L, operation->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, operation->method);
    lua_setfield(L, -2, "method");
    lua_pushfstring(L, operation->hubless ? "/api%s" : "/api/hubs/{hub}%s", operation->path);
    lua_setfield(L, -2, "path");
    lua_pushinteger(L, operation->success);
    lua_setfield(L, -2, "success");
    lua_pushstring(L, results[operation->result]);
    lua_setfield(L, -2, "result");
    lua_pushboolean(L, !operation->unsigned_);
    lua_setfield(L, -2, "signed");
    lua_pushstring(L, operation->doc);
    lua_setfield(L, -2, "doc");
    lua_newtable(L);
    for (int i = 0; i < WPS_MAX_PARAMETERS && operation->parameters[i]; i++) {
        push_parameter(L, operation->parameters[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "parameters");
}

/* operations(): the table as Lua tables, in its order. */
static int core_operations(lua_State *L)
{
    lua_createtable(L, (int)wps_operation_count, 0);
    for (size_t i = 0; i < wps_operation_count; i++) {
        push_operation(L, &wps_operations[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* ------------------------------------------------------------------ options() */

/* The places in which options stand, by the names that programs call them. */
static const char *const place_names[] = {
    "new",     "context",    "retry", "client_access_url", "each",     "events.new",
    "connect", "user_event", "mqtt",  "rejection",         "property", "client_secret",
    "client_certificate", "workload_identity", "managed_identity", "azure_cli", "default", NULL,
};
static const unsigned places[] = {
    WPS_FOR_CLIENT,  WPS_FOR_CALL,    WPS_FOR_RETRY, WPS_FOR_ACCESS,    WPS_FOR_EACH,     WPS_FOR_EVENTS,
    WPS_FOR_CONNECT, WPS_FOR_MESSAGE, WPS_FOR_MQTT,  WPS_FOR_REJECTION, WPS_FOR_PROPERTY,
    WPS_FOR_SECRET,  WPS_FOR_CERTIFICATE, WPS_FOR_WORKLOAD, WPS_FOR_MANAGED, WPS_FOR_PROGRAM, WPS_FOR_DEFAULT,
};

static void push_option(lua_State *L, const struct wps_option *option)
{
    static const char *const worlds[] = { [WPS_OUTSIDE_NGINX] = "outside of NGINX", [WPS_INSIDE_NGINX] = "inside NGINX" };
    char type[64];

    wps_option_describe(option, type, sizeof type);
    lua_createtable(L, 0, 10);
    lua_pushstring(L, option->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, type);
    lua_setfield(L, -2, "type");
    lua_pushstring(L, option->type ? option->type : option->types & WPS_OPTION_WHOLE ? "integer" : type);
    lua_setfield(L, -2, "annotation");
    lua_pushstring(L, option->unit);
    lua_setfield(L, -2, "unit");
    lua_pushstring(L, option->initial);
    lua_setfield(L, -2, "default");
    lua_pushstring(L, worlds[option->world]);
    lua_setfield(L, -2, "world");
    lua_pushstring(L, option->doc);
    lua_setfield(L, -2, "doc");
    if (option->types & (WPS_OPTION_NUMBER | WPS_OPTION_WHOLE)) {
        lua_pushnumber(L, option->minimum);
        lua_setfield(L, -2, "minimum");
        lua_pushnumber(L, option->maximum);
        lua_setfield(L, -2, "maximum");
    }
}

/* options(place): those of one of the places above, in the table's order. */
static int core_options(lua_State *L)
{
    unsigned where = places[luaL_checkoption(L, 1, NULL, place_names)];
    int count = 0;

    lua_newtable(L);
    for (const struct wps_option *option = wps_options; option->name; option++)
        if (option->where & where) {
            push_option(L, option);
            lua_rawseti(L, -2, ++count);
        }
    return 1;
}

/* codes(): the table of error codes, in its order; a row without a code is about its kind. */
static int core_codes(lua_State *L)
{
    int count = 0;

    lua_newtable(L);
    for (const struct wps_code *row = wps_codes; row->kind; row++) {
        lua_createtable(L, 0, 5);
        lua_pushstring(L, wps_kind_name(row->kind));
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, row->code);
        lua_setfield(L, -2, "code");
        lua_pushboolean(L, row->retryable);
        lua_setfield(L, -2, "retryable");
        lua_pushstring(L, row->meaning);
        lua_setfield(L, -2, "meaning");
        lua_pushstring(L, row->advice);
        lua_setfield(L, -2, "advice");
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* check_options(table, place, what, operation): raises what is wrong with them. */
static int core_check_options(lua_State *L)
{
    unsigned where = places[luaL_checkoption(L, 2, NULL, place_names)];

    wpsL_check_options(L, 1, wps_options, where, luaL_checkstring(L, 3), luaL_checkstring(L, 4));
    return 0;
}

/* nearest(name, list): the entry that was probably meant, or nil. */
static int core_nearest(lua_State *L)
{
    struct wps_nearest nearest = { .name = luaL_checkstring(L, 1) };

    luaL_checktype(L, 2, LUA_TTABLE);
    for (int i = 1; i <= (int)lua_rawlen(L, 2); i++) {
        lua_rawgeti(L, 2, i);
        if (lua_type(L, -1) == LUA_TSTRING)
            wps_nearest_offer(&nearest, lua_tostring(L, -1)); /* the list keeps it alive */
        lua_pop(L, 1);
    }
    lua_pushstring(L, nearest.best);
    return 1;
}

/* field(table, name): read as the C side reads: raw, and nil for a null. */
static int core_field(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!wpsL_push_field(L, 1, luaL_checkstring(L, 2)))
        lua_pushnil(L);
    return 1;
}

/* raise(kind, code, message, argument, operation): as the C side raises. */
static int core_raise(lua_State *L)
{
    static const char *const names[] = {
        "argument", "credential", "transport", "protocol", "cancelled", "memory", NULL,
    };
    static const enum wps_kind kinds[] = {
        WPS_ARGUMENT, WPS_CREDENTIAL, WPS_TRANSPORT, WPS_PROTOCOL, WPS_CANCELLED, WPS_NO_MEMORY,
    };
    struct wps_error error = { 0 };

    wps_fail(&error, kinds[luaL_checkoption(L, 1, NULL, names)], luaL_optstring(L, 4, NULL), luaL_checkstring(L, 2),
             "%s", luaL_checkstring(L, 3));
    return wpsL_raise(L, &error, luaL_optstring(L, 5, NULL));
}

/* throw(error): raises it as it is, or as text for a host that could show nothing else. */
static int core_throw(lua_State *L)
{
    lua_settop(L, 1);
    return wpsL_throw(L);
}

/* set_home(function): the folder of its file is the library's. */
static int core_set_home(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    wpsL_set_home(L, 1);
    return 0;
}

/* headers(block): a header block as a table. */
static int core_headers(lua_State *L)
{
    struct wps_slice block = wpsL_to_slice(L, 1);

    wpsL_push_headers(L, block);
    return 1;
}

/* random(): 0 up to 1; Lua's own generator starts alike in every process before 5.4, and jitter must not. */
static int core_random(lua_State *L)
{
    uint32_t bits = 0;

    if (!wps_random_fetch(&bits, sizeof bits)) {
        struct wps_error error = { 0 };
        wps_fail(&error, WPS_CREDENTIAL, NULL, "random", "OpenSSL has no random bytes");
        return wpsL_raise(L, &error, NULL);
    }
    lua_pushnumber(L, (lua_Number)bits / 4294967296.0);
    return 1;
}

/* now(): seconds of a steady clock. */
static int core_now(lua_State *L)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    lua_pushnumber(L, (lua_Number)time.tv_sec + (lua_Number)time.tv_nsec / 1e9);
    return 1;
}

/* shared(): a table of this Lua state, the same for every copy of the library in it, reloaded ones and other versions. */
static int core_shared(lua_State *L)
{
    static const char name[] = "webpubsub.shared";

    lua_getfield(L, LUA_REGISTRYINDEX, name);
    if (lua_isnil(L, -1)) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, name);
    }
    return 1;
}

int luaopen_webpubsub_core(lua_State *L);

__attribute__((visibility("default"))) int luaopen_webpubsub_core(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "operations", core_operations },
        { "options", core_options },
        { "codes", core_codes },
        { "check_options", core_check_options },
        { "nearest", core_nearest },
        { "field", core_field },
        { "raise", core_raise },
        { "throw", core_throw },
        { "set_home", core_set_home },
        { "headers", core_headers },
        { "random", core_random },
        { "now", core_now },
        { "shared", core_shared },
        { NULL, NULL },
    };

    luaL_newlibtable(L, functions);
    luaL_setfuncs(L, functions, 0);
    lua_pushliteral(L, WPS_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushliteral(L, WPS_API_VERSION);
    lua_setfield(L, -2, "api_version");
    wpsL_register_markers(L);
    wpsL_register_access(L);
    wpsL_register_text(L);
    wpsL_register_events(L);
    wpsL_register_identity(L);
    wpsL_register_program(L);
    wpsL_register_client(L);
    wpsL_register_call(L);
    wpsL_register_exchange(L);
    wpsL_register_result(L);
    return 1;
}

/* lua/curl.c - the libcurl engine for Lua: require "webpubsub.curl".
 *
 *   curl.now(), curl.time()        seconds of the steady clock, seconds since the epoch
 *   curl.sleep(seconds)            returns the seconds left; more than 0 after a signal
 *   curl.version()
 *   curl.profile{ origin = … }     -> profile | nil, kind, code, message, the option at fault | nil
 *   curl.start(profile, method, target, headers, body|nil, seconds, patience, fresh|nil, spent|nil)   -> exchange;
 *                                  `seconds` are for the attempt from when it has a connection or opens one, `patience`
 *                                  is for all, the wait for its turn included; `fresh`: on a new connection. One whose
 *                                  result was taken may be given as `spent`, to be used again
 *   exchange:step(seconds)         -> done; waits once, so false may come early: a signal, or progress without an end
 *   exchange:info()                -> { new_connection, reason }, before the result is taken
 *   exchange:result()              -> status, header_block, body | nil, kind, code, message, stale: whether a kept
 *                                  connection turned out dead, which says nothing about the server
 *   exchange:cancel()
 *   curl.background()              the engine whose thread is one of its own: lua/curl_thread.c
 *
 * A result can be taken once, for then its memory goes back: Lua's collector does not see how large it is. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "curl/library.h"
#include "lua/curl.h"

#define PROFILE "webpubsub.curl.profile"
#define EXCHANGE "webpubsub.curl.exchange"

/* Of the module's functions, see lua/class.h. A class's methods have their own class as the first. */
enum { EXCHANGE_UPVALUE = 1, PROFILE_UPVALUE, CLASS_UPVALUES = PROFILE_UPVALUE };

#define MAX_SLEEP 1e9 /* seconds, some thirty years: fits any time_t */
#define MAX_BYTES 2147483647.0 /* of a response */

enum { MAX_CONNECTIONS = 10000 }; /* of a profile in a loop */

struct profile_box {
    struct wps_profile *profile;
};

struct loop_box {
    struct wps_loop *loop;
    bool closed; /* the state is closing */
};

int wpsL_curl_raise(lua_State *L, const struct wps_error *error)
{
    if (error->kind == WPS_NO_MEMORY) {
        lua_pushliteral(L, "not enough memory"); /* in Lua's own words */
        return lua_error(L);
    }
    return luaL_error(L, "%s", error->message);
}

/* ------------------------------------------------------------------ clock */

static int curl_now(lua_State *L)
{
    lua_pushnumber(L, wps_now());
    return 1;
}

static int curl_time(lua_State *L)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    lua_pushnumber(L, (double)time.tv_sec + (double)time.tv_nsec / 1e9);
    return 1;
}

static int curl_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    struct timespec wanted = { 0, 0 }, left = { 0, 0 };

    luaL_argcheck(L, seconds <= MAX_SLEEP, 1, "seconds, at most 1e9, expected");
    if (seconds > 0) {
        wanted.tv_sec = (time_t)seconds;
        wanted.tv_nsec = (long)((seconds - floor(seconds)) * 1e9);
        if (nanosleep(&wanted, &left) == 0)
            left.tv_sec = left.tv_nsec = 0;
    }
    lua_pushnumber(L, (double)left.tv_sec + (double)left.tv_nsec / 1e9);
    return 1;
}

static int curl_version_text(lua_State *L)
{
    lua_pushstring(L, wps_library_version());
    return 1;
}

/* ------------------------------------------------------------------ profile */

static const char *const text_options[] = { "origin", "thumbprint", "ca_file", "client_cert", "client_key", "client_key_password",
                                            "proxy", NULL };
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
    struct profile_box *box;

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
    luaL_setmetatable(L, PROFILE);
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
    struct profile_box *box = luaL_checkudata(L, 1, PROFILE);

    wps_profile_release(box->profile);
    box->profile = NULL;
    return 0;
}

/* ------------------------------------------------------------------ loop */

static const char loop_key; /* its address is the loop's place in the registry */

static int loop_gc(lua_State *L)
{
    struct loop_box *box = lua_touserdata(L, 1);

    wps_loop_destroy(box->loop);
    box->loop = NULL;
    box->closed = true;
    return 0;
}

static struct loop_box *push_loop_box(lua_State *L)
{
    struct loop_box *box;

    lua_pushlightuserdata(L, (void *)&loop_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    box = lua_touserdata(L, -1);
    if (!box) {
        lua_pop(L, 1);
        lua_pushlightuserdata(L, (void *)&loop_key);
        box = lua_newuserdata(L, sizeof *box);
        box->loop = NULL;
        box->closed = false;
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, loop_gc);
        lua_setfield(L, -2, "__gc");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_insert(L, -3);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    return box;
}

/* One for each Lua state, and for each process: after fork() the child gets its own, and leaves the connections it
 * has inherited to its parent. NULL and an error where there is none to be had. */
static struct wps_loop *loop_of(lua_State *L, struct wps_error *error)
{
    struct loop_box *box = push_loop_box(L);

    if (box->closed)
        luaL_error(L, "no exchange can be started while the Lua state is closing");
    if (box->loop && wps_loop_inherited(box->loop))
        box->loop = NULL;
    if (!box->loop)
        box->loop = wps_loop_create(-1, NULL, NULL, error);
    lua_pop(L, 1);
    return box->loop;
}

/* ------------------------------------------------------------------ exchange */

static struct wps_slice check_slice(lua_State *L, int index)
{
    struct wps_slice slice;

    slice.data = luaL_checklstring(L, index, &slice.length);
    return slice;
}

struct wps_profile *wpsL_curl_order(lua_State *L, int first, struct wps_exchange_order *order)
{
    struct profile_box *box = wpsL_class_check(L, first, PROFILE_UPVALUE, PROFILE);

    order->request.method = check_slice(L, first + 1);
    order->request.target = check_slice(L, first + 2);
    order->request.headers = check_slice(L, first + 3);
    if (!lua_isnoneornil(L, first + 4))
        order->request.body = check_slice(L, first + 4);
    order->seconds = luaL_checknumber(L, first + 5);
    order->patience = luaL_checknumber(L, first + 6);
    order->fresh = lua_toboolean(L, first + 7);
    luaL_argcheck(L, box->profile, first, "the profile was collected");
    luaL_argcheck(L, order->seconds > 0, first + 5, "seconds above 0 expected");
    luaL_argcheck(L, order->patience > 0, first + 6, "seconds above 0 expected");
    return box->profile;
}

static int curl_start(lua_State *L)
{
    enum { SPENT = 9 };
    struct wps_exchange_order order = { .fresh = false };
    struct wps_profile *profile = wpsL_curl_order(L, 1, &order);
    struct wps_error error = { .kind = WPS_OK };
    struct wps_loop *loop;
    struct wps_transfer *transfer;

    lua_settop(L, SPENT);
    loop = loop_of(L, &error);
    if (lua_isnil(L, SPENT)) {
        transfer = lua_newuserdata(L, sizeof *transfer);
        memset(transfer, 0, sizeof *transfer);
        luaL_setmetatable(L, EXCHANGE);
    } else {
        transfer = wpsL_class_check(L, SPENT, EXCHANGE_UPVALUE, EXCHANGE);
        luaL_argcheck(L, !transfer->profile, SPENT, "its result was not taken yet");
    }
    if (wps_transfer_begin(transfer, profile, &order, wps_now()))
        return wpsL_curl_raise(L, &transfer->exchange.error);
    if (loop)
        wps_loop_enter(loop, transfer);
    else
        wps_transfer_fail(transfer, &error);
    return 1;
}

static struct wps_transfer *check_exchange(lua_State *L)
{
    struct wps_transfer *transfer = wpsL_class_check(L, 1, EXCHANGE_UPVALUE, EXCHANGE);

    luaL_argcheck(L, transfer->profile, 1, "the exchange's result was taken already");
    return transfer;
}

static int exchange_step(lua_State *L)
{
    struct wps_transfer *transfer = check_exchange(L);

    lua_pushboolean(L, wps_transfer_step(transfer, luaL_checknumber(L, 2)));
    return 1;
}

static void push_slice(lua_State *L, struct wps_slice slice)
{
    lua_pushlstring(L, slice.data ? slice.data : "", slice.length);
}

int wpsL_curl_push_info(lua_State *L, const struct wps_exchange *exchange)
{
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, !exchange->kept);
    lua_setfield(L, -2, "new_connection");
    if (exchange->move == WPS_FINISHED && !exchange->error.kind) {
        push_slice(L, exchange->http.reason);
        lua_setfield(L, -2, "reason");
    }
    return 1;
}

static int exchange_info(lua_State *L)
{
    return wpsL_curl_push_info(L, &check_exchange(L)->exchange);
}

int wpsL_curl_push_result(lua_State *L, const struct wps_exchange *exchange)
{
    const struct wps_error *error = &exchange->error;

    if (error->kind == WPS_NO_MEMORY)
        return wpsL_curl_raise(L, error);
    lua_settop(L, 1);
    if (error->kind) {
        lua_pushnil(L);
        lua_pushstring(L, wps_kind_name(error->kind));
        lua_pushstring(L, error->code);
        lua_pushstring(L, error->message);
        lua_pushboolean(L, exchange->stale);
    } else {
        lua_pushinteger(L, exchange->http.status);
        push_slice(L, exchange->http.headers);
        lua_pushlstring(L, wps_buffer_string(&exchange->http.body), exchange->http.body.length);
    }
    return lua_gettop(L) - 1;
}

static int exchange_result(lua_State *L)
{
    struct wps_transfer *transfer = check_exchange(L);
    int count;

    luaL_argcheck(L, transfer->done, 1, "the exchange is not done; step() it until it returns true");
    count = wpsL_curl_push_result(L, &transfer->exchange);
    wps_transfer_recycle(transfer);
    return count;
}

static int exchange_cancel(lua_State *L)
{
    wps_transfer_cancel(wpsL_class_check(L, 1, EXCHANGE_UPVALUE, EXCHANGE));
    return 0;
}

static int exchange_gc(lua_State *L)
{
    struct wps_transfer *transfer = luaL_checkudata(L, 1, EXCHANGE);

    wps_transfer_cancel(transfer);
    wps_transfer_free(transfer);
    return 0;
}

/* ------------------------------------------------------------------ module */

void wpsL_curl_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, methods, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "protected"); /* a program that could reach __gc could call it early */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void wpsL_curl_open_inline(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "now", curl_now },
        { "time", curl_time },
        { "sleep", curl_sleep },
        { "version", curl_version_text },
        { "profile", curl_profile },
        { "start", curl_start },
        { NULL, NULL },
    };
    static const luaL_Reg exchange_methods[] = {
        { "step", exchange_step },
        { "info", exchange_info },
        { "result", exchange_result },
        { "cancel", exchange_cancel },
        { NULL, NULL },
    };
    static const luaL_Reg no_methods[] = { { NULL, NULL } };

    wpsL_curl_class(L, PROFILE, no_methods, profile_gc);
    wpsL_curl_class(L, EXCHANGE, exchange_methods, exchange_gc);
    luaL_newlibtable(L, functions);
    luaL_getmetatable(L, EXCHANGE);
    luaL_getmetatable(L, PROFILE);
    luaL_setfuncs(L, functions, CLASS_UPVALUES);
}

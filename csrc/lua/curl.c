/* lua/curl.c - the libcurl engine for Lua: require "webpubsub.curl".
 *
 *   curl.now(), curl.time()        seconds of the steady clock, seconds since the epoch
 *   curl.sleep(seconds)            returns the seconds left; more than 0 after a signal
 *   curl.version()
 *   curl.profile{ origin = … }     -> profile | nil, kind, code, message, the option at fault | nil
 *   curl.start(profile, method, target, headers, body|nil, timeout, once|nil, spent|nil)   -> exchange; one whose
 *                                  result was taken may be given as `spent`, to be used again
 *   exchange:step(seconds)         -> done; waits once, so false may come early: a signal, or progress without an end
 *   exchange:info()                -> { resent, new_connection, http_version, reason }, before the result is taken
 *   exchange:result()              -> status, header_block, body | nil, kind, code, message
 *   exchange:cancel()
 *   curl.background()              the engine whose thread is one of its own: lua/curl_thread.c
 *
 * A result can be taken once, for then its memory goes back: Lua's collector does not see how large it is. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "lua/curl.h"

#define PROFILE "webpubsub.curl.profile"
#define EXCHANGE "webpubsub.curl.exchange"

/* Of the module's functions, see lua/class.h. A class's methods have their own class as the first. */
enum { EXCHANGE_UPVALUE = 1, PROFILE_UPVALUE, CLASS_UPVALUES = PROFILE_UPVALUE };

#define MAX_SLEEP 1e9 /* seconds, some thirty years: fits any time_t */
#define MAX_BYTES 2147483647.0 /* of a response */

enum {
    INLINE_CONNECTIONS = 64, /* open ones, idle ones included */
    MAX_CONNECTIONS = 10000, /* of a profile in the background engine */
};

struct profile_box {
    struct wps_profile *profile;
};

struct engine_box {
    struct wps_engine *engine;
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

static void push_slice(lua_State *L, const struct wps_buffer *buffer, size_t from)
{
    lua_pushlstring(L, wps_buffer_string(buffer) + from, buffer->length - from);
}

/* ------------------------------------------------------------------ clock */

static double clock_seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int curl_now(lua_State *L)
{
    lua_pushnumber(L, clock_seconds(CLOCK_MONOTONIC));
    return 1;
}

static int curl_time(lua_State *L)
{
    lua_pushnumber(L, clock_seconds(CLOCK_REALTIME));
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
    lua_pushstring(L, wps_curl_version());
    return 1;
}

/* ------------------------------------------------------------------ profile */

static const char *const text_options[] = { "origin", "ca_file", "client_cert", "client_key", "client_key_password",
                                            "proxy", NULL };
static const char *const other_options[] = { "connect_timeout", "max_response_bytes", "max_header_bytes",
                                             "max_connections", "http2", NULL };

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
    struct wps_profile_options options = { .http2 = true };
    struct wps_error error = { .kind = WPS_OK };
    struct profile_box *box;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    check_names(L, 1);
    options.origin = text_option(L, 1, "origin");
    luaL_argcheck(L, options.origin, 1, "origin is missing");
    options.ca_file = text_option(L, 1, "ca_file");
    options.client_cert = text_option(L, 1, "client_cert");
    options.client_key = text_option(L, 1, "client_key");
    options.client_key_password = text_option(L, 1, "client_key_password");
    read_proxy(L, 1, &options);
    options.connect_timeout = number_option(L, 1, "connect_timeout", 5, HUGE_VAL);
    options.max_response_bytes = (size_t)whole_option(L, 1, "max_response_bytes", 1024 * 1024, MAX_BYTES);
    options.max_header_bytes = (size_t)whole_option(L, 1, "max_header_bytes", 64 * 1024, MAX_BYTES);
    options.max_connections = (int)whole_option(L, 1, "max_connections", 100, MAX_CONNECTIONS);
    lua_getfield(L, 1, "http2");
    if (!lua_isnil(L, -1))
        options.http2 = lua_toboolean(L, -1);

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

/* ------------------------------------------------------------------ engine */

static const char engine_key; /* its address is the engine's place in the registry */

static int engine_gc(lua_State *L)
{
    struct engine_box *box = lua_touserdata(L, 1);

    wps_engine_release(box->engine);
    box->engine = NULL;
    box->closed = true;
    return 0;
}

static struct engine_box *push_engine_box(lua_State *L)
{
    struct engine_box *box;

    lua_pushlightuserdata(L, (void *)&engine_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    box = lua_touserdata(L, -1);
    if (!box) {
        lua_pop(L, 1);
        lua_pushlightuserdata(L, (void *)&engine_key);
        box = lua_newuserdata(L, sizeof *box);
        box->engine = NULL;
        box->closed = false;
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, engine_gc);
        lua_setfield(L, -2, "__gc");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_insert(L, -3);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    return box;
}

/* One for each Lua state, and for each process: after fork() the child gets its own, and leaves the connections it
 * has inherited to its parent. */
static struct wps_engine *engine_of(lua_State *L)
{
    struct engine_box *box = push_engine_box(L);
    struct wps_error error = { .kind = WPS_OK };

    if (box->closed)
        luaL_error(L, "no exchange can be started while the Lua state is closing");
    if (box->engine && wps_engine_inherited(box->engine)) {
        wps_engine_release(box->engine);
        box->engine = NULL;
    }
    if (!box->engine)
        box->engine = wps_engine_create(INLINE_CONNECTIONS, &error);
    if (error.kind)
        wpsL_curl_raise(L, &error);
    lua_pop(L, 1);
    return box->engine;
}

/* ------------------------------------------------------------------ exchange */

static struct wps_slice check_slice(lua_State *L, int index)
{
    struct wps_slice slice;

    slice.data = luaL_checklstring(L, index, &slice.length);
    return slice;
}

struct wps_profile *wpsL_curl_request(lua_State *L, int first, struct wps_exchange_request *request)
{
    struct profile_box *box = wpsL_class_check(L, first, PROFILE_UPVALUE, PROFILE);

    request->method = luaL_checkstring(L, first + 1);
    request->target = check_slice(L, first + 2);
    request->headers = check_slice(L, first + 3);
    if (!lua_isnoneornil(L, first + 4))
        request->body = check_slice(L, first + 4);
    request->timeout = luaL_checknumber(L, first + 5);
    request->once = lua_toboolean(L, first + 6);
    luaL_argcheck(L, box->profile, first, "the profile was collected");
    luaL_argcheck(L, request->timeout > 0, first + 5, "seconds above 0 expected");
    return box->profile;
}

static int curl_start(lua_State *L)
{
    struct wps_exchange_request request = { .once = false };
    struct wps_profile *profile = wpsL_curl_request(L, 1, &request);
    struct wps_engine *engine;
    struct wps_exchange *exchange;

    lua_settop(L, 8);
    engine = engine_of(L);
    if (lua_isnil(L, 8)) {
        exchange = lua_newuserdata(L, sizeof *exchange);
        memset(exchange, 0, sizeof *exchange);
        luaL_setmetatable(L, EXCHANGE);
    } else {
        exchange = wpsL_class_check(L, 8, EXCHANGE_UPVALUE, EXCHANGE);
        luaL_argcheck(L, !exchange->profile, 8, "its result was not taken yet");
    }
    if (wps_exchange_start(exchange, engine, profile, &request))
        return wpsL_curl_raise(L, &exchange->error);
    return 1;
}

static struct wps_exchange *check_exchange(lua_State *L)
{
    struct wps_exchange *exchange = wpsL_class_check(L, 1, EXCHANGE_UPVALUE, EXCHANGE);

    luaL_argcheck(L, exchange->engine, 1, "the exchange's result was taken already");
    return exchange;
}

static int exchange_step(lua_State *L)
{
    struct wps_exchange *exchange = check_exchange(L);

    lua_pushboolean(L, wps_exchange_step(exchange, luaL_checknumber(L, 2)));
    return 1;
}

/* "HTTP/1.1 204 No Content\r\n" -> "1.1", "No Content" */
static void push_status_line(lua_State *L, const struct wps_exchange *exchange)
{
    const char *line = wps_buffer_string(&exchange->head);
    const char *end = line + exchange->fields - strlen("\r\n");
    const char *version = strchr(line, '/') + 1;
    const char *status = strchr(line, ' ') + 1;
    const char *reason = memchr(status, ' ', (size_t)(end - status));

    lua_pushlstring(L, version, (size_t)(status - 1 - version));
    lua_setfield(L, -2, "http_version");
    lua_pushlstring(L, reason ? reason + 1 : end, (size_t)(reason ? end - reason - 1 : 0));
    lua_setfield(L, -2, "reason");
}

int wpsL_curl_push_info(lua_State *L, const struct wps_exchange *exchange)
{
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, exchange->sent > 1 ? exchange->sent - 1 : 0);
    lua_setfield(L, -2, "resent");
    lua_pushboolean(L, exchange->new_connection);
    lua_setfield(L, -2, "new_connection");
    if (exchange->done && !exchange->error.kind)
        push_status_line(L, exchange);
    return 1;
}

static int exchange_info(lua_State *L)
{
    return wpsL_curl_push_info(L, check_exchange(L));
}

int wpsL_curl_push_result(lua_State *L, struct wps_exchange *exchange)
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
    } else {
        lua_pushinteger(L, exchange->status);
        push_slice(L, &exchange->head, exchange->fields);
        push_slice(L, &exchange->content, 0);
    }
    wps_exchange_recycle(exchange);
    return lua_gettop(L) - 1;
}

static int exchange_result(lua_State *L)
{
    struct wps_exchange *exchange = check_exchange(L);

    luaL_argcheck(L, exchange->done, 1, "the exchange is not done; step() it until it returns true");
    return wpsL_curl_push_result(L, exchange);
}

static int exchange_cancel(lua_State *L)
{
    wps_exchange_cancel(wpsL_class_check(L, 1, EXCHANGE_UPVALUE, EXCHANGE));
    return 0;
}

static int exchange_gc(lua_State *L)
{
    wps_exchange_free(luaL_checkudata(L, 1, EXCHANGE));
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

int luaopen_webpubsub_curl(lua_State *L);

__attribute__((visibility("default"))) int luaopen_webpubsub_curl(lua_State *L)
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
    wpsL_curl_open_background(L);
    return 1;
}

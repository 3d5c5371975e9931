/* lua/curl.c - the libcurl engine for Lua: require "webpubsub.curl".
 *
 *   curl.now(), curl.time()        seconds of the steady clock, seconds since the epoch
 *   curl.sleep(seconds)            returns the seconds left; more than 0 after a signal
 *   curl.version()
 *   curl.profile{ origin = … }     -> profile | nil, kind, code, message, the option at fault | nil
 *   curl.start(profile, call, spent|nil)     -> exchange: what the call is about to send; nil, kind, code and message
 *                                  where it is another process's to send
 *   curl.start(profile, method, target, headers, body|nil, seconds, patience, fresh|nil, spent|nil)   -> exchange: any
 *                                  other request. `seconds` are for the attempt from when it has a connection or opens one, `patience`
 *                                  is for all, the wait for its turn included; `fresh`: on a new connection. One whose
 *                                  result was taken may be given as `spent`, to be used again
 *   exchange:step(seconds)         -> done; waits once, so false may come early: a signal, or progress without an end
 *   exchange:info()                -> { new_connection, reason }, before the result is taken
 *   exchange:result()              -> status, header_block, body | nil, kind, code, message, stale: whether a kept
 *                                  connection turned out dead, which says nothing about the server
 *   exchange:deliver(call)         -> true, and the response is the call's; or nil and the failure
 *   exchange:cancel()
 *   curl.background()              the engine whose thread is one of its own: lua/curl_thread.c
 *
 * A result can be taken once, for then its memory goes back: Lua's collector does not see how large it is. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "curl/library.h"
#include "lua/curl.h"

#define EXCHANGE "webpubsub.curl.exchange"
#define MAX_SLEEP 1e9 /* seconds, some thirty years: fits any time_t */

struct loop_box {
    struct wps_loop *loop;
    bool closed; /* the state is closing */
};

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

static int curl_start(lua_State *L)
{
    const int spent = lua_type(L, 2) == LUA_TSTRING ? 9 : 3;
    struct wps_exchange_order order = { .fresh = false };
    struct wps_profile *profile = wpsL_curl_order(L, 1, &order);
    struct wps_error error = { .kind = WPS_OK };
    struct wps_loop *loop;
    struct wps_transfer *transfer;

    if (!profile)
        return 4;
    lua_settop(L, spent);
    loop = loop_of(L, &error);
    if (lua_isnil(L, spent)) {
        transfer = lua_newuserdata(L, sizeof *transfer);
        memset(transfer, 0, sizeof *transfer);
        luaL_setmetatable(L, EXCHANGE);
    } else {
        transfer = wpsL_class_check(L, spent, WPS_OWN_UPVALUE, EXCHANGE);
        luaL_argcheck(L, !transfer->profile, spent, "its result was not taken yet");
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
    struct wps_transfer *transfer = wpsL_class_check(L, 1, WPS_OWN_UPVALUE, EXCHANGE);

    luaL_argcheck(L, transfer->profile, 1, "the exchange's result was taken already");
    return transfer;
}

static int exchange_step(lua_State *L)
{
    struct wps_transfer *transfer = check_exchange(L);

    lua_pushboolean(L, wps_transfer_step(transfer, luaL_checknumber(L, 2)));
    return 1;
}

static int exchange_info(lua_State *L)
{
    return wpsL_curl_push_info(L, &check_exchange(L)->exchange);
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

/* deliver(call): the response becomes the call's, without a copy. */
static int exchange_deliver(lua_State *L)
{
    struct wps_transfer *transfer = check_exchange(L);
    int count;

    luaL_argcheck(L, transfer->done, 1, "the exchange is not done; step() it until it returns true");
    count = wpsL_curl_deliver(L, &transfer->exchange);
    wps_transfer_recycle(transfer);
    return count;
}

static int exchange_cancel(lua_State *L)
{
    wps_transfer_cancel(wpsL_class_check(L, 1, WPS_OWN_UPVALUE, EXCHANGE));
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

void wpsL_curl_open_inline(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "now", curl_now },
        { "time", curl_time },
        { "sleep", curl_sleep },
        { "version", curl_version_text },
        { "start", curl_start },
        { NULL, NULL },
    };
    static const luaL_Reg exchange_methods[] = {
        { "step", exchange_step },
        { "info", exchange_info },
        { "deliver", exchange_deliver },
        { "result", exchange_result },
        { "cancel", exchange_cancel },
        { NULL, NULL },
    };

    wpsL_curl_class(L, EXCHANGE, exchange_methods, exchange_gc);
    luaL_newlibtable(L, functions);
    luaL_getmetatable(L, EXCHANGE);
    luaL_newmetatable(L, WPS_CURL_PROFILE);
    luaL_newmetatable(L, WPS_CALL);
    luaL_setfuncs(L, functions, WPS_CURL_UPVALUES);
    wpsL_curl_open_profile(L);
}

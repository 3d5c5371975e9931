/* lua/curl_thread.c - the background engine for Lua: libcurl in a thread of its own, one for each Lua state.
 *
 *   curl.background()              -> background, the same one each time; its thread starts with the first submit
 *   background:submit(profile, method, target, headers, body|nil, seconds, patience, fresh|nil)    -> exchange, as
 *                                  curl.start; a few microseconds, whatever the network does
 *   background:next()              -> the next finished exchange, the very object that submit returned, or nil
 *   background:pending()           -> how many exchanges next() has not returned yet
 *   background:wait(seconds)       -> whether next() has something; false may come early: a signal
 *   background:fd()                -> a descriptor, readable while next() has something and until it returns nil;
 *                                  a child process has another
 *   exchange:done()                -> whether it is finished
 *   exchange:info(), :result()     as those of curl.start, once it is finished. Whose result was taken, or who was
 *                                  collected, does not come out of next() any more
 *   exchange:cancel()              at whatever stage: it comes out of next(), as cancelled
 *
 * An exchange that is collected is cancelled. */
#include "curl/background.h"
#include "lua/curl.h"

#define BACKGROUND "webpubsub.curl.background"
#define JOB "webpubsub.curl.background_exchange"

struct background_box {
    struct wps_background *background;
    bool closed; /* the state is closing */
};

struct job_box {
    struct wps_job *job; /* NULL: its result was taken */
};

/* ------------------------------------------------------------------ background */

static struct wps_background *check_background(lua_State *L)
{
    struct background_box *box = luaL_checkudata(L, 1, BACKGROUND);

    if (box->closed)
        luaL_error(L, "the background engine has ended: the Lua state is closing");
    return box->background;
}

static int background_gc(lua_State *L)
{
    struct background_box *box = luaL_checkudata(L, 1, BACKGROUND);

    if (box->background)
        wps_background_close(box->background);
    box->background = NULL;
    box->closed = true;
    return 0;
}

/* In the background's user value, so that a job that comes out is the userdata that went in: [job] = userdata, weak,
 * for what a program does not hold any more must be collected. */
static void push_weak_table(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

static void create_background(lua_State *L)
{
    struct wps_error error = { .kind = WPS_OK };
    struct background_box *box = lua_newuserdata(L, sizeof *box);

    box->background = NULL;
    box->closed = false;
    luaL_setmetatable(L, BACKGROUND);
    push_weak_table(L);
    wpsL_setuservalue(L, -2);
    box->background = wps_background_create(&error);
    if (error.kind)
        wpsL_curl_raise(L, &error);
}

static int curl_background(lua_State *L)
{
    static const char key; /* its address is the background's place in the registry */

    lua_pushlightuserdata(L, (void *)&key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_isnil(L, -1)) {
        lua_pushlightuserdata(L, (void *)&key);
        create_background(L);
        lua_pushvalue(L, -1);
        lua_insert(L, -3);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    return 1;
}

static int background_submit(lua_State *L)
{
    struct wps_background *background = check_background(L);
    struct wps_exchange_order order = { .fresh = false };
    struct wps_error error = { .kind = WPS_OK };
    struct wps_profile *profile = wpsL_curl_order(L, 2, &order);
    struct job_box *box = lua_newuserdata(L, sizeof *box);

    box->job = NULL;
    luaL_setmetatable(L, JOB);
    box->job = wps_job_create(background, profile, &order, &error);
    if (error.kind)
        return wpsL_curl_raise(L, &error);
    wpsL_getuservalue(L, 1);
    lua_pushlightuserdata(L, box->job);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    wps_background_submit(background, box->job);
    return 1;
}

static int background_next(lua_State *L)
{
    struct wps_background *background = check_background(L);
    struct wps_job *job = wps_background_next(background);

    lua_settop(L, 1);
    if (!job)
        return 0;
    wpsL_getuservalue(L, 1);
    for (; job; job = wps_background_next(background)) {
        lua_pushlightuserdata(L, job);
        lua_rawget(L, 2);
        if (!lua_isnil(L, -1)) { /* else it is being collected, and its __gc will free the job */
            lua_pushlightuserdata(L, job);
            lua_pushnil(L);
            lua_rawset(L, 2);
            return 1;
        }
        lua_pop(L, 1);
    }
    return 0;
}

static int background_pending(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)wps_background_pending(check_background(L)));
    return 1;
}

static int background_wait(lua_State *L)
{
    struct wps_background *background = check_background(L);
    double seconds = luaL_checknumber(L, 2);

    luaL_argcheck(L, seconds == seconds, 2, "seconds expected, not a NaN");
    lua_pushboolean(L, wps_background_wait(background, seconds));
    return 1;
}

static int background_fd(lua_State *L)
{
    struct wps_error error = { .kind = WPS_OK };
    int descriptor = wps_background_descriptor(check_background(L), &error);

    if (error.kind)
        return wpsL_curl_raise(L, &error);
    lua_pushinteger(L, descriptor);
    return 1;
}

/* ------------------------------------------------------------------ exchange */

static struct job_box *check_box(lua_State *L)
{
    struct job_box *box = luaL_checkudata(L, 1, JOB);

    luaL_argcheck(L, box->job, 1, "the exchange's result was taken already");
    return box;
}

static struct wps_exchange *check_finished(lua_State *L, const struct job_box *box)
{
    struct wps_exchange *exchange = wps_job_exchange(box->job);

    luaL_argcheck(L, exchange, 1, "the exchange is not done; wait until background:next() returns it");
    return exchange;
}

static int exchange_step(lua_State *L)
{
    luaL_checkudata(L, 1, JOB);
    return luaL_error(L, "an exchange of the background engine needs no steps; background:next() returns it when it is "
                         "done");
}

static int exchange_done(lua_State *L)
{
    lua_pushboolean(L, wps_job_exchange(check_box(L)->job) != NULL);
    return 1;
}

static int exchange_info(lua_State *L)
{
    return wpsL_curl_push_info(L, check_finished(L, check_box(L)));
}

static int exchange_result(lua_State *L)
{
    struct job_box *box = check_box(L);
    int count = wpsL_curl_push_result(L, check_finished(L, box));

    wps_job_release(box->job);
    box->job = NULL;
    return count;
}

static int exchange_cancel(lua_State *L)
{
    struct job_box *box = luaL_checkudata(L, 1, JOB);

    if (box->job)
        wps_job_cancel(box->job);
    return 0;
}

static int exchange_gc(lua_State *L)
{
    struct job_box *box = luaL_checkudata(L, 1, JOB);

    wps_job_release(box->job);
    box->job = NULL;
    return 0;
}

/* ------------------------------------------------------------------ module */

void wpsL_curl_open_background(lua_State *L)
{
    static const luaL_Reg background_methods[] = {
        { "submit", background_submit },
        { "next", background_next },
        { "pending", background_pending },
        { "wait", background_wait },
        { "fd", background_fd },
        { NULL, NULL },
    };
    static const luaL_Reg exchange_methods[] = {
        { "step", exchange_step },
        { "done", exchange_done },
        { "info", exchange_info },
        { "result", exchange_result },
        { "cancel", exchange_cancel },
        { NULL, NULL },
    };

    wpsL_curl_class(L, BACKGROUND, background_methods, background_gc);
    wpsL_curl_class(L, JOB, exchange_methods, exchange_gc);
    lua_pushcfunction(L, curl_background);
    lua_setfield(L, -2, "background");
}

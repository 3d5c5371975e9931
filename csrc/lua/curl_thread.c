/* lua/curl_thread.c - the background engine for Lua: libcurl in a thread of its own, one for each Lua state.
 *
 *   curl.background()              -> background, the same one each time; its thread starts with the first submit
 *   background:submit(profile, call)   or of strings, as curl.start    -> exchange, and its slot; a few microseconds,
 *                                  whatever the network does
 *   background:next()              -> the next finished exchange, the very object that submit returned, and its slot;
 *                                  or nil
 *   background:pending()           -> how many exchanges next() has not returned yet
 *   background:wait(seconds)       -> whether next() has something; false may come early: a signal
 *   background:fd()                -> a descriptor, readable while next() has something and until it returns nil;
 *                                  a child process has another
 *   exchange:done()                -> whether it is finished
 *   exchange:info(), :result(), :deliver(call)    as those of curl.start, once it is finished. Whose result was taken, or who was
 *                                  collected, does not come out of next() any more
 *   exchange:cancel()              at whatever stage: it comes out of next(), as cancelled
 *
 * An exchange that is collected is cancelled. A slot is a small number that is the exchange's own until it comes out of
 * next(), has its result taken or is collected: a table keyed by exchanges, which come and go, would be rehashed whole
 * at every insertion where 2^n of them are in flight. */
#include <string.h>

#include "curl/background.h"
#include "lua/curl.h"

#define BACKGROUND "webpubsub.curl.background"
#define JOB "webpubsub.curl.background_exchange"

struct background_box {
    struct wps_background *background;
    bool closed; /* the state is closing */
    int slots;   /* numbers given out so far */
    int free;    /* the first of those that are free, 0: none; its entry in the table holds the next */
};

struct job_box {
    struct wps_job *job; /* NULL: its result was taken */
    int slot;            /* 0: none */
};

/* ------------------------------------------------------------------ background */

static struct wps_background *check_background(lua_State *L)
{
    struct background_box *box = wpsL_class_check(L, 1, WPS_OWN_UPVALUE, BACKGROUND);

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

/* In the background's user value, so that a job that comes out is the userdata that went in: [slot] = userdata, weak,
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

    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, BACKGROUND);
    push_weak_table(L);
    wpsL_setuservalue(L, -2);
    box->background = wps_background_create(&error);
    if (error.kind)
        wpsL_curl_raise(L, &error);
}

static const char key; /* its address is the background's place in the registry */

static int curl_background(lua_State *L)
{
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

/* Gives the job on top of the stack a slot in the table at `slots`. */
static void wpsL_take_slot(lua_State *L, struct background_box *background, int slots, struct job_box *box)
{
    int slot = background->free, next = 0;

    if (slot) {
        lua_rawgeti(L, slots, slot);
        next = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
    } else {
        slot = background->slots + 1;
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, slots, slot); /* may raise, and then nothing is taken */
    background->free = next;
    if (slot > background->slots)
        background->slots = slot;
    box->slot = slot;
    wps_job_set_slot(box->job, slot);
}

/* The entry is there already, so that nothing is allocated. */
static void release_slot(lua_State *L, struct background_box *background, int slots, int slot)
{
    lua_pushinteger(L, background->free);
    lua_rawseti(L, slots, slot);
    background->free = slot;
}

/* For a job that has not come out of next(). */
static void drop_slot(lua_State *L, struct job_box *box)
{
    int top = lua_gettop(L);
    struct background_box *background;

    if (box->slot) {
        lua_pushlightuserdata(L, (void *)&key);
        lua_rawget(L, LUA_REGISTRYINDEX);
        background = lua_touserdata(L, -1);
        if (background && !background->closed) {
            wpsL_getuservalue(L, -1);
            release_slot(L, background, lua_gettop(L), box->slot);
        }
    }
    box->slot = 0;
    lua_settop(L, top);
}

static int background_submit(lua_State *L)
{
    struct wps_background *background = check_background(L);
    struct wps_exchange_order order = { .fresh = false };
    struct wps_error error = { .kind = WPS_OK };
    struct wps_profile *profile = wpsL_curl_order(L, 2, &order);
    struct job_box *box;

    if (!profile)
        return 4;
    wpsL_getuservalue(L, 1);
    box = lua_newuserdata(L, sizeof *box);
    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, JOB);
    box->job = wps_job_create(background, profile, &order, &error);
    if (error.kind)
        return wpsL_curl_raise(L, &error);
    wpsL_take_slot(L, lua_touserdata(L, 1), lua_gettop(L) - 1, box);
    wps_background_submit(background, box->job);
    lua_pushinteger(L, box->slot);
    return 2;
}

static int background_next(lua_State *L)
{
    struct background_box *background = lua_touserdata(L, 1);
    struct wps_job *job = wps_background_next(check_background(L));

    lua_settop(L, 1);
    if (!job)
        return 0;
    wpsL_getuservalue(L, 1);
    for (; job; job = wps_background_next(background->background)) {
        int slot = wps_job_slot(job);

        lua_rawgeti(L, 2, slot);
        if (lua_isuserdata(L, -1)) { /* else it is being collected, and its __gc will free the job */
            struct job_box *box = lua_touserdata(L, -1);

            release_slot(L, background, 2, slot);
            box->slot = 0;
            lua_pushinteger(L, slot);
            return 2;
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
    struct job_box *box = wpsL_class_check(L, 1, WPS_OWN_UPVALUE, JOB);

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

/* Its result was taken. What is on the stack stays. */
static int release(lua_State *L, struct job_box *box, int count)
{
    wps_job_release(box->job);
    box->job = NULL;
    drop_slot(L, box);
    return count;
}

static int exchange_result(lua_State *L)
{
    struct job_box *box = check_box(L);

    return release(L, box, wpsL_curl_push_result(L, check_finished(L, box)));
}

static int exchange_deliver(lua_State *L)
{
    struct job_box *box = check_box(L);

    return release(L, box, wpsL_curl_deliver(L, check_finished(L, box)));
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
    drop_slot(L, box);
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
        { "deliver", exchange_deliver },
        { "result", exchange_result },
        { "cancel", exchange_cancel },
        { NULL, NULL },
    };

    wpsL_curl_class(L, BACKGROUND, background_methods, background_gc);
    wpsL_curl_class(L, JOB, exchange_methods, exchange_gc);
    lua_pushcfunction(L, curl_background);
    lua_setfield(L, -2, "background");
}

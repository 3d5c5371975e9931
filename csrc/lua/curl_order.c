/* lua/curl_order.c - what goes into an exchange and what comes out of it, for the inline and the background engine. */
#include <string.h>
#include <unistd.h>

#include "lua/curl.h"
#include "lua/order.h"

int wpsL_curl_raise(lua_State *L, const struct wps_error *error)
{
    if (error->kind == WPS_NO_MEMORY) {
        lua_pushliteral(L, "not enough memory"); /* in Lua's own words */
        return lua_error(L);
    }
    return luaL_error(L, "%s", error->message);
}

void wpsL_curl_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lua_pushvalue(L, -2);
    luaL_newmetatable(L, WPS_CURL_PROFILE); /* or the one that is there, as with the next */
    luaL_newmetatable(L, WPS_CALL);
    luaL_setfuncs(L, methods, WPS_CURL_UPVALUES);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "protected"); /* a program that could reach __gc could call it early */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* ------------------------------------------------------------------ in */

static void order_of_strings(lua_State *L, int first, struct wps_exchange_order *order)
{
    order->request.method = wpsL_check_slice(L, first);
    order->request.target = wpsL_check_slice(L, first + 1);
    order->request.headers = wpsL_check_slice(L, first + 2);
    if (!lua_isnoneornil(L, first + 3))
        order->request.body = wpsL_check_slice(L, first + 3);
    order->seconds = luaL_checknumber(L, first + 4);
    order->patience = luaL_checknumber(L, first + 5);
    order->fresh = lua_toboolean(L, first + 6);
    luaL_argcheck(L, order->seconds > 0, first + 4, "seconds above 0 expected");
    luaL_argcheck(L, order->patience > 0, first + 5, "seconds above 0 expected");
}

struct wps_profile *wpsL_curl_order(lua_State *L, int first, struct wps_exchange_order *order)
{
    struct wps_profile_box *box = wpsL_class_check(L, first, WPS_PROFILE_UPVALUE, WPS_CURL_PROFILE);
    const struct wps_call *call = NULL;

    luaL_argcheck(L, box->profile, first, "the profile was collected");
    if (lua_type(L, first + 1) == LUA_TSTRING) {
        order_of_strings(L, first + 1, order);
        return box->profile;
    }
    call = wpsL_class_check(L, first + 1, WPS_CURL_CALL_UPVALUE, WPS_CALL);
    wpsL_order_of_call(L, first + 1, call, order);
    if (call->owner == getpid())
        return box->profile;
    lua_pushnil(L);
    lua_pushliteral(L, "transport");
    lua_pushliteral(L, "forked");
    lua_pushliteral(L, "the call was started before fork() and belongs to the parent process");
    return NULL;
}

/* ------------------------------------------------------------------ out */

int wpsL_curl_push_info(lua_State *L, const struct wps_exchange *exchange)
{
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, !exchange->kept);
    lua_setfield(L, -2, "new_connection");
    if (exchange->move == WPS_FINISHED && !exchange->error.kind) {
        wpsL_push_slice(L, exchange->http.reason);
        lua_setfield(L, -2, "reason");
    }
    return 1;
}

static int push_failure(lua_State *L, const struct wps_exchange *exchange)
{
    const struct wps_error *error = &exchange->error;

    if (error->kind == WPS_NO_MEMORY)
        return wpsL_curl_raise(L, error);
    lua_pushnil(L);
    lua_pushstring(L, wps_kind_name(error->kind));
    lua_pushstring(L, error->code);
    lua_pushstring(L, error->message);
    lua_pushboolean(L, exchange->stale);
    return 5;
}

int wpsL_curl_push_result(lua_State *L, const struct wps_exchange *exchange)
{
    if (exchange->error.kind)
        return push_failure(L, exchange);
    lua_pushinteger(L, exchange->http.status);
    wpsL_push_slice(L, exchange->http.headers);
    wpsL_push_slice(L, wps_whole(&exchange->http.body));
    return 3;
}

int wpsL_curl_deliver(lua_State *L, struct wps_exchange *exchange)
{
    struct wps_call *call = wpsL_class_check(L, 2, WPS_CURL_CALL_UPVALUE, WPS_CALL);

    wpsL_check_sent(L, 2, call);
    return exchange->error.kind ? push_failure(L, exchange) : wpsL_take_response(L, &exchange->http, call);
}

/* lua/curl_order.c - what goes into an exchange and what comes out of it, for the inline and the background engine. */
#include <string.h>
#include <unistd.h>

#include "lua/curl.h"

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

static struct wps_slice whole(const struct wps_buffer *buffer)
{
    struct wps_slice slice = { wps_buffer_string(buffer), buffer->length };

    return slice;
}

static struct wps_slice check_slice(lua_State *L, int index)
{
    struct wps_slice slice;

    slice.data = luaL_checklstring(L, index, &slice.length);
    return slice;
}

static void order_of_call(lua_State *L, int index, const struct wps_call *call, struct wps_exchange_order *order)
{
    const struct wps_request *request = &call->request;

    luaL_argcheck(L, call->step == WPS_SEND && call->attempt, index, "the call is at another step");
    order->request.method = wps_slice_of(request->operation->method);
    order->request.target = whole(&request->target);
    order->request.headers = whole(&request->headers);
    order->request.headers_checked = wps_call_headers_checked(call);
    if (request->has_body)
        order->request.body = whole(&request->body);
    order->seconds = call->seconds;
    order->patience = call->patience;
    order->fresh = call->fresh;
}

static void order_of_strings(lua_State *L, int first, struct wps_exchange_order *order)
{
    order->request.method = check_slice(L, first);
    order->request.target = check_slice(L, first + 1);
    order->request.headers = check_slice(L, first + 2);
    if (!lua_isnoneornil(L, first + 3))
        order->request.body = check_slice(L, first + 3);
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
    order_of_call(L, first + 1, call, order);
    if (call->owner == getpid())
        return box->profile;
    lua_pushnil(L);
    lua_pushliteral(L, "transport");
    lua_pushliteral(L, "forked");
    lua_pushliteral(L, "the call was started before fork() and belongs to the parent process");
    return NULL;
}

/* ------------------------------------------------------------------ out */

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
    push_slice(L, exchange->http.headers);
    push_slice(L, whole(&exchange->http.body));
    return 3;
}

int wpsL_curl_deliver(lua_State *L, struct wps_exchange *exchange)
{
    struct wps_call *call = wpsL_class_check(L, 2, WPS_CURL_CALL_UPVALUE, WPS_CALL);

    luaL_argcheck(L, call->step == WPS_SEND && call->attempt, 2, "this call has not sent");
    if (exchange->error.kind)
        return push_failure(L, exchange);
    call->response.status = exchange->http.status;
    wps_http1_take(&exchange->http, &call->response.headers, &call->response.body);
    lua_pushboolean(L, true);
    return 1;
}

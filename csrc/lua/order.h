/* lua/order.h - how a call becomes an exchange's order, and a response the call's: the same in both libraries, for
 * libcurl's connections (lua/curl_order.c) and for streams of the program's own (lua/exchange.c). */
#ifndef WPS_LUA_ORDER_H
#define WPS_LUA_ORDER_H

#include "core/exchange.h"
#include "lua/bindings.h"

static inline struct wps_slice wpsL_check_slice(lua_State *L, int index)
{
    struct wps_slice slice;

    slice.data = luaL_checklstring(L, index, &slice.length);
    return slice;
}

static inline void wpsL_push_slice(lua_State *L, struct wps_slice slice)
{
    lua_pushlstring(L, slice.data ? slice.data : "", slice.length);
}

static inline struct wps_slice wps_whole(const struct wps_buffer *buffer)
{
    struct wps_slice slice = { wps_buffer_string(buffer), buffer->length };

    return slice;
}

/* What the call at `index` is about to send. */
static inline void wpsL_order_of_call(lua_State *L, int index, const struct wps_call *call,
                                      struct wps_exchange_order *order)
{
    const struct wps_request *request = &call->request;

    luaL_argcheck(L, call->step == WPS_SEND && call->attempt, index, "this call is not about to send");
    order->request.method = wps_slice_of(request->operation->method);
    order->request.target = wps_whole(&request->target);
    order->request.headers = wps_whole(&request->headers);
    order->request.headers_checked = wps_call_headers_checked(call);
    if (request->has_body)
        order->request.body = wps_whole(&request->body);
    order->seconds = call->seconds;
    order->patience = call->patience;
    order->fresh = call->fresh;
}

static inline void wpsL_check_sent(lua_State *L, int index, const struct wps_call *call)
{
    luaL_argcheck(L, call->step == WPS_SEND && call->attempt, index, "this call has not sent");
}

/* Moves a whole response into a call that has sent, without a copy, and pushes true. */
static inline int wpsL_take_response(lua_State *L, struct wps_http1 *http, struct wps_call *call)
{
    call->response.status = http->status;
    wps_http1_take(http, &call->response.headers, &call->response.body);
    lua_pushboolean(L, true);
    return 1;
}

#endif

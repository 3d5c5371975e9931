/* lua/exchange.c - one request and its response for Lua, for transports that have their own streams. core/exchange.h is
 * the contract: a function here is the one of that name there, and returns the next move, "connect", "write", "read" or
 * "finished".
 *
 *   core.exchange(authority, connect_timeout, max_header_bytes|nil, max_response_bytes|nil)
 *                           -> exchange; raises what is wrong with the numbers
 *   exchange:begin(call, now)                        what the call is about to send
 *   exchange:begin_request(method, target, host, headers, body|nil, seconds, patience, fresh, now)    any other
 *   exchange:opening(now)  :connected(kept, now)  :unconnected(code, words)
 *   exchange:outgoing()     -> what is left to be sent, as one string
 *   exchange:wrote(length) :received(bytes)  :ended()  :broke(words)
 *   exchange:due()          -> when tick(now) is due at the latest
 *   exchange:tick(now)     :cancel()  :fail(kind, code, words)
 *   exchange:fresh() :keep() :distrust()  -> booleans
 *   exchange:failure()      -> kind, code, message, stale; nil where the response is there
 *   exchange:deliver(call)  the response becomes the call's, without a copy
 *   exchange:result()       -> status, header block, body, reason; a copy
 *   exchange:recycle()      forgets request and response, which may hold secrets */
#include <math.h>
#include <string.h>

#include "lua/order.h"

#define EXCHANGE "webpubsub.exchange"
#define MAX_BYTES 2147483647.0 /* of a response */
#define DAY 86400.0            /* seconds */

enum { EXCHANGE_UPVALUE = WPS_CLASS_UPVALUES + 1 };

struct exchange_box {
    struct wps_exchange exchange;
    struct wps_http1_limits limits;
    struct wps_buffer authority;
    double connect_seconds;
};

static struct exchange_box *wpsL_to_box(lua_State *L)
{
    return wpsL_class_check(L, 1, EXCHANGE_UPVALUE, EXCHANGE);
}

static int push_move(lua_State *L, enum wps_move move)
{
    static const char *const names[] = {
        [WPS_CONNECT] = "connect", [WPS_WRITE] = "write", [WPS_READ] = "read", [WPS_FINISHED] = "finished",
    };

    lua_pushstring(L, names[move]);
    return 1;
}

/* ------------------------------------------------------------------ a new one */

static size_t wpsL_bytes_argument(lua_State *L, int index, const char *option)
{
    struct wps_error error = { 0 };
    lua_Number value = lua_tonumber(L, index);

    if (lua_isnoneornil(L, index))
        return 0;
    if (!(value >= 1 && value <= MAX_BYTES) || value != floor(value))
        wps_fail(&error, WPS_ARGUMENT, option, "invalid", "%s must be a whole number of bytes from 1 to %.0f", option,
                 MAX_BYTES);
    wpsL_check(L, error.kind, &error, "new");
    return (size_t)value;
}

static double wpsL_connect_timeout(lua_State *L, int index)
{
    struct wps_error error = { 0 };
    lua_Number seconds = lua_tonumber(L, index);

    if (!(seconds > 0 && seconds <= DAY))
        wps_fail(&error, WPS_ARGUMENT, "connect_timeout", "invalid",
                 "connect_timeout must be a number of seconds above 0, at most %.0f", DAY);
    wpsL_check(L, error.kind, &error, "new");
    return seconds;
}

static int core_exchange(lua_State *L)
{
    struct wps_slice authority = wpsL_check_slice(L, 1);
    double connect_seconds = wpsL_connect_timeout(L, 2);
    struct wps_http1_limits limits = { wpsL_bytes_argument(L, 3, "max_header_bytes"),
                                       wpsL_bytes_argument(L, 4, "max_response_bytes") };
    struct exchange_box *box = lua_newuserdata(L, sizeof *box);

    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, EXCHANGE);
    box->limits = limits;
    box->connect_seconds = connect_seconds;
    wps_buffer_append(&box->authority, authority.data, authority.length);
    return box->authority.failed ? wpsL_raise_no_memory(L) : 1;
}

static int exchange_gc(lua_State *L)
{
    struct exchange_box *box = luaL_checkudata(L, 1, EXCHANGE);

    wps_exchange_free(&box->exchange);
    wps_buffer_free(&box->authority);
    return 0;
}

/* ------------------------------------------------------------------ beginning */

static int wpsL_begin(lua_State *L, struct exchange_box *box, struct wps_exchange_order *order, double now)
{
    order->limits = box->limits;
    order->authority = wps_whole(&box->authority);
    order->connect_seconds = box->connect_seconds;
    return push_move(L, wps_exchange_begin(&box->exchange, order, now));
}

static int exchange_begin(lua_State *L)
{
    struct exchange_box *box = wpsL_to_box(L);
    struct wps_exchange_order order = { .request.host = wps_whole(&box->authority) };

    wpsL_order_of_call(L, 2, wpsL_to_call(L, 2), &order);
    return wpsL_begin(L, box, &order, luaL_checknumber(L, 3));
}

static int exchange_begin_request(lua_State *L)
{
    struct exchange_box *box = wpsL_to_box(L);
    struct wps_exchange_order order = {
        .request = { .method = wpsL_check_slice(L, 2), .target = wpsL_check_slice(L, 3),
                     .host = wpsL_check_slice(L, 4), .headers = wpsL_check_slice(L, 5) },
        .seconds = luaL_checknumber(L, 7),
        .patience = luaL_checknumber(L, 8),
        .fresh = lua_toboolean(L, 9),
    };

    if (!lua_isnoneornil(L, 6))
        order.request.body = wpsL_check_slice(L, 6);
    return wpsL_begin(L, box, &order, luaL_checknumber(L, 10));
}

/* ------------------------------------------------------------------ what happened */

static int exchange_opening(lua_State *L)
{
    return push_move(L, wps_exchange_opening(&wpsL_to_box(L)->exchange, luaL_checknumber(L, 2)));
}

static int exchange_connected(lua_State *L)
{
    return push_move(L, wps_exchange_connected(&wpsL_to_box(L)->exchange, lua_toboolean(L, 2), luaL_checknumber(L, 3)));
}

static int exchange_unconnected(lua_State *L)
{
    return push_move(L, wps_exchange_unconnected(&wpsL_to_box(L)->exchange, luaL_checkstring(L, 2),
                                                 luaL_checkstring(L, 3)));
}

static int exchange_outgoing(lua_State *L)
{
    wpsL_push_slice(L, wps_exchange_outgoing(&wpsL_to_box(L)->exchange));
    return 1;
}

static int exchange_wrote(lua_State *L)
{
    struct wps_exchange *exchange = &wpsL_to_box(L)->exchange;
    lua_Number length = luaL_checknumber(L, 2);

    luaL_argcheck(L, length >= 0 && length <= (lua_Number)wps_exchange_outgoing(exchange).length, 2,
                  "more than there was to send");
    return push_move(L, wps_exchange_wrote(exchange, (size_t)length));
}

static int exchange_received(lua_State *L)
{
    struct wps_exchange *exchange = &wpsL_to_box(L)->exchange;
    struct wps_slice bytes = wpsL_check_slice(L, 2);

    return push_move(L, wps_exchange_received(exchange, bytes.data, bytes.length));
}

static int exchange_ended(lua_State *L)
{
    return push_move(L, wps_exchange_ended(&wpsL_to_box(L)->exchange));
}

static int exchange_broke(lua_State *L)
{
    return push_move(L, wps_exchange_broke(&wpsL_to_box(L)->exchange, luaL_checkstring(L, 2)));
}

static int exchange_due(lua_State *L)
{
    lua_pushnumber(L, wps_exchange_due(&wpsL_to_box(L)->exchange));
    return 1;
}

static int exchange_tick(lua_State *L)
{
    return push_move(L, wps_exchange_tick(&wpsL_to_box(L)->exchange, luaL_checknumber(L, 2)));
}

static int exchange_cancel(lua_State *L)
{
    return push_move(L, wps_exchange_cancel(&wpsL_to_box(L)->exchange));
}

static int exchange_fail(lua_State *L)
{
    static const char *const names[] = { "transport", "timeout", "protocol", "argument", NULL };
    static const enum wps_kind kinds[] = { WPS_TRANSPORT, WPS_TIMEOUT, WPS_PROTOCOL, WPS_ARGUMENT };
    struct wps_exchange *exchange = &wpsL_to_box(L)->exchange;
    enum wps_kind kind = kinds[luaL_checkoption(L, 2, NULL, names)];

    return push_move(L, wps_exchange_fail(exchange, kind, luaL_checkstring(L, 3), luaL_checkstring(L, 4)));
}

/* ------------------------------------------------------------------ what came of it */

static int exchange_fresh(lua_State *L)
{
    lua_pushboolean(L, wpsL_to_box(L)->exchange.fresh);
    return 1;
}

static int exchange_keep(lua_State *L)
{
    lua_pushboolean(L, wpsL_to_box(L)->exchange.keep);
    return 1;
}

static int exchange_distrust(lua_State *L)
{
    lua_pushboolean(L, wpsL_to_box(L)->exchange.distrust);
    return 1;
}

static int exchange_failure(lua_State *L)
{
    const struct wps_exchange *exchange = &wpsL_to_box(L)->exchange;
    const struct wps_error *error = &exchange->error;

    if (error->kind == WPS_NO_MEMORY)
        return wpsL_raise_no_memory(L);
    if (!error->kind)
        return 0;
    lua_pushstring(L, wps_kind_name(error->kind));
    lua_pushstring(L, error->code);
    lua_pushstring(L, error->message);
    lua_pushboolean(L, exchange->stale);
    return 4;
}

/* The whole response, or an error that says it is not there. */
static struct wps_http1 *wpsL_to_response(lua_State *L)
{
    struct wps_exchange *exchange = &wpsL_to_box(L)->exchange;

    luaL_argcheck(L, exchange->move == WPS_FINISHED && !exchange->error.kind, 1, "the response is not whole");
    return &exchange->http;
}

static int exchange_deliver(lua_State *L)
{
    struct wps_http1 *http = wpsL_to_response(L);
    struct wps_call *call = wpsL_to_call(L, 2);

    wpsL_check_sent(L, 2, call);
    return wpsL_take_response(L, http, call);
}

static int exchange_result(lua_State *L)
{
    const struct wps_http1 *http = wpsL_to_response(L);

    lua_pushinteger(L, http->status);
    wpsL_push_slice(L, http->headers);
    wpsL_push_slice(L, wps_whole(&http->body));
    wpsL_push_slice(L, http->reason);
    return 4;
}

static int exchange_recycle(lua_State *L)
{
    struct wps_exchange *exchange = &wpsL_to_box(L)->exchange;

    wps_exchange_recycle(exchange);
    return 0;
}

void wpsL_register_exchange(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "begin", exchange_begin },         { "begin_request", exchange_begin_request },
        { "opening", exchange_opening },     { "connected", exchange_connected },
        { "unconnected", exchange_unconnected }, { "outgoing", exchange_outgoing },
        { "wrote", exchange_wrote },         { "received", exchange_received },
        { "ended", exchange_ended },         { "broke", exchange_broke },
        { "due", exchange_due },             { "tick", exchange_tick },
        { "cancel", exchange_cancel },       { "fail", exchange_fail },
        { "fresh", exchange_fresh },         { "keep", exchange_keep },
        { "distrust", exchange_distrust },   { "failure", exchange_failure },
        { "deliver", exchange_deliver },     { "result", exchange_result },
        { "recycle", exchange_recycle },
        { NULL, NULL },
    };

    lua_pushcfunction(L, core_exchange);
    lua_setfield(L, -2, "exchange");
    luaL_newmetatable(L, EXCHANGE);
    lua_pushcfunction(L, exchange_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "protected"); /* a program that could reach __gc could call it early */
    lua_setfield(L, -2, "__metatable");
    luaL_newlibtable(L, methods);
    wpsL_push_classes(L);
    lua_pushvalue(L, -4);
    luaL_setfuncs(L, methods, EXCHANGE_UPVALUE);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

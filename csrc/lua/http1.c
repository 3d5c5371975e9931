/* lua/http1.c - the HTTP/1.1 codec for Lua; for transports that bring their own sockets.
 *
 *   core.http1(max_header_bytes|nil, max_response_bytes|nil)      -> http1; raises what is wrong with the options
 *   http1:request(method, target, host, headers, body|nil)        -> the bytes to send; begins anew
 *   http1:feed(bytes)      -> true: the response is whole; false: read on; nil, kind, code, message: close
 *   http1:finish()         -> the same, after the end of the connection; never false
 *   http1:received()       -> whether anything came since request()
 *   http1:result()         -> status, header block, body, keep_alive, reason, once the response is whole
 *   http1:clear()          forgets request and response, which may hold secrets */
#include <math.h>
#include <string.h>

#include "core/http1.h"
#include "lua/bindings.h"

#define HTTP1 "webpubsub.http1"
#define MAX_BYTES 2147483647.0 /* of a response */

struct http1_box {
    struct wps_http1 http;
    struct wps_http1_limits limits;
};

static size_t bytes_argument(lua_State *L, int index, const char *option)
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

static int core_http1(lua_State *L)
{
    struct wps_http1_limits limits = { bytes_argument(L, 1, "max_header_bytes"),
                                       bytes_argument(L, 2, "max_response_bytes") };
    struct http1_box *box = lua_newuserdata(L, sizeof *box);

    memset(box, 0, sizeof *box);
    box->limits = limits;
    luaL_setmetatable(L, HTTP1);
    return 1;
}

static struct wps_slice check_slice(lua_State *L, int index)
{
    struct wps_slice slice;

    slice.data = luaL_checklstring(L, index, &slice.length);
    return slice;
}

static void push_slice(lua_State *L, struct wps_slice slice)
{
    lua_pushlstring(L, slice.data ? slice.data : "", slice.length);
}

static int http1_request(lua_State *L)
{
    struct http1_box *box = luaL_checkudata(L, 1, HTTP1);
    struct wps_http1_request request = {
        .method = check_slice(L, 2),
        .target = check_slice(L, 3),
        .host = check_slice(L, 4),
        .headers = check_slice(L, 5),
    };
    struct wps_buffer *outgoing = &box->http.outgoing;

    if (!lua_isnoneornil(L, 6))
        request.body = check_slice(L, 6);
    wpsL_check(L, wps_http1_request(&box->http, &request, &box->limits), &box->http.error, NULL);
    lua_pushlstring(L, outgoing->data, outgoing->length);
    wps_buffer_recycle(outgoing);
    return 1;
}

static int push_progress(lua_State *L, const struct http1_box *box, enum wps_http1_progress progress)
{
    const struct wps_error *error = &box->http.error;

    if (progress != WPS_HTTP1_FAILED) {
        lua_pushboolean(L, progress == WPS_HTTP1_DONE);
        return 1;
    }
    if (error->kind == WPS_NO_MEMORY)
        return wpsL_raise_no_memory(L);
    lua_pushnil(L);
    lua_pushstring(L, wps_kind_name(error->kind));
    lua_pushstring(L, error->code);
    lua_pushstring(L, error->message);
    return 4;
}

static int http1_feed(lua_State *L)
{
    struct http1_box *box = luaL_checkudata(L, 1, HTTP1);
    struct wps_slice bytes = check_slice(L, 2);

    return push_progress(L, box, wps_http1_feed(&box->http, bytes.data, bytes.length));
}

static int http1_finish(lua_State *L)
{
    struct http1_box *box = luaL_checkudata(L, 1, HTTP1);

    return push_progress(L, box, wps_http1_end(&box->http));
}

static int http1_received(lua_State *L)
{
    struct http1_box *box = luaL_checkudata(L, 1, HTTP1);

    lua_pushboolean(L, box->http.received);
    return 1;
}

static int http1_result(lua_State *L)
{
    struct http1_box *box = luaL_checkudata(L, 1, HTTP1);
    const struct wps_http1 *http = &box->http;

    luaL_argcheck(L, http->state == WPS_HTTP1_COMPLETE, 1, "the response is not whole");
    lua_pushinteger(L, http->status);
    push_slice(L, http->headers);
    lua_pushlstring(L, wps_buffer_string(&http->body), http->body.length);
    lua_pushboolean(L, http->keep_alive);
    push_slice(L, http->reason);
    return 5;
}

static int http1_clear(lua_State *L)
{
    struct http1_box *box = luaL_checkudata(L, 1, HTTP1);

    wps_http1_recycle(&box->http);
    return 0;
}

static int http1_gc(lua_State *L)
{
    struct http1_box *box = luaL_checkudata(L, 1, HTTP1);

    wps_http1_free(&box->http);
    return 0;
}

void wpsL_register_http1(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "request", http1_request },   { "feed", http1_feed },     { "finish", http1_finish },
        { "received", http1_received }, { "result", http1_result }, { "clear", http1_clear },
        { NULL, NULL },
    };

    lua_pushcfunction(L, core_http1);
    lua_setfield(L, -2, "http1");
    luaL_newmetatable(L, HTTP1);
    lua_pushcfunction(L, http1_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlibtable(L, methods);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "protected"); /* a program that could reach __gc could call it early */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* lua/call.c - a call as the Lua driver sees it: told what happened, it answers with the next step.
 *
 * Every function that moves the call returns the step's name: "token", "send", "wait" or "done". */
#include "lua/bindings.h"

#include <string.h>
#include <unistd.h>

void wpsL_push_classes(lua_State *L)
{
    luaL_newmetatable(L, WPS_CLIENT); /* or the one that is there */
    luaL_newmetatable(L, WPS_CALL);
}

/* The call on top of the stack keeps its client alive: directly, or in a table where Lua takes no other uservalue. */
static void anchor_client(lua_State *L, int client)
{
#if LUA_VERSION_NUM >= 503
    lua_pushvalue(L, client);
#else
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, client);
    lua_rawseti(L, -2, 1);
#endif
    wpsL_setuservalue(L, -2);
}

static struct wps_client *anchored_client(lua_State *L, int call)
{
    wpsL_getuservalue(L, call);
#if LUA_VERSION_NUM < 503
    lua_rawgeti(L, -1, 1);
#endif
    return lua_touserdata(L, -1);
}

struct wps_call *wpsL_push_call(lua_State *L, int client)
{
    struct wps_call *call;

    client = lua_absindex(L, client);
    call = lua_newuserdata(L, sizeof *call);
    memset(call, 0, sizeof *call);
    luaL_setmetatable(L, WPS_CALL);
    anchor_client(L, client);
    return call;
}

struct wps_call *wpsL_to_call(lua_State *L, int index)
{
    return wpsL_class_check(L, index, WPS_CALL_UPVALUE, WPS_CALL);
}

static int call_gc(lua_State *L)
{
    wps_call_free(luaL_checkudata(L, 1, WPS_CALL));
    return 0;
}

static int push_step(lua_State *L, const struct wps_call *call, enum wps_step step)
{
    static const char *const names[] = {
        [WPS_TOKEN] = "token", [WPS_SEND] = "send", [WPS_WAIT] = "wait", [WPS_DONE] = "done",
    };

    if (step == WPS_DONE && call->error.kind == WPS_NO_MEMORY)
        return wpsL_raise_no_memory(L);
    lua_pushstring(L, names[step]);
    return 1;
}

/* Steps that are fed in out of turn are a mistake of the driver. */
static void expect(lua_State *L, const struct wps_call *call, enum wps_step step, const char *what)
{
    if (call->step != step || (step != WPS_DONE && !call->attempt))
        luaL_error(L, "%s does not fit the step this call is at", what);
}

/* Was it prepared before fork()? The parent's process has it too, coroutine, waits and all, and sends it. */
static bool is_inherited(const struct wps_call *call)
{
    return call->owner != getpid();
}

/* ------------------------------------------------------------------ moving on */

/* With the client's key as it is now; an operation that needs no token, of which some have no client, goes on without. */
static enum wps_step sign(lua_State *L, struct wps_call *call, double now, double wall)
{
    if (call->request.operation->unsigned_)
        return wps_call_token(call, now, wps_slice_of(NULL));
    return wps_call_sign(call, now, wall, &anchored_client(L, 1)->signer);
}

/* begin(now[, wall]): with the second it is signed at once, as sign() would. */
static int call_begin(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    double now = luaL_checknumber(L, 2), wall = luaL_optnumber(L, 3, 0);
    enum wps_step step;

    if (call->attempt)
        return luaL_error(L, "this call has begun already");
    step = wps_call_begin(call, now);
    if (is_inherited(call))
        step = wps_call_disown(call, now);
    else if (step == WPS_TOKEN && !lua_isnoneornil(L, 3))
        step = sign(L, call, now, wall);
    return push_step(L, call, step);
}

/* token(now[, token]): without a token for an operation that needs none. */
static int call_token(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    struct wps_slice token = wpsL_to_slice(L, 3);
    double now = luaL_checknumber(L, 2);

    expect(L, call, WPS_TOKEN, "token()");
    return push_step(L, call, is_inherited(call) ? wps_call_disown(call, now) : wps_call_token(call, now, token));
}

/* sign(now, wall) */
static int call_sign(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    double now = luaL_checknumber(L, 2), wall = luaL_checknumber(L, 3);

    expect(L, call, WPS_TOKEN, "sign()");
    return push_step(L, call, is_inherited(call) ? wps_call_disown(call, now) : sign(L, call, now, wall));
}

static enum wps_verdict to_verdict(lua_State *L, int index, const char *operation)
{
    if (lua_isnoneornil(L, index))
        return WPS_VERDICT_DEFAULT;
    if (lua_type(L, index) == LUA_TBOOLEAN)
        return lua_toboolean(L, index) ? WPS_VERDICT_ERROR : WPS_VERDICT_SUCCESS;
    if (wps_slice_is(wpsL_to_slice(L, index), "retry"))
        return WPS_VERDICT_RETRY;
    wpsL_type_error(L, "classify", "true (an error), false (none), \"retry\" (an error worth a retry) or nil", index,
                   operation);
    return WPS_VERDICT_DEFAULT;
}

/* deliver(status, headers, body): what has been received, before respond() says what to make of it. */
static int call_deliver(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    struct wps_slice headers = wpsL_to_slice(L, 3), body = wpsL_to_slice(L, 4);
    struct wps_response *response = &call->response;

    expect(L, call, WPS_SEND, "deliver()");
    wps_buffer_recycle(&response->headers);
    wps_buffer_recycle(&response->body);
    response->status = (int)luaL_checknumber(L, 2);
    response->headers.maximum = headers.length + 1; /* the transport has held them to the limits of the client */
    response->body.maximum = body.length + 1;
    wps_buffer_append(&response->headers, headers.data, headers.length);
    wps_buffer_append(&response->body, body.data, body.length);
    if (response->headers.failed || response->body.failed)
        return wpsL_raise_no_memory(L);
    lua_pushboolean(L, true);
    return 1;
}

/* respond(now, wall, random[, verdict]): goes on from the response that was delivered. */
static int call_respond(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    double now = luaL_checknumber(L, 2), wall = luaL_checknumber(L, 3), random = luaL_checknumber(L, 4);
    enum wps_verdict verdict = to_verdict(L, 5, call->request.operation->name);
    enum wps_step step;

    expect(L, call, WPS_SEND, "respond()");
    luaL_argcheck(L, call->response.status, 1, "no response was delivered");
    step = wps_call_response(call, now, wall, random, verdict);
    if (call->clock_is_known)
        anchored_client(L, 1)->clock_offset = call->clock_offset;
    return push_step(L, call, step);
}

/* failure(now, random, kind, code, message[, stale]) */
static int call_failure(lua_State *L)
{
    static const char *const names[] = { "transport", "timeout", "protocol", "credential", "cancelled", NULL };
    static const enum wps_kind kinds[] = { WPS_TRANSPORT, WPS_TIMEOUT, WPS_PROTOCOL, WPS_CREDENTIAL, WPS_CANCELLED };
    struct wps_call *call = wpsL_to_call(L, 1);
    double now = luaL_checknumber(L, 2), random = luaL_checknumber(L, 3);
    enum wps_kind kind = kinds[luaL_checkoption(L, 4, NULL, names)];

    if (call->step == WPS_DONE || !call->attempt)
        return luaL_error(L, call->attempt ? "this call is done" : "this call has not begun");
    return push_step(L, call, wps_call_failure(call, now, random, kind, luaL_checkstring(L, 5), luaL_checkstring(L, 6),
                                           lua_toboolean(L, 7)));
}

static int call_resume(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    double now = luaL_checknumber(L, 2);

    expect(L, call, WPS_WAIT, "resume()");
    return push_step(L, call, is_inherited(call) ? wps_call_disown(call, now) : wps_call_resume(call, now));
}

/* ------------------------------------------------------------------ what the driver needs */

static void push_buffer(lua_State *L, const struct wps_buffer *buffer)
{
    lua_pushlstring(L, wps_buffer_string(buffer), buffer->length);
}

/* outgoing(): method, target, headers, body or nil, seconds for the attempt, seconds left of the call, whether the
 * connection must be a new one, and whether the request must not reach the server twice. */
static int call_outgoing(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    const struct wps_request *request = &call->request;

    expect(L, call, WPS_SEND, "outgoing()");
    if (is_inherited(call)) {
        wps_call_disown(call, call->started);
        return wpsL_raise(L, &call->error, request->operation->name);
    }
    lua_pushstring(L, request->operation->method);
    push_buffer(L, &request->target);
    push_buffer(L, &request->headers);
    if (request->has_body)
        push_buffer(L, &request->body);
    else
        lua_pushnil(L);
    lua_pushnumber(L, call->seconds);
    lua_pushnumber(L, call->patience);
    lua_pushboolean(L, call->fresh);
    lua_pushboolean(L, call->limits.retry.retries == 0);
    return 8;
}

static int call_seconds(lua_State *L)
{
    lua_pushnumber(L, wpsL_to_call(L, 1)->seconds);
    return 1;
}

/* left(now): seconds of the call's timeout; all of them before it begins. */
static int call_left(lua_State *L)
{
    const struct wps_call *call = wpsL_to_call(L, 1);
    double now = luaL_checknumber(L, 2);

    lua_pushnumber(L, call->limits.timeout - (call->attempt ? now - call->started : 0));
    return 1;
}

static int call_attempt(lua_State *L)
{
    lua_pushinteger(L, wpsL_to_call(L, 1)->attempt);
    return 1;
}

static int call_needs_token(lua_State *L)
{
    lua_pushboolean(L, !wpsL_to_call(L, 1)->request.operation->unsigned_);
    return 1;
}

/* clock_offset(): seconds by which an answer to this call has found this machine's clock to be behind; nil: none has. */
static int call_clock_offset(lua_State *L)
{
    const struct wps_call *call = wpsL_to_call(L, 1);

    if (!call->clock_corrected)
        return 0;
    lua_pushnumber(L, call->clock_offset);
    return 1;
}

/* claims(): JSON the next token must carry, after a challenge; else nil. */
static int call_claims(lua_State *L)
{
    const struct wps_call *call = wpsL_to_call(L, 1);

    if (!call->claims.length)
        return 0;
    push_buffer(L, &call->claims);
    return 1;
}

/* follow(url): asks for the next page of what was prepared; url is a nextLink. */
static int call_follow(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    struct wps_slice url = wpsL_to_slice(L, 2);
    struct wps_error error = { 0 };

    if (call->attempt)
        return luaL_error(L, "follow() must come before begin()");
    wps_request_follow(&call->request, &anchored_client(L, 1)->endpoint, url, call->limits.url_bytes, &error);
    wpsL_check(L, error.kind, &error, call->request.operation->name);
    return 0;
}

/* result([no_throw]): the response, or nil and the error. */
static int call_result(lua_State *L)
{
    const struct wps_call *call = wpsL_to_call(L, 1);

    expect(L, call, WPS_DONE, "result()");
    return wpsL_push_result(L, call, lua_toboolean(L, 2));
}

/* ------------------------------------------------------------------ what policies and the logger may see */

static int call_method(lua_State *L)
{
    lua_pushstring(L, wpsL_to_call(L, 1)->request.operation->method);
    return 1;
}

static int call_operation(lua_State *L)
{
    lua_pushstring(L, wpsL_to_call(L, 1)->request.operation->name);
    return 1;
}

static int call_url(lua_State *L)
{
    push_buffer(L, &wpsL_to_call(L, 1)->request.url);
    return 1;
}

static int call_body(lua_State *L)
{
    const struct wps_request *request = &wpsL_to_call(L, 1)->request;

    if (!request->has_body)
        return 0;
    push_buffer(L, &request->body);
    return 1;
}

static int call_status(lua_State *L)
{
    lua_pushinteger(L, wpsL_to_call(L, 1)->response.status);
    return 1;
}

/* received(): the response as a classifier sees it: status, header block, body. */
static int call_received(lua_State *L)
{
    const struct wps_response *response = &wpsL_to_call(L, 1)->response;

    lua_pushinteger(L, response->status);
    push_buffer(L, &response->headers);
    push_buffer(L, &response->body);
    return 3;
}

static int call_header(lua_State *L)
{
    const struct wps_request *request = &wpsL_to_call(L, 1)->request;
    struct wps_slice block = { request->headers.data, request->headers.length };
    struct wps_slice value = wps_headers_find(block, luaL_checkstring(L, 2));

    if (!value.data)
        return 0;
    lua_pushlstring(L, value.data, value.length);
    return 1;
}

static int call_headers(lua_State *L)
{
    const struct wps_request *request = &wpsL_to_call(L, 1)->request;
    struct wps_slice block = { request->headers.data, request->headers.length };

    wpsL_push_headers(L, block);
    return 1;
}

/* set_header(name, value or nil) */
static int call_set_header(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    const char *operation = call->request.operation->name;
    struct wps_slice name = wpsL_to_slice(L, 2), value = wpsL_to_slice(L, 3);
    struct wps_buffer *headers = &call->request.headers;
    struct wps_error error = { 0 };

    if (!name.data)
        wpsL_type_error(L, "the name of a header", "string", 2, operation);
    if (!value.data && !lua_isnil(L, 3))
        wpsL_type_error(L, "the value of a header", "string, or nil to remove it", 3, operation);
    wpsL_check_user_header(L, name, value, operation);
    wps_headers_set(headers, name, value);
    wps_buffer_check(headers, &error, "headers");
    wps_buffer_truncate(headers, headers->length); /* a header that is refused leaves the others as they were */
    wpsL_check(L, error.kind, &error, operation);
    return 0;
}

/* add_query(name, value): not after signing, for the token is good for the URL as it was. */
static int call_add_query(lua_State *L)
{
    struct wps_call *call = wpsL_to_call(L, 1);
    const char *operation = call->request.operation->name;
    struct wps_slice name = wpsL_to_slice(L, 2), value = wpsL_to_slice(L, 3);
    struct wps_error error = { 0 };

    if (!name.data || !value.data)
        wpsL_type_error(L, name.data ? "value" : "name", "string", name.data ? 3 : 2, operation);
    if (call->step == WPS_SEND && call->attempt)
        wps_fail(&error, WPS_ARGUMENT, "policies", "invalid",
                 "the URL cannot change in before_send: it is signed already; use per_call or per_attempt");
    else
        wps_request_add_query(&call->request, name, value, call->limits.url_bytes, &error);
    wpsL_check(L, error.kind, &error, operation);
    return 0;
}

void wpsL_register_call(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "begin", call_begin },           { "token", call_token },     { "sign", call_sign },
        { "deliver", call_deliver },       { "respond", call_respond }, { "failure", call_failure },
        { "resume", call_resume },         { "outgoing", call_outgoing }, { "seconds", call_seconds },
        { "left", call_left },             { "attempt", call_attempt },       { "needs_token", call_needs_token }, { "claims", call_claims },
        { "clock_offset", call_clock_offset },
        { "follow", call_follow },         { "result", call_result },
        { "method", call_method },         { "operation", call_operation }, { "url", call_url },
        { "body", call_body },             { "status", call_status },   { "received", call_received },
        { "header", call_header },         { "headers", call_headers }, { "set_header", call_set_header },
        { "add_query", call_add_query },
        { NULL, NULL },
    };

    luaL_newmetatable(L, WPS_CALL);
    lua_pushcfunction(L, call_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlibtable(L, methods);
    wpsL_push_classes(L);
    luaL_setfuncs(L, methods, WPS_CLASS_UPVALUES);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

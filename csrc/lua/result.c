/* lua/result.c - a finished call becomes a response table or an error table. */
#include "lua/bindings.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ERROR_BODY = 64 * 1024 }; /* bytes */

/* ------------------------------------------------------------------ tables */

void wpsL_push_headers(lua_State *L, struct wps_slice block)
{
    struct wps_slice name, value;

    lua_newtable(L);
    while (wps_headers_next(&block, &name, &value)) {
        char key[128];
        size_t length = name.length < sizeof key ? name.length : sizeof key;

        for (size_t i = 0; i < length; i++)
            key[i] = wps_lower(name.data[i]);
        lua_pushlstring(L, key, length);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushlstring(L, value.data, value.length);
        } else { /* RFC 9110, 5.3: the same name again is one list */
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, value.data, value.length);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
    luaL_setmetatable(L, WPS_HEADERS);
}

static void set_slice(lua_State *L, const char *key, struct wps_slice value)
{
    if (value.data) {
        lua_pushlstring(L, value.data, value.length);
        lua_setfield(L, -2, key);
    }
}

static void set_call(lua_State *L, const struct wps_call *call)
{
    struct wps_slice sent = { call->base_headers.data, call->base_headers.length };

    lua_pushstring(L, call->request.operation->name);
    lua_setfield(L, -2, "operation");
    set_slice(L, "request_id", wps_headers_find(sent, "x-ms-client-request-id"));
    lua_pushinteger(L, call->attempt);
    lua_setfield(L, -2, "attempts");
    lua_pushnumber(L, call->ended - call->started);
    lua_setfield(L, -2, "elapsed");
}

/* An error is kept and passed around, so of its body only so much is. */
static void set_body(lua_State *L, const struct wps_call *call, bool is_error)
{
    const struct wps_buffer *body = &call->response.body;
    bool cut = is_error && body->length > MAX_ERROR_BODY;

    lua_pushlstring(L, wps_buffer_string(body), cut ? MAX_ERROR_BODY : body->length);
    lua_setfield(L, -2, "body");
    if (cut) {
        lua_pushnumber(L, (lua_Number)body->length);
        lua_setfield(L, -2, "body_bytes");
    }
}

static void push_response(lua_State *L, const struct wps_call *call, bool is_error)
{
    const struct wps_response *response = &call->response;
    struct wps_slice headers = { wps_buffer_string(&response->headers), response->headers.length };

    lua_createtable(L, 0, 12);
    lua_pushinteger(L, response->status);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, wps_status_text(response->status));
    lua_setfield(L, -2, "reason");
    set_slice(L, "raw_headers", headers); /* the Lua side makes `headers` of it when somebody asks */
    set_body(L, call, is_error);
    lua_pushboolean(L, is_error);
    lua_setfield(L, -2, "is_error");
    set_call(L, call);
    luaL_setmetatable(L, WPS_RESPONSE);
}

/* The failure as the call knows it; the table is on top of the stack. */
static void set_failure(lua_State *L, const struct wps_call *call)
{
    set_call(L, call);
    lua_pushstring(L, wps_kind_name(call->error.kind));
    lua_setfield(L, -2, "kind");
    lua_pushboolean(L, call->retryable);
    lua_setfield(L, -2, "retryable");
    if (call->retry_after >= 0) {
        lua_pushnumber(L, call->retry_after);
        lua_setfield(L, -2, "retry_after");
    }
}

static void append(lua_State *L, const char *text)
{
    lua_pushstring(L, text);
    lua_concat(L, 2);
}

/* Adds to the message on top why the body did not say more. */
static void add_complaint(lua_State *L, const struct wps_call *call, const char *problem)
{
    struct wps_slice headers = { call->response.headers.data, call->response.headers.length };
    struct wps_slice body = { call->response.body.data, call->response.body.length };
    char text[160];

    if (problem && wps_slice_trim(body).length) {
        wps_body_complaint(headers, problem, text, sizeof text);
        append(L, "; its body is not the JSON it should be: ");
        append(L, text);
    }
}

/* Code and message of a service error, as far as there was no body to take them from. */
static void set_fallbacks(lua_State *L, const struct wps_call *call, const char *problem)
{
    struct wps_slice headers = { call->response.headers.data, call->response.headers.length };
    const char *note = call->error.message, *text = wps_status_text(call->response.status);

    if (wpsL_push_field(L, -1, "code")) {
        lua_pop(L, 1);
    } else {
        char data[128];
        struct wps_slice code = wps_fallback_code(call->response.status, headers, data, sizeof data);
        lua_pushlstring(L, code.data, code.length);
        lua_setfield(L, -2, "code");
    }
    if (!wpsL_push_field(L, -1, "message")) {
        struct wps_slice description = wps_challenge(headers, "error_description");
        if (description.length)
            lua_pushlstring(L, description.data, description.length);
        else
            lua_pushfstring(L, "the service answered %d%s%s", call->response.status, *text ? " " : "", text);
    }
    add_complaint(L, call, problem);
    if (*note) {
        append(L, "; ");
        append(L, note);
    }
    lua_setfield(L, -2, "message");
}

/* Pushes the error of a call whose last response was an error; that response is at `response`. */
static void push_service_error(lua_State *L, const struct wps_call *call, int response)
{
    struct wps_slice body = { call->response.body.data, call->response.body.length };
    const char *problem = wpsL_push_decoded_error(L, body);

    lua_pushinteger(L, call->response.status);
    lua_setfield(L, -2, "status");
    set_failure(L, call);
    set_fallbacks(L, call, problem);
    lua_pushvalue(L, response);
    lua_setfield(L, -2, "response");
    luaL_setmetatable(L, WPS_ERROR);
}

/* ------------------------------------------------------------------ answers */

static bool has_answer(const struct wps_call *call)
{
    enum wps_result result = call->request.operation->result;
    int status = call->response.status;

    return (result == WPS_RESULT_TOKEN || result == WPS_RESULT_LIST) && status >= 200 && status <= 299;
}

/* The response is on top of the stack. */
static int refuse_answer(lua_State *L, const struct wps_call *call, const char *problem)
{
    struct wps_slice headers = { call->response.headers.data, call->response.headers.length };
    int response = lua_gettop(L);
    char why[160];

    set_body(L, call, true);
    wps_body_complaint(headers, problem, why, sizeof why);
    lua_pushnil(L);
    lua_createtable(L, 0, 10);
    set_failure(L, call);
    set_slice(L, "kind", wps_slice_of(wps_kind_name(WPS_PROTOCOL)));
    set_slice(L, "code", wps_slice_of("malformed"));
    lua_pushfstring(L, "the service accepted the call, but its answer is not the JSON it should be: %s", why);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, response);
    lua_setfield(L, -2, "response");
    luaL_setmetatable(L, WPS_ERROR);
    return 2;
}

/* The response is on top of the stack: adds what its body holds, or makes an error of it. */
static int finish_success(lua_State *L, const struct wps_call *call)
{
    struct wps_slice body = { call->response.body.data, call->response.body.length };
    enum wps_result result = call->request.operation->result;
    const char *why = NULL;

    if (result == WPS_RESULT_EXISTS) {
        lua_pushboolean(L, call->response.status != 404);
        lua_setfield(L, -2, "exists");
    }
    if (has_answer(call))
        why = wpsL_set_answer(L, result, body);
    return why ? refuse_answer(L, call, why) : 1;
}

int wpsL_push_result(lua_State *L, const struct wps_call *call, bool no_throw)
{
    if (call->error.kind == WPS_OK) {
        push_response(L, call, false);
        return finish_success(L, call);
    }
    if (call->error.kind == WPS_SERVICE) {
        push_response(L, call, true);
        push_service_error(L, call, lua_gettop(L));
        if (no_throw) {
            lua_setfield(L, -2, "error");
            return 1;
        }
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushnil(L);
    lua_createtable(L, 0, 10);
    set_failure(L, call);
    set_slice(L, "code", wps_slice_of(call->error.code));
    set_slice(L, "message", wps_slice_of(call->error.message));
    if (*call->error.argument)
        set_slice(L, "argument", wps_slice_of(call->error.argument));
    luaL_setmetatable(L, WPS_ERROR);
    return 2;
}

void wpsL_register_result(lua_State *L)
{
    static const char *const names[] = { WPS_RESPONSE, WPS_ERROR, WPS_HEADERS };
    static const char *const keys[] = { "response_type", "error_type", "headers_type" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        luaL_newmetatable(L, names[i]);
        lua_pushstring(L, names[i]);
        lua_setfield(L, -2, "__name");
        lua_setfield(L, -2, keys[i]); /* the Lua side adds how they print */
    }
}

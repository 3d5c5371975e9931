/* lua/result.c - a finished call becomes a response table or an error table; bodies are decoded here. */
#include "lua/bindings.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_DETAILS = 100, /* in one error; a body is not worth a hundred times its size in tables */
    MAX_DEPTH = 16                   /* of nested errors that are kept; the live service nests two */
};

/* ------------------------------------------------------------------ the error schema */

/* Copies source[from] to the table on top, as `to`, where it is a string that says something. */
static void copy_string(lua_State *L, int source, const char *from, const char *to)
{
    if (wpsL_push_field(L, source, from)) {
        if (wpsL_to_slice(L, -1).length)
            lua_setfield(L, -2, to);
        else
            lua_pop(L, 1);
    }
}

static bool push_table_field(lua_State *L, int index, const char *key)
{
    if (!wpsL_push_field(L, index, key))
        return false;
    if (lua_istable(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

static void push_schema(lua_State *L, int source, int depth);

static void copy_details(lua_State *L, int source, int depth)
{
    int count, kept = 0;

    if (!push_table_field(L, source, "details"))
        return;
    count = (int)lua_rawlen(L, -1);
    if (count > MAX_DETAILS)
        count = MAX_DETAILS;
    lua_newtable(L);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, -2, i);
        if (lua_istable(L, -1)) {
            push_schema(L, lua_gettop(L), depth + 1);
            lua_rawseti(L, -3, ++kept);
        }
        lua_pop(L, 1);
    }
    lua_remove(L, -2);
    lua_setfield(L, -2, "details");
}

/* problem+json tells what is wrong by field, {"filter": ["..."]}: details, each with its target. */
static void copy_problem(lua_State *L, int source)
{
    int kept = 0;

    if (!push_table_field(L, source, "errors"))
        return;
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1)) {
        int count = lua_istable(L, -1) && lua_type(L, -2) == LUA_TSTRING ? (int)lua_rawlen(L, -1) : 0;
        for (int i = 1; i <= count; i++) {
            lua_createtable(L, 0, 2);
            lua_pushvalue(L, -3);
            lua_setfield(L, -2, "target");
            lua_rawgeti(L, -2, i);
            if (lua_type(L, -1) == LUA_TSTRING)
                lua_setfield(L, -2, "message");
            else
                lua_pop(L, 1);
            lua_rawseti(L, -4, ++kept);
        }
    }
    lua_remove(L, -2);
    lua_setfield(L, -2, "details");
}

/* Pushes { code, message, target, details, inner } of the table at `source`, which may lack any of them. */
static void push_schema(lua_State *L, int source, int depth)
{
    luaL_checkstack(L, 10, "error too deep");
    lua_createtable(L, 0, 5);
    copy_string(L, source, "code", "code");
    copy_string(L, source, "message", "message");
    copy_string(L, source, "target", "target");
    if (depth >= MAX_DEPTH)
        return;
    copy_details(L, source, depth);
    if (push_table_field(L, source, "inner") || push_table_field(L, source, "innererror")) {
        push_schema(L, lua_gettop(L), depth + 1);
        lua_remove(L, -2);
        lua_setfield(L, -2, "inner");
    }
}

/* Pushes the schema of an error body, empty where the body is none. */
static void push_decoded_error(lua_State *L, struct wps_slice body)
{
    int source;

    if (!wpsL_push_json(L, body) || !lua_istable(L, -1)) {
        lua_newtable(L);
        return;
    }
    source = lua_gettop(L);
    if (push_table_field(L, source, "error")) /* wrapped, as the vendor describes it */
        source = lua_gettop(L);
    push_schema(L, source, 0);
    copy_problem(L, source);
    if (wpsL_push_field(L, -1, "message"))
        lua_pop(L, 1);
    else
        copy_string(L, source, "title", "message");
}

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
    lua_pushlstring(L, wps_buffer_string(&response->body), response->body.length);
    lua_setfield(L, -2, "body");
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

/* Code and message of a service error that has no body to take them from. */
static void set_fallbacks(lua_State *L, const struct wps_call *call)
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
    if (*note) {
        lua_pushliteral(L, "; ");
        lua_pushstring(L, note);
        lua_concat(L, 3);
    }
    lua_setfield(L, -2, "message");
}

/* Pushes the error of a call whose last response was an error; that response is at `response`. */
static void push_service_error(lua_State *L, const struct wps_call *call, int response)
{
    struct wps_slice body = { call->response.body.data, call->response.body.length };
    int base = lua_gettop(L);

    push_decoded_error(L, body);
    lua_insert(L, base + 1);
    lua_settop(L, base + 1);
    lua_pushinteger(L, call->response.status);
    lua_setfield(L, -2, "status");
    set_failure(L, call);
    set_fallbacks(L, call);
    lua_pushvalue(L, response);
    lua_setfield(L, -2, "response");
    luaL_setmetatable(L, WPS_ERROR);
}

/* ------------------------------------------------------------------ answers */

/* An object where a list is expected; the empty ones look the same. */
static bool has_names(lua_State *L, int source)
{
    bool names = lua_rawlen(L, source) == 0;

    lua_pushnil(L);
    names = lua_next(L, source) && names;
    lua_settop(L, source);
    return names;
}

/* [{"connectionId","userId"?}] on top of the stack becomes { {connection, user}, ... } above it. */
static bool push_members(lua_State *L)
{
    int source = lua_gettop(L), count = (int)lua_rawlen(L, source);

    if (has_names(L, source))
        return false;
    lua_createtable(L, count, 0);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, source, i);
        if (!lua_istable(L, -1) || !wpsL_string_field(L, lua_gettop(L), "connectionId").length)
            return false;
        lua_createtable(L, 0, 2);
        copy_string(L, lua_gettop(L) - 1, "connectionId", "connection");
        copy_string(L, lua_gettop(L) - 1, "userId", "user");
        lua_rawseti(L, -3, i);
        lua_pop(L, 1);
    }
    return true;
}

/* A token goes into a header or a URL: it must be something, and have nothing that ends one. */
static bool is_token(struct wps_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.length > 0;
}

/* Adds what a body holds to the response on top of the stack; false where it does not hold it. */
static bool set_answer(lua_State *L, const struct wps_call *call)
{
    struct wps_slice body = { call->response.body.data, call->response.body.length };
    int response = lua_gettop(L), answer = response + 1;
    bool good = false;

    if (!wpsL_push_json(L, body))
        return false;
    if (lua_istable(L, answer) && call->request.operation->result == WPS_RESULT_TOKEN) {
        good = wpsL_push_field(L, answer, "token") && is_token(wpsL_to_slice(L, -1));
        if (good)
            lua_setfield(L, response, "token");
    } else if (lua_istable(L, answer) && push_table_field(L, answer, "value")) {
        good = push_members(L);
        if (good)
            lua_setfield(L, response, "items");
        if (wpsL_push_field(L, answer, "nextLink") && lua_type(L, -1) != LUA_TSTRING)
            good = false; /* the rest would be lost in silence */
        lua_settop(L, answer);
        lua_pushvalue(L, response);
        copy_string(L, answer, "nextLink", "next_link");
    }
    lua_settop(L, response);
    return good;
}

static bool has_answer(const struct wps_call *call)
{
    enum wps_result result = call->request.operation->result;
    int status = call->response.status;

    return (result == WPS_RESULT_TOKEN || result == WPS_RESULT_LIST) && status >= 200 && status <= 299;
}

/* The response is on top of the stack. */
static int refuse_answer(lua_State *L, const struct wps_call *call)
{
    int response = lua_gettop(L);

    lua_pushnil(L);
    lua_createtable(L, 0, 10);
    set_failure(L, call);
    set_slice(L, "kind", wps_slice_of(wps_kind_name(WPS_PROTOCOL)));
    set_slice(L, "code", wps_slice_of("malformed"));
    set_slice(L, "message", wps_slice_of("the service accepted the call, but its answer is not the JSON it should be"));
    lua_pushvalue(L, response);
    lua_setfield(L, -2, "response");
    luaL_setmetatable(L, WPS_ERROR);
    return 2;
}

int wpsL_push_result(lua_State *L, const struct wps_call *call, bool no_throw)
{
    if (call->error.kind == WPS_OK) {
        push_response(L, call, false);
        if (call->request.operation->result == WPS_RESULT_EXISTS) {
            lua_pushboolean(L, call->response.status != 404);
            lua_setfield(L, -2, "exists");
        }
        return has_answer(call) && !set_answer(L, call) ? refuse_answer(L, call) : 1;
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

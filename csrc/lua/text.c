/* lua/text.c - bytes and values as text, and back: base64, UTF-8, JSON. */
#include "core/base64.h"
#include "core/json.h"
#include "lua/bindings.h"

#include <string.h>

#define WPS_SCRATCH "webpubsub.scratch"

enum { MAX_JSON = 16 * 1024 * 1024 }; /* bytes that are written */

static int scratch_gc(lua_State *L)
{
    wps_buffer_free(luaL_checkudata(L, 1, WPS_SCRATCH));
    return 0;
}

/* A buffer that its userdata frees, for pushing a string may raise. */
static struct wps_buffer *push_scratch(lua_State *L, size_t maximum)
{
    struct wps_buffer *buffer = lua_newuserdata(L, sizeof *buffer);

    memset(buffer, 0, sizeof *buffer);
    buffer->maximum = maximum;
    luaL_setmetatable(L, WPS_SCRATCH);
    return buffer;
}

static int push_text(lua_State *L, struct wps_buffer *buffer)
{
    if (buffer->failed)
        return wpsL_raise_no_memory(L); /* nothing is longer than the maximum it was given */
    lua_pushlstring(L, wps_buffer_string(buffer), buffer->length);
    wps_buffer_free(buffer); /* rather than when it is collected */
    return 1;
}

/* base64(bytes): their text, with padding. */
static int core_base64(lua_State *L)
{
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    struct wps_buffer *buffer = push_scratch(L, length / 3 * 4 + 5);

    wps_base64(buffer, bytes, length);
    return push_text(L, buffer);
}

/* decode_base64(text): the bytes, or nil where it is not base64. */
static int core_decode_base64(lua_State *L)
{
    struct wps_slice text = { NULL, 0 };
    struct wps_buffer *buffer;

    text.data = luaL_checklstring(L, 1, &text.length);
    buffer = push_scratch(L, text.length + 1);
    if (!wps_base64_decode(buffer, text) && !buffer->failed) {
        wps_buffer_free(buffer);
        lua_pushnil(L);
        return 1;
    }
    return push_text(L, buffer);
}

/* is_utf8(text) */
static int core_is_utf8(lua_State *L)
{
    struct wps_slice text = { NULL, 0 };

    text.data = luaL_checklstring(L, 1, &text.length);
    lua_pushboolean(L, wps_slice_is_utf8(text));
    return 1;
}

/* ------------------------------------------------------------------ JSON */

/* A text in memory, of which each value takes a byte at least, bounds itself; tables take more than that. */
static const struct wps_json_limits limits = { .bytes = SIZE_MAX, .values = 1000000, .depth = 100 };

/* Pushes the last string or name. */
static void push_string(lua_State *L, const struct wps_json_reader *reader)
{
    char *plain;
    size_t length;

    if (!reader->escaped) {
        lua_pushlstring(L, reader->raw.data, reader->raw.length);
        return;
    }
    plain = lua_newuserdata(L, reader->raw.length);
    length = wps_json_unescape(reader, plain);
    lua_pushlstring(L, plain, length);
    lua_remove(L, -2);
}

/* A whole number is an integer where Lua has them; false: it is beyond all numbers. */
static bool push_number(lua_State *L, struct wps_slice raw)
{
    double number;

#if LUA_VERSION_NUM >= 503
    int64_t whole;

    if (wps_json_integer(raw, &whole)) {
        lua_pushinteger(L, (lua_Integer)whole);
        return true;
    }
#endif
    if (!wps_json_double(raw, &number))
        return false;
    lua_pushnumber(L, (lua_Number)number);
    return true;
}

static bool push_value(lua_State *L, struct wps_json_reader *reader, enum wps_json_event event);

static bool push_object(lua_State *L, struct wps_json_reader *reader)
{
    enum wps_json_event event;

    lua_newtable(L);
    while ((event = wps_json_next(reader)) == WPS_JSON_NAME) {
        push_string(L, reader);
        if (!push_value(L, reader, wps_json_next(reader)))
            return false;
        lua_rawset(L, -3);
    }
    return event == WPS_JSON_OBJECT_END;
}

static bool push_list(lua_State *L, struct wps_json_reader *reader)
{
    enum wps_json_event event;
    int count = 0;

    lua_newtable(L);
    while ((event = wps_json_next(reader)) != WPS_JSON_ARRAY_END) {
        if (!push_value(L, reader, event))
            return false;
        lua_rawseti(L, -2, ++count);
    }
    if (!count)
        luaL_setmetatable(L, WPS_EMPTY_ARRAY);
    return true;
}

/* Pushes the value that begins with this event; false, with something pushed or not, where it goes wrong. */
static bool push_value(lua_State *L, struct wps_json_reader *reader, enum wps_json_event event)
{
    luaL_checkstack(L, 5, "the JSON is too deep");
    switch (event) {
    case WPS_JSON_OBJECT:
        return push_object(L, reader);
    case WPS_JSON_ARRAY:
        return push_list(L, reader);
    case WPS_JSON_STRING:
        push_string(L, reader);
        return true;
    case WPS_JSON_NUMBER:
        return push_number(L, reader->raw);
    case WPS_JSON_TRUE:
    case WPS_JSON_FALSE:
        lua_pushboolean(L, event == WPS_JSON_TRUE);
        return true;
    case WPS_JSON_NULL:
        lua_pushvalue(L, lua_upvalueindex(1));
        return true;
    default:
        return false;
    }
}

/* encode_json(value): its text; raises where the value cannot be JSON. */
static int core_encode_json(lua_State *L)
{
    struct wps_error error = { 0 };
    struct wps_buffer *buffer;

    lua_settop(L, 1);
    buffer = push_scratch(L, MAX_JSON);
    wpsL_write_json(L, 1, buffer, &error);
    if (!error.kind)
        wps_buffer_check(buffer, &error, "json");
    wpsL_check(L, error.kind, &error, NULL);
    return push_text(L, buffer);
}

/* decode_json(text): its value, or nil where it is not JSON. An object is a table, and so is a list; null is the
 * upvalue, so that its name stays; an empty list has the metatable of webpubsub.empty_array. */
static int core_decode_json(lua_State *L)
{
    struct wps_json_reader reader;

    luaL_checktype(L, 1, LUA_TSTRING);
    lua_settop(L, 1);
    wps_json_begin(&reader, wpsL_to_slice(L, 1), &limits);
    if (!push_value(L, &reader, wps_json_next(&reader)) || !wps_json_end(&reader))
        lua_pushnil(L);
    return 1;
}

void wpsL_register_text(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "base64", core_base64 },   { "decode_base64", core_decode_base64 },
        { "is_utf8", core_is_utf8 }, { "encode_json", core_encode_json },
        { NULL, NULL },
    };

    luaL_newmetatable(L, WPS_SCRATCH);
    lua_pushcfunction(L, scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "null"); /* of wpsL_register_json() */
    lua_pushcclosure(L, core_decode_json, 1);
    lua_setfield(L, -2, "decode_json");
}

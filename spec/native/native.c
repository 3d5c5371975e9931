/* native.c - require "spec_native": parts of the core that no Lua program sees, for the specs of them. */
#include "core/json.h"
#include "lua/compat.h"

#include <locale.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static const struct wps_json_limits generous = { .bytes = 1 << 24, .values = 1 << 24, .depth = WPS_JSON_MAX_DEPTH };

static struct wps_slice to_slice(lua_State *L, int index)
{
    struct wps_slice slice;

    slice.data = luaL_checklstring(L, index, &slice.length);
    return slice;
}

/* Pushes the last name, string or number as it is meant. */
static void push_text(lua_State *L, const struct wps_json_reader *reader, enum wps_json_event event)
{
    struct wps_buffer text = { .maximum = 1 << 24 };

    if (event == WPS_JSON_NUMBER) {
        lua_pushlstring(L, reader->raw.data, reader->raw.length);
        return;
    }
    wps_json_text(reader, &text);
    lua_pushlstring(L, wps_buffer_string(&text), text.length);
    wps_buffer_free(&text);
}

static size_t limit(lua_State *L, const char *name, size_t unless)
{
    size_t value = unless;

    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, name);
        value = lua_isnil(L, -1) ? unless : (size_t)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    return value;
}

/* events(text[, { bytes, values, depth, any_bytes }]): a list of { event, text }, or nil, the problem and where it is. */
static int native_events(lua_State *L)
{
    static const char *const names[] = { "problem", "{", "}", "[", "]", "name", "string", "number", "true", "false",
                                         "null", "end" };
    struct wps_json_limits limits;
    struct wps_json_reader reader;
    enum wps_json_event event;
    int count = 0;

    lua_settop(L, 2);
    limits.bytes = limit(L, "bytes", generous.bytes);
    limits.values = limit(L, "values", generous.values);
    limits.depth = limit(L, "depth", generous.depth);
    wps_json_begin(&reader, to_slice(L, 1), &limits);
    reader.any_bytes = limit(L, "any_bytes", 0) != 0;
    lua_newtable(L);
    for (event = wps_json_next(&reader); event != WPS_JSON_END && event != WPS_JSON_PROBLEM;
         event = wps_json_next(&reader)) {
        lua_newtable(L);
        lua_pushstring(L, names[event]);
        lua_rawseti(L, -2, 1);
        if (event == WPS_JSON_NAME || event == WPS_JSON_STRING || event == WPS_JSON_NUMBER) {
            push_text(L, &reader, event);
            lua_rawseti(L, -2, 2);
        }
        lua_rawseti(L, -2, ++count);
    }
    if (wps_json_next(&reader) == event && event == WPS_JSON_END)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, reader.problem);
    lua_pushnumber(L, (lua_Number)reader.at);
    return 3;
}

/* members(text): what the members "a" and "b" of an object are, { a = event, b = event }, or nil and the problem. */
static int native_members(lua_State *L)
{
    static const char *const names[] = { "a", "b", NULL };
    struct wps_json_reader reader;
    unsigned seen = 0;
    int member;

    wps_json_begin(&reader, to_slice(L, 1), &generous);
    lua_newtable(L);
    if (wps_json_next(&reader) == WPS_JSON_OBJECT)
        while ((member = wps_json_member(&reader, names, &seen)) >= 0) {
            lua_pushinteger(L, (lua_Integer)wps_json_next(&reader));
            lua_setfield(L, -2, names[member]);
            wps_json_skip(&reader);
        }
    if (wps_json_end(&reader))
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, reader.problem);
    return 2;
}

/* double(text): the number, or nil. */
static int native_double(lua_State *L)
{
    double value;

    if (wps_json_double(to_slice(L, 1), &value))
        lua_pushnumber(L, value);
    else
        lua_pushnil(L);
    return 1;
}

/* strtod(text): what the C library makes of it. */
static int native_strtod(lua_State *L)
{
    lua_pushnumber(L, strtod(luaL_checkstring(L, 1), NULL));
    return 1;
}

/* integer(text): its digits, or nil. */
static int native_integer(lua_State *L)
{
    struct wps_buffer digits = { 0 };
    int64_t value;

    if (!wps_json_integer(to_slice(L, 1), &value))
        return 0;
    wps_buffer_integer(&digits, value);
    lua_pushstring(L, wps_buffer_string(&digits));
    wps_buffer_free(&digits);
    return 1;
}

/* number(double): its JSON. */
static int native_number(lua_State *L)
{
    struct wps_buffer digits = { 0 };

    wps_json_number(&digits, luaL_checknumber(L, 1));
    lua_pushstring(L, wps_buffer_string(&digits));
    wps_buffer_free(&digits);
    return 1;
}

/* bits(hexadecimal): the double of these 64 bits. */
static int native_bits(lua_State *L)
{
    const char *digits = luaL_checkstring(L, 1);
    uint64_t bits = 0;
    double value;

    for (; *digits; digits++)
        bits = bits << 4 | (uint64_t)(strchr("0123456789abcdef", *digits) - "0123456789abcdef");
    memcpy(&value, &bits, sizeof value);
    lua_pushnumber(L, value);
    return 1;
}

/* light(): a light userdata that is not NULL. */
static int native_light(lua_State *L)
{
    static char place;

    lua_pushlightuserdata(L, &place);
    return 1;
}

/* decimal_point(): what the process's locale has. */
static int native_decimal_point(lua_State *L)
{
    lua_pushstring(L, localeconv()->decimal_point);
    return 1;
}

/* fail_openssl(): puts an error into OpenSSL's queue. */
static int native_fail_openssl(lua_State *L)
{
    (void)L;
    ERR_raise(ERR_LIB_USER, 1);
    return 0;
}

/* openssl_errors(): how many there are; it empties the queue. */
static int native_openssl_errors(lua_State *L)
{
    int count = 0;

    while (ERR_get_error())
        count++;
    lua_pushinteger(L, count);
    return 1;
}

int luaopen_spec_native(lua_State *L);

__attribute__((visibility("default"))) int luaopen_spec_native(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "events", native_events },   { "members", native_members }, { "double", native_double },
        { "integer", native_integer }, { "number", native_number },   { "bits", native_bits },
        { "light", native_light },     { "strtod", native_strtod },
        { "decimal_point", native_decimal_point }, { "fail_openssl", native_fail_openssl },
        { "openssl_errors", native_openssl_errors },
        { NULL, NULL },
    };

    luaL_newlibtable(L, functions);
    luaL_setfuncs(L, functions, 0);
    return 1;
}

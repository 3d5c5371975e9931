/* lua/text.c - bytes and values as text, and back: base64, UTF-8, JSON. */
#include "core/base64.h"
#include "lua/bindings.h"

#include <string.h>

#define WPS_SCRATCH "webpubsub.scratch"

static int scratch_gc(lua_State *L)
{
    wps_buffer_free(luaL_checkudata(L, 1, WPS_SCRATCH));
    return 0;
}

struct wps_buffer *wpsL_push_scratch(lua_State *L, size_t maximum)
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
    struct wps_buffer *buffer = wpsL_push_scratch(L, length / 3 * 4 + 5);

    wps_base64(buffer, bytes, length);
    return push_text(L, buffer);
}

/* decode_base64(text): the bytes, or nil where it is not base64. */
static int core_decode_base64(lua_State *L)
{
    struct wps_slice text = { NULL, 0 };
    struct wps_buffer *buffer;

    text.data = luaL_checklstring(L, 1, &text.length);
    buffer = wpsL_push_scratch(L, text.length + 1);
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

/* encode_json(value): its text; raises where the value cannot be JSON. */
static int core_encode_json(lua_State *L)
{
    struct wps_error error = { 0 };
    struct wps_buffer *buffer;

    lua_settop(L, 1);
    buffer = wpsL_push_scratch(L, WPS_MAX_BODY);
    wpsL_write_json(L, 1, buffer, &error);
    wpsL_check(L, error.kind ? error.kind : wps_buffer_check(buffer, &error, "json"), &error, NULL);
    return push_text(L, buffer);
}

/* decode_json(text): its value, null as core.null; nil and what is wrong where it is not JSON. */
static int core_decode_json(lua_State *L)
{
    const char *problem;

    luaL_checktype(L, 1, LUA_TSTRING);
    problem = wpsL_push_json(L, wpsL_to_slice(L, 1));
    if (!problem)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, problem);
    return 2;
}

void wpsL_register_text(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "base64", core_base64 },           { "decode_base64", core_decode_base64 }, { "is_utf8", core_is_utf8 },
        { "encode_json", core_encode_json }, { "decode_json", core_decode_json },     { NULL, NULL },
    };

    luaL_newmetatable(L, WPS_SCRATCH);
    lua_pushcfunction(L, scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}

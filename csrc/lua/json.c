/* lua/json.c - Lua values as JSON. What could be meant in two ways, or would be read back as something else, is
 * refused. */
#include "core/json.h"
#include "lua/bindings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 100 }; /* of tables in a message */

/* ------------------------------------------------------------------ null and [] */

/* Is the value on top, which stays, what lua-cjson has under this name? Where it is loaded, that is. */
static bool is_of_cjson(lua_State *L, const char *name)
{
    static const char *const modules[] = { "cjson", "cjson.safe" };
    int top = lua_gettop(L);
    bool same = false;

    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED"); /* package.loaded, which a sandbox may hide */
    for (size_t i = 0; !same && i < sizeof modules / sizeof *modules && lua_istable(L, top + 1); i++) {
        lua_pushstring(L, modules[i]);
        lua_rawget(L, top + 1);
        if (lua_istable(L, -1)) {
            lua_pushstring(L, name);
            lua_rawget(L, -2);
            same = !lua_isnil(L, -1) && lua_rawequal(L, -1, top);
        }
        lua_settop(L, top + 1);
    }
    lua_settop(L, top);
    return same;
}

/* ------------------------------------------------------------------ the writer */

/* A refusal is told from the inside out: each table that is left puts its key in front of the path. */
struct writer {
    struct wps_buffer *out;
    const char *refused; /* why; NULL: not yet */
    const char *type;    /* of a value that is refused for its type */
    int depth;
    size_t start; /* of the path, which grows from the end of its room */
    bool cut;     /* there was no room for the rest of it */
    char path[128];
};

static void refuse(struct writer *writer, const char *why)
{
    writer->refused = why;
}

static void refuse_type(lua_State *L, int index, struct writer *writer)
{
    writer->type = luaL_typename(L, index);
    refuse(writer, ", which JSON has no word for; send a string, number, boolean, table or webpubsub.null");
}

/* Nothing more needs to be written. Tables that are in each other in many ways would be walked for ever. */
static bool is_over(const struct writer *writer)
{
    return writer->refused || writer->out->failed;
}

static void add_to_path(struct writer *writer, struct wps_slice key)
{
    char *place;

    if (writer->cut || key.length >= writer->start) {
        writer->cut = true;
        return;
    }
    writer->start -= key.length;
    place = writer->path + writer->start;
    memcpy(place, key.data, key.length);
    for (size_t i = 0; i < key.length; i++)
        if (!place[i])
            place[i] = '?'; /* or the text would end here */
}

static void write_value(lua_State *L, int index, struct writer *writer);

/* The table is at `index`; its keys are 1 to `count`. */
static void write_list(lua_State *L, int index, size_t count, struct writer *writer)
{
    wps_buffer_text(writer->out, "[");
    for (size_t i = 1; i <= count && !is_over(writer); i++) {
        if (i > 1)
            wps_buffer_text(writer->out, ",");
        lua_rawgeti(L, index, (int)i);
        write_value(L, lua_gettop(L), writer);
        lua_pop(L, 1);
        if (writer->refused) {
            char position[32];
            snprintf(position, sizeof position, "[%zu]", i);
            add_to_path(writer, wps_slice_of(position));
        }
    }
    wps_buffer_text(writer->out, "]");
}

/* The key, a string, and the value are on top of the stack. */
static void write_member(lua_State *L, struct writer *writer)
{
    struct wps_slice key = wpsL_to_slice(L, -2);

    if (!wps_slice_is_utf8(key)) {
        refuse(writer, "has a key that is not UTF-8");
        return;
    }
    wps_json_string(writer->out, key);
    wps_buffer_text(writer->out, ":");
    write_value(L, lua_gettop(L), writer);
    if (writer->refused) {
        add_to_path(writer, key);
        add_to_path(writer, wps_slice_of("."));
    }
}

/* The table is at `index`; its keys are strings. */
static void write_object(lua_State *L, int index, struct writer *writer)
{
    bool first = true;

    wps_buffer_text(writer->out, "{");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (!first)
            wps_buffer_text(writer->out, ",");
        first = false;
        write_member(L, writer);
        if (is_over(writer)) {
            lua_pop(L, 2);
            break;
        }
    }
    wps_buffer_text(writer->out, "}");
}

/* An empty table with a metatable that decode_json(), or lua-cjson, gives to lists. */
static bool is_empty_list(lua_State *L, int index)
{
    bool is_list;

    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, WPS_EMPTY_ARRAY);
    is_list = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    is_list = is_list || is_of_cjson(L, "empty_array_mt") || is_of_cjson(L, "array_mt");
    lua_pop(L, 1);
    return is_list;
}

/* An object has string keys only, a list the keys 1 to n. */
static void write_table(lua_State *L, int index, struct writer *writer)
{
    size_t strings = 0, numbers = 0, others = 0;
    lua_Number highest = 0;
    bool whole = true;

    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        int type = lua_type(L, -2);
        if (type == LUA_TNUMBER) {
            lua_Number key = lua_tonumber(L, -2);
            numbers++;
            highest = key > highest ? key : highest;
            whole = whole && key >= 1 && floor(key) == key;
        } else if (type == LUA_TSTRING) {
            strings++;
        } else {
            others++;
        }
    }
    if (others)
        refuse(writer, "has keys that are neither strings nor numbers; use strings, or the positions 1 to n");
    else if (strings && numbers)
        refuse(writer, "has both names and positions; JSON has objects and lists only: use one of them");
    else if (numbers && (!whole || highest != (lua_Number)numbers))
        refuse(writer, "is a list with holes, or with positions that are not 1 to n; fill holes with webpubsub.null, "
                       "or make every key a string");
    else if (numbers || (!strings && is_empty_list(L, index)))
        write_list(L, index, numbers, writer);
    else
        write_object(L, index, writer);
}

static void write_number(lua_State *L, int index, struct writer *writer)
{
    lua_Number number = lua_tonumber(L, index);

#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L, index)) {
        wps_buffer_integer(writer->out, (int64_t)lua_tointeger(L, index));
        return;
    }
#endif
    if (isnan(number) || isinf(number))
        refuse(writer, "is NaN or infinite, which JSON has no word for; send webpubsub.null or a string");
    else
        wps_json_number(writer->out, number);
}

static void write_userdata(lua_State *L, int index, struct writer *writer)
{
    bool is_list;

    lua_pushvalue(L, index);
    is_list = wpsL_is_marker(L, -1, WPS_EMPTY_ARRAY) || is_of_cjson(L, "empty_array");
    lua_pop(L, 1);
    if (wpsL_is_null(L, index))
        wps_buffer_text(writer->out, "null");
    else if (is_list)
        wps_buffer_text(writer->out, "[]");
    else
        refuse_type(L, index, writer);
}

static void write_value(lua_State *L, int index, struct writer *writer)
{
    luaL_checkstack(L, 10, "json is too deep");
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        wps_buffer_text(writer->out, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        write_number(L, index, writer);
        break;
    case LUA_TSTRING:
        if (wps_slice_is_utf8(wpsL_to_slice(L, index)))
            wps_json_string(writer->out, wpsL_to_slice(L, index));
        else
            refuse(writer, "is not UTF-8; send bytes as content, with content_type = \"binary\"");
        break;
    case LUA_TLIGHTUSERDATA:
    case LUA_TUSERDATA:
        write_userdata(L, index, writer);
        break;
    case LUA_TTABLE:
        if (writer->depth == MAX_DEPTH) {
            refuse(writer, "is too deep, or contains itself; at most 100 tables may be in each other");
            break;
        }
        writer->depth++;
        write_table(L, index, writer);
        writer->depth--;
        break;
    default:
        refuse_type(L, index, writer);
    }
}

void wpsL_write_json(lua_State *L, int index, struct wps_buffer *out, struct wps_error *error)
{
    struct writer writer = { .out = out, .start = sizeof writer.path - 1 };

    write_value(L, lua_absindex(L, index), &writer);
    if (writer.refused)
        wps_fail(error, WPS_ARGUMENT, "json", "invalid", "json%s%s %s%s%s", writer.cut ? "..." : "",
                 writer.path + writer.start, writer.type ? "is a " : "", writer.type ? writer.type : "",
                 writer.refused);
}

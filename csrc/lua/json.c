/* lua/json.c - JSON, through a private instance of lua-cjson: the host's settings are not ours to change, nor to
 * depend on. What lua-cjson would encode as something else than was meant is refused before. */
#include "lua/bindings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_DECODED_BYTES = 1024 * 1024, /* lua-cjson aborts the process when it runs out of memory, so it gets no more */
    MAX_DEPTH = 100                  /* of tables in a message */
};

/* lua-cjson writes 14 digits of a number; a longer whole number, such as an id, would come out as another one. */
static const double largest_whole_number = 1e14;

/* Their addresses are where the registry holds the two functions. */
static char decode_key, encode_key;

static void keep_function(lua_State *L, int instance, const char *name, char *key)
{
    lua_pushlightuserdata(L, key);
    lua_getfield(L, instance, name);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void wpsL_register_json(lua_State *L)
{
    int top = lua_gettop(L);

    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    if (lua_pcall(L, 1, 1, 0) != 0)
        luaL_error(L, "webpubsub needs lua-cjson (Debian: lua-cjson; LuaRocks: lua-cjson): %s", lua_tostring(L, -1));
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    keep_function(L, top + 2, "decode", &decode_key);
    keep_function(L, top + 2, "encode", &encode_key);
    lua_settop(L, top);
}

bool wpsL_push_json(lua_State *L, struct wps_slice text)
{
    if (!text.length || text.length > MAX_DECODED_BYTES)
        return false;
    lua_pushlightuserdata(L, &decode_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushlstring(L, text.data, text.length);
    if (lua_pcall(L, 1, 1, 0) == 0)
        return true;
    lua_pop(L, 1);
    return false;
}

/* ------------------------------------------------------------------ values that can be sent */

/* Where in the message a check is: "json.players[2].name". */
struct place {
    char path[96];
    int depth;
    struct wps_error *error;
};

static void refuse(struct place *place, const char *why)
{
    wps_fail(place->error, WPS_ARGUMENT, "json", "invalid", "%s %s", place->path, why);
}

static void check_value(lua_State *L, int index, struct place *place);

/* Checks the element whose key and value are on top of the stack. */
static void check_element(lua_State *L, struct place *place)
{
    size_t length = strlen(place->path);

    if (lua_type(L, -2) == LUA_TSTRING) {
        if (!wps_slice_is_utf8(wpsL_to_slice(L, -2)))
            refuse(place, "has a key that is not UTF-8");
        snprintf(place->path + length, sizeof place->path - length, ".%s", lua_tostring(L, -2));
    } else {
        snprintf(place->path + length, sizeof place->path - length, "[%.0f]", lua_tonumber(L, -2));
    }
    if (!place->error->kind)
        check_value(L, lua_gettop(L), place);
    place->path[length] = '\0';
}

/* An object has string keys only, an array the keys 1 to n; an empty table could be meant as either. */
static void check_table(lua_State *L, int index, struct place *place)
{
    size_t strings = 0, numbers = 0, length = lua_rawlen(L, index);

    luaL_checkstack(L, 4, "json is too deep");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        int type = lua_type(L, -2);
        strings += type == LUA_TSTRING;
        numbers += type == LUA_TNUMBER;
        if (type == LUA_TSTRING || type == LUA_TNUMBER)
            check_element(L, place);
        else
            refuse(place, "has keys that are neither strings nor numbers");
        if (place->error->kind) {
            lua_pop(L, 2);
            return;
        }
    }
    if (!strings && !numbers)
        refuse(place, "is an empty table, which could mean [] or {}: send it as content, with content_type = \"json\"");
    else if (strings && numbers)
        refuse(place, "has both names and positions; JSON has objects and arrays only");
    else if (numbers && numbers != length)
        refuse(place, "is a list with holes; fill them with cjson.null");
}

static void check_number(struct place *place, double number)
{
    if (isnan(number) || isinf(number))
        refuse(place, "is NaN or infinite, which JSON has no word for");
    else if (fabs(number) > largest_whole_number && floor(number) == number)
        refuse(place, "is a whole number beyond 1e14, which would lose digits; send it as a string");
}

static void check_value(lua_State *L, int index, struct place *place)
{
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
    case LUA_TLIGHTUSERDATA: /* cjson.null, and markers of other builds of lua-cjson */
        break;
    case LUA_TNUMBER:
        check_number(place, lua_tonumber(L, index));
        break;
    case LUA_TSTRING:
        if (!wps_slice_is_utf8(wpsL_to_slice(L, index)))
            refuse(place, "is not UTF-8; send bytes as content, with content_type = \"binary\"");
        break;
    case LUA_TTABLE:
        if (place->depth == MAX_DEPTH) {
            refuse(place, "is too deep, or contains itself");
            break;
        }
        place->depth++;
        check_table(L, index, place);
        place->depth--;
        break;
    default:
        refuse(place, "is a function, thread or userdata, which JSON has no word for");
    }
}

struct wps_slice wpsL_encode_json(lua_State *L, int index, struct wps_error *error)
{
    struct place place = { .path = "json", .error = error };

    index = lua_absindex(L, index);
    check_value(L, index, &place);
    if (error->kind)
        return wps_slice_of(NULL);
    lua_pushlightuserdata(L, &encode_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) != 0)
        wps_fail(error, WPS_ARGUMENT, "json", "invalid", "json cannot be encoded: %s", lua_tostring(L, -1));
    return wpsL_to_slice(L, -1);
}

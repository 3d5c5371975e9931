/* lua/markers.c - the two values that stand for what Lua has no value for: JSON's null and its empty list. */
#include "lua/bindings.h"

bool wpsL_is_marker(lua_State *L, int index, const char *name)
{
    bool same;

    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, name);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static int marker_tostring(lua_State *L)
{
    luaL_getmetafield(L, 1, "__name");
    return 1;
}

/* Sets in the table on top the one value that has this metatable. */
static void set_marker(lua_State *L, const char *field, const char *name)
{
    lua_newuserdata(L, 1);
    luaL_newmetatable(L, name);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, marker_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "value"); /* for wpsL_push_marker() */
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, field);
}

void wpsL_push_marker(lua_State *L, const char *name)
{
    luaL_getmetatable(L, name);
    lua_getfield(L, -1, "value");
    lua_remove(L, -2);
}

void wpsL_register_markers(lua_State *L)
{
    set_marker(L, "null", WPS_NULL);
    set_marker(L, "empty_array", WPS_EMPTY_ARRAY);
}

/* lua_class.h - userdata of a class, told by the identity of their metatable.
 *
 * A class is its name, an array: the text is for errors, the address is where the registry keeps the metatable.
 * luaL_checkudata looks the metatable up by the text, which costs twice as much, ten times in each call. */
#ifndef WPS_LUA_CLASS_H
#define WPS_LUA_CLASS_H

#include <stdbool.h>

#include "lua_compat.h"

/* Pushes a new metatable, also under luaL_setmetatable's name. */
static inline void wps_class_new(lua_State *L, const char *class)
{
    luaL_newmetatable(L, class);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, class);
}

/* The userdata at `index`, or NULL where it is anything else. */
static inline void *wps_class_test(lua_State *L, int index, const char *class)
{
    void *data = lua_touserdata(L, index);
    bool same;

    if (!data || !lua_getmetatable(L, index))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, class);
    same = lua_topointer(L, -1) == lua_topointer(L, -2);
    lua_pop(L, 2);
    return same ? data : NULL;
}

/* Raises where it is anything else. */
static inline void *wps_class_check(lua_State *L, int index, const char *class)
{
    void *data = wps_class_test(L, index, class);

    return data ? data : luaL_checkudata(L, index, class);
}

#endif

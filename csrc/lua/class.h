/* lua/class.h - userdata told by their metatables, which the functions that take them carry as upvalues:
 * luaL_checkudata looks a metatable up by its name, and a call to the service takes a dozen such checks. */
#ifndef WPS_LUA_CLASS_H
#define WPS_LUA_CLASS_H

#include <stdbool.h>

#include "lua/compat.h"

/* The userdata at `index`, or NULL where it has another metatable than the one in that upvalue. */
static inline void *wpsL_class_test(lua_State *L, int index, int upvalue)
{
    void *data = lua_touserdata(L, index);
    bool same;

    if (!data || !lua_getmetatable(L, index))
        return NULL;
    same = lua_topointer(L, -1) == lua_topointer(L, lua_upvalueindex(upvalue));
    lua_pop(L, 1);
    return same ? data : NULL;
}

/* Raises where it is anything else. Serves functions without the upvalue as well, by the metatable's name. */
static inline void *wpsL_class_check(lua_State *L, int index, int upvalue, const char *name)
{
    void *data = wpsL_class_test(L, index, upvalue);

    return data ? data : luaL_checkudata(L, index, name);
}

#endif

/* lua/compat.h - what differs between Lua 5.1 (and LuaJIT), 5.2, 5.3 and 5.4, under the names of 5.4.
 *
 * For 5.1 only functions of PUC Lua 5.1 are used, also where LuaJIT's headers offer more: one binary serves
 * Lua 5.1, LuaJIT and NGINX. */
#ifndef WPS_LUA_COMPAT_H
#define WPS_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM >= 504
#define wpsL_setuservalue(L, index) lua_setiuservalue(L, index, 1)
#define wpsL_getuservalue(L, index) lua_getiuservalue(L, index, 1)
#elif LUA_VERSION_NUM >= 502
#define wpsL_setuservalue(L, index) lua_setuservalue(L, index)
#define wpsL_getuservalue(L, index) lua_getuservalue(L, index)
#else
#define wpsL_setuservalue(L, index) lua_setfenv(L, index)
#define wpsL_getuservalue(L, index) lua_getfenv(L, index)
#endif

#if LUA_VERSION_NUM < 502
#undef luaL_newlibtable
#define luaL_newlibtable(L, functions) lua_createtable(L, 0, sizeof(functions) / sizeof(functions)[0] - 1)
#define luaL_setfuncs(L, functions, upvalues) wpsL_setfuncs(L, functions, upvalues)
#define luaL_setmetatable(L, name) (luaL_getmetatable(L, name), (void)lua_setmetatable(L, -2))
#define lua_rawlen(L, index) lua_objlen(L, index)
#define lua_absindex(L, index) ((index) > 0 || (index) <= LUA_REGISTRYINDEX ? (index) : lua_gettop(L) + (index) + 1)

/* luaL_openlib does the same in 5.1, under another name in LuaJIT than in Lua. */
static inline void wpsL_setfuncs(lua_State *L, const luaL_Reg *functions, int upvalues)
{
    for (; functions->name; functions++) {
        for (int i = 0; i < upvalues; i++)
            lua_pushvalue(L, -upvalues);
        lua_pushcclosure(L, functions->func, upvalues);
        lua_setfield(L, -(upvalues + 2), functions->name);
    }
    lua_pop(L, upvalues);
}
#endif

#endif

/* lua/curl.h - what the bindings of the inline engine and of the background engine share. */
#ifndef WPS_LUA_CURL_H
#define WPS_LUA_CURL_H

#include "curl/loop.h"
#include "lua/class.h"
#include "lua/compat.h"

/* Raises the error; a lack of memory in Lua's own words. */
int wpsL_curl_raise(lua_State *L, const struct wps_error *error);
void wpsL_curl_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* Reads the arguments profile, method, target, headers, body, seconds, patience, fresh, the first of them at `first`.
 * What `order` points to belongs to these arguments. */
struct wps_profile *wpsL_curl_order(lua_State *L, int first, struct wps_exchange_order *order);

/* Both push what the Lua methods of these names return and tell how many values that is. */
int wpsL_curl_push_info(lua_State *L, const struct wps_exchange *exchange);
int wpsL_curl_push_result(lua_State *L, const struct wps_exchange *exchange);

/* Pushes the module's table, with all but `background`. */
void wpsL_curl_open_inline(lua_State *L);
/* Adds `background` to the module's table on top. */
void wpsL_curl_open_background(lua_State *L);

#endif

/* lua/curl.h - what the bindings of the inline engine and of the background engine share. */
#ifndef WPS_LUA_CURL_H
#define WPS_LUA_CURL_H

#include "curl/loop.h"
#include "lua/bindings.h"

#define WPS_CURL_PROFILE "webpubsub.curl.profile"

struct wps_profile_box {
    struct wps_profile *profile;
};

/* Raises the error; a lack of memory in Lua's own words. */
int wpsL_curl_raise(lua_State *L, const struct wps_error *error);
void wpsL_curl_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* The upvalues of all functions of this module that take userdata, see lua/class.h; the first is a class's own. */
enum { WPS_OWN_UPVALUE = 1, WPS_PROFILE_UPVALUE, WPS_CURL_CALL_UPVALUE, WPS_CURL_UPVALUES = WPS_CURL_CALL_UPVALUE };

/* Reads the arguments profile and call, or profile, method, target, headers, body, seconds, patience, fresh, the first
 * of them at `first`. What `order` points to belongs to these arguments. NULL, and the failure pushed as nil, kind, code
 * and message, where the call is another process's to send. */
struct wps_profile *wpsL_curl_order(lua_State *L, int first, struct wps_exchange_order *order);
/* Moves the response into the call at index 2 and pushes true; or pushes nil, kind, code, message and stale. */
int wpsL_curl_deliver(lua_State *L, struct wps_exchange *exchange);

/* Both push what the Lua methods of these names return and tell how many values that is. */
int wpsL_curl_push_info(lua_State *L, const struct wps_exchange *exchange);
int wpsL_curl_push_result(lua_State *L, const struct wps_exchange *exchange);

/* Adds `profile` to the module's table on top. */
void wpsL_curl_open_profile(lua_State *L);
/* Pushes the module's table, with all but `background`. */
void wpsL_curl_open_inline(lua_State *L);
/* Adds `background` to the module's table on top. */
void wpsL_curl_open_background(lua_State *L);

#endif

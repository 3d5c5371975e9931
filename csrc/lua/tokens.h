/* lua/tokens.h - what the bindings of identity.c and program.c share. */
#ifndef WPS_LUA_TOKENS_H
#define WPS_LUA_TOKENS_H

#include "core/identity.h"
#include "lua/bindings.h"

/* Pushes token, expiry and when to refresh it. `scratch` is on the stack, and takes the token over. */
int wpsL_push_token(lua_State *L, struct wps_buffer *scratch, struct wps_token *token);
/* Pushes nil, code and message. */
int wpsL_push_refusal(lua_State *L, const struct wps_error *error);

#endif

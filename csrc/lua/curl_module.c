/* lua/curl_module.c - require "webpubsub.curl": the inline engine (lua/curl.c) and the background engine
 * (lua/curl_thread.c). */
#include "lua/curl.h"

int luaopen_webpubsub_curl(lua_State *L);

__attribute__((visibility("default"))) int luaopen_webpubsub_curl(lua_State *L)
{
    wpsL_curl_open_inline(L);
    wpsL_curl_open_background(L);
    return 1;
}

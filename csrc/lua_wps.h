/* lua_wps.h - what the bindings share. */
#ifndef WPS_LUA_WPS_H
#define WPS_LUA_WPS_H

#include <sys/types.h>

#include "lua_class.h"
#include "lua_compat.h"
#include "wps.h"

#define WPS_VERSION "0.1.0"

#define WPS_CLIENT "webpubsub.client"
#define WPS_CALL "webpubsub.call"
#define WPS_ACCESS "webpubsub.access"
#define WPS_RESPONSE "webpubsub.response"
#define WPS_ERROR "webpubsub.error"
#define WPS_HEADERS "webpubsub.headers"

/* ------------------------------------------------------------------ lua_random.c */

enum { WPS_UUID_LENGTH = 36 };

/* Random bytes fetched from OpenSSL ahead of their use: a fetch costs half a microsecond, whatever its size. */
struct wps_random {
    pid_t owner; /* a child process must not hand out what its parent will */
    size_t left;
    unsigned char bytes[512];
};

bool wps_random_take(struct wps_random *random, void *out, size_t length); /* false: OpenSSL has none */
/* A random UUID (RFC 9562, version 4) and a NUL. */
bool wps_random_uuid(struct wps_random *random, char text[WPS_UUID_LENGTH + 1]);

/* ------------------------------------------------------------------ what a client is */

struct wps_client {
    struct wps_endpoint endpoint;
    struct wps_signer signer; /* not ready: tokens come from a credential function */
    struct wps_buffer hub;
    struct wps_buffer headers; /* of every request */
    struct wps_limits limits;
    struct wps_random random;
};

/* ------------------------------------------------------------------ lua_args.c */

/* The types a named argument may have, as bits, so that there may be several. */
enum wps_lua_type {
    WPS_LUA_STRING = 1,
    WPS_LUA_NUMBER = 2,
    WPS_LUA_BOOLEAN = 4,
    WPS_LUA_FUNCTION = 8,
    WPS_LUA_TABLE = 16,
    WPS_LUA_ANY = 32
};

struct wps_field {
    const char *name; /* NULL ends a list */
    unsigned types;
};

int wps_raise(lua_State *L, const struct wps_error *error, const char *operation);
int wps_raise_no_memory(lua_State *L);
/* Raises unless `failed` is WPS_OK. */
void wps_check(lua_State *L, enum wps_kind failed, const struct wps_error *error, const char *operation);

/* Raises unless the value at `index` is a table with known keys and values of their types; errors call it `where`. */
void wps_check_fields(lua_State *L, int index, const struct wps_field *fields, const char *where,
                      const char *operation);
/* Pushes table[name]; false, and nothing pushed, where it is nil or a null of lua-cjson or NGINX. Raw. */
bool wps_push_field(lua_State *L, int index, const char *name);
bool wps_is_null(lua_State *L, int index);
/* The string at `index`, which its owner keeps alive. */
struct wps_slice wps_to_slice(lua_State *L, int index);
struct wps_slice wps_string_field(lua_State *L, int index, const char *name); /* absent: no such field */
bool wps_boolean_field(lua_State *L, int index, const char *name);
/* Type errors name what was expected and what came. */
int wps_type_error(lua_State *L, const char *argument, const char *expected, int index, const char *operation);
/* Reads a whole number over what `value` holds. */
void wps_read_count(lua_State *L, int index, const char *name, int low, int high, int *value, const char *operation);
/* Reads timeout, attempt_timeout, retries and retry over what `limits` holds. */
void wps_read_limits(lua_State *L, int index, struct wps_limits *limits, const char *operation);
/* Reads a table of headers into a block; the ones that the pipeline writes are refused. */
void wps_read_headers(lua_State *L, int index, struct wps_buffer *block, const char *operation);
void wps_check_user_header(lua_State *L, struct wps_slice name, struct wps_slice value, const char *operation);

/* ------------------------------------------------------------------ lua_json.c */

/* Pushes the JSON value in `text`; false, and nothing pushed, where there is none. */
bool wps_push_json(lua_State *L, struct wps_slice text);
/* Pushes the text of the value at `index` and returns it; absent, with the error told, where it cannot be JSON. */
struct wps_slice wps_encode_json(lua_State *L, int index, struct wps_error *error);
void wps_register_json(lua_State *L);

/* ------------------------------------------------------------------ lua_access.c, lua_client.c, lua_call.c, lua_result.c */

/* The functions that take a client or a call have these upvalues: see lua_class.h. */
enum { WPS_CLIENT_UPVALUE = 1, WPS_CALL_UPVALUE, WPS_CLASS_UPVALUES = WPS_CALL_UPVALUE };
void wps_push_classes(lua_State *L);

struct wps_client *wps_to_client(lua_State *L, int index, const char *operation);
struct wps_call *wps_to_call(lua_State *L, int index);
/* Pushes a new call, empty and owned by its userdata, whose uservalue keeps the client at `client` alive. */
struct wps_call *wps_push_call(lua_State *L, int client);

/* Pushes the call's response table, or nil and its error. */
int wps_push_result(lua_State *L, const struct wps_call *call, bool no_throw);
void wps_push_headers(lua_State *L, struct wps_slice block);

void wps_register_access(lua_State *L);
void wps_register_http1(lua_State *L); /* lua_http1.c */
void wps_register_client(lua_State *L);
void wps_register_call(lua_State *L);
void wps_register_result(lua_State *L);

#endif

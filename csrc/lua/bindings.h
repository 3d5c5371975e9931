/* lua/bindings.h - what the bindings share. */
#ifndef WPS_LUA_BINDINGS_H
#define WPS_LUA_BINDINGS_H

#include <sys/types.h>

#include "lua/class.h"
#include "lua/compat.h"
#include "core/headers.h"
#include "core/json.h"
#include "core/options.h"
#include "core/service.h"

#define WPS_VERSION "0.1.0"

#define WPS_CLIENT "webpubsub.client"
#define WPS_CALL "webpubsub.call"
#define WPS_ACCESS "webpubsub.access"
#define WPS_RESPONSE "webpubsub.response"
#define WPS_ERROR "webpubsub.error"
#define WPS_HEADERS "webpubsub.headers"
#define WPS_NULL "webpubsub.null"
#define WPS_EMPTY_ARRAY "webpubsub.empty_array"

/* ------------------------------------------------------------------ lua/random.c */

enum { WPS_UUID_LENGTH = 36 };

/* Random bytes fetched from OpenSSL ahead of their use: a fetch costs half a microsecond, whatever its size. */
struct wps_random {
    pid_t owner; /* a child process must not hand out what its parent will */
    size_t left;
    unsigned char bytes[2048];
};

bool wps_random_fetch(void *out, size_t length); /* as the next one, from OpenSSL itself */
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
    double clock_offset; /* seconds between this machine's clock and the service's, as far as a call has found out */
};

/* ------------------------------------------------------------------ lua/args.c */

/* Raises an error table; an argument error says in `where` which line of the program made the call. */
int wpsL_raise(lua_State *L, const struct wps_error *error, const char *operation);
/* Raises what is on top of the stack. Where it is an error table, and a host would show it that knows strings only, its
 * text is raised. */
int wpsL_throw(lua_State *L);
/* Lua files below the folder of the function at that index are the library's, not the program's. */
void wpsL_set_home(lua_State *L, int function);
int wpsL_raise_no_memory(lua_State *L);
/* Raises unless `failed` is WPS_OK. */
void wpsL_check(lua_State *L, enum wps_kind failed, const struct wps_error *error, const char *operation);

/* Raises unless the value at `index` is a table with options of that list that may stand there (`where`), their types
 * and ranges; errors call the table `what`. */
void wpsL_check_options(lua_State *L, int index, const struct wps_option *options, unsigned where, const char *what,
                        const char *operation);
/* Pushes table[name]; false, and nothing pushed, where it is nil or a null. Raw. */
bool wpsL_push_field(lua_State *L, int index, const char *name);
bool wpsL_is_null(lua_State *L, int index); /* nothing, nil, or the null of lua-cjson, NGINX or this library */
/* The string at `index`, which its owner keeps alive. */
struct wps_slice wpsL_to_slice(lua_State *L, int index);
struct wps_slice wpsL_string_field(lua_State *L, int index, const char *name); /* absent: no such field */
bool wpsL_boolean_field(lua_State *L, int index, const char *name);
/* Type errors name what was expected and what came. */
int wpsL_type_error(lua_State *L, const char *argument, const char *expected, int index, const char *operation);
/* Reads a number that was checked over what `value` holds. */
void wpsL_read_number(lua_State *L, int index, const char *name, double *value);
void wpsL_read_whole(lua_State *L, int index, const char *name, int *value);
/* Reads timeout, attempt_timeout, retries and retry, which is checked here, over what `limits` holds. */
void wpsL_read_limits(lua_State *L, int index, struct wps_limits *limits, const char *operation);
/* Reads a table of headers into a block; the ones that the pipeline writes are refused. */
void wpsL_read_headers(lua_State *L, int index, struct wps_buffer *block, const char *operation);
void wpsL_check_user_header(lua_State *L, struct wps_slice name, struct wps_slice value, const char *operation);

/* ------------------------------------------------------------------ lua/text.c, lua/file.c */

/* Pushes a buffer that its userdata frees, for whoever may raise before that. */
struct wps_buffer *wpsL_push_scratch(lua_State *L, size_t maximum);

/* Reads a regular file of at most `maximum` bytes; `what` names it in the error, which is a `credential` one. With
 * `itself` a symbolic link is refused. */
enum wps_kind wps_read_file(const char *path, const char *what, size_t maximum, bool itself, struct wps_buffer *text,
                            struct wps_error *error);

/* ------------------------------------------------------------------ lua/markers.c */

/* Is the userdata at `index` WPS_NULL or WPS_EMPTY_ARRAY, whichever is named? */
bool wpsL_is_marker(lua_State *L, int index, const char *name);
void wpsL_push_marker(lua_State *L, const char *name);
void wpsL_register_markers(lua_State *L); /* sets null and empty_array in the table on top */

/* ------------------------------------------------------------------ lua/json.c */

/* Appends the value at `index`; where it cannot be JSON, the error says where and why. The buffer has an owner whom
 * the stack keeps alive, for this may raise. */
void wpsL_write_json(lua_State *L, int index, struct wps_buffer *out, struct wps_error *error);

/* ------------------------------------------------------------------ lua/decode.c */

/* Pushes the last string or name of the reader, at most `maximum` bytes of it; returns how many bytes those are. */
size_t wpsL_push_json_text(lua_State *L, const struct wps_json_reader *reader, size_t maximum);
/* Pushes the value in `text`, null as WPS_NULL, an empty list with the metatable of WPS_EMPTY_ARRAY; NULL, or what is
 * wrong with it, and nothing is pushed. */
const char *wpsL_push_json(lua_State *L, struct wps_slice text);

/* Pushes code, message, target, details and inner of an error body, as far as it has them: an empty table for none.
 * Returns NULL, or what is wrong with the body. */
const char *wpsL_push_decoded_error(lua_State *L, struct wps_slice body);
/* Adds what the body of a success holds to the response on top of the stack; NULL, or why it does not hold it. */
const char *wpsL_set_answer(lua_State *L, enum wps_result result, struct wps_slice body);

/* ------------------------------------------------------------------ lua/access.c, lua/client.c, lua/call.c, lua/result.c */

/* The functions that take a client or a call have these upvalues: see lua/class.h. */
enum { WPS_CLIENT_UPVALUE = 1, WPS_CALL_UPVALUE, WPS_CLASS_UPVALUES = WPS_CALL_UPVALUE };
void wpsL_push_classes(lua_State *L);

struct wps_client *wpsL_to_client(lua_State *L, int index, const char *operation);
struct wps_call *wpsL_to_call(lua_State *L, int index);
/* Pushes a new call, empty and owned by its userdata, whose uservalue keeps the client at `client` alive. */
struct wps_call *wpsL_push_call(lua_State *L, int client);

/* Pushes the call's response table, or nil and its error. */
int wpsL_push_result(lua_State *L, const struct wps_call *call, bool no_throw);
void wpsL_push_headers(lua_State *L, struct wps_slice block);

void wpsL_register_access(lua_State *L);
void wpsL_register_events(lua_State *L); /* lua/events.c */
void wpsL_register_identity(lua_State *L); /* lua/identity.c */
void wpsL_register_program(lua_State *L);  /* lua/program.c */
void wpsL_register_text(lua_State *L);   /* lua/text.c */
void wpsL_register_exchange(lua_State *L); /* lua/exchange.c */
void wpsL_register_client(lua_State *L);
void wpsL_register_call(lua_State *L);
void wpsL_register_result(lua_State *L);

#endif

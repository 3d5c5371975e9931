/* lua/args.c - reading tables of named arguments, and refusing them well. */
#include "lua/bindings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ raising */

int wpsL_raise_no_memory(lua_State *L)
{
    lua_pushliteral(L, "not enough memory"); /* as Lua itself says it */
    return lua_error(L);
}

static void set_text(lua_State *L, const char *key, const char *value)
{
    if (value && *value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

/* The library's own Lua files are those below the folder of the function that was named: see wpsL_set_home(). */
static const char home_name[] = "webpubsub.home";

static bool is_at_home(lua_State *L, const char *source)
{
    const char *home;
    bool same;

    lua_getfield(L, LUA_REGISTRYINDEX, home_name);
    home = lua_tostring(L, -1);
    same = home && strncmp(source, home, strlen(home)) == 0;
    lua_pop(L, 1);
    return same;
}

void wpsL_set_home(lua_State *L, int function)
{
    lua_Debug about;
    const char *end;

    lua_pushvalue(L, function);
    lua_getinfo(L, ">S", &about);
    end = *about.source == '@' ? strrchr(about.source, '/') : NULL;
    if (end)
        lua_pushlstring(L, about.source, (size_t)(end + 1 - about.source));
    else /* one file of the program's holds it all, or it was loaded from text */
        lua_pushstring(L, about.source);
    lua_setfield(L, LUA_REGISTRYINDEX, home_name);
}

/* Sets `where` in the table on top: file and line of the nearest Lua function that is not the library's. After a tail
 * call that is the caller's caller, for Lua keeps no more. In a coroutine of the library's own there is none. */
static void set_where(lua_State *L)
{
    enum { MAX_LEVELS = 64 };
    lua_Debug about;

    for (int level = 0; level < MAX_LEVELS && lua_getstack(L, level, &about); level++) {
        lua_getinfo(L, "Sl", &about);
        if (about.currentline > 0 && !is_at_home(L, about.source)) {
            lua_pushfstring(L, "%s:%d", about.short_src, about.currentline);
            lua_setfield(L, -2, "where");
            return;
        }
    }
}

#if LUA_VERSION_NUM == 501
/* Raw: programs forbid names that are not there. */
static void push_global(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, LUA_GLOBALSINDEX);
}

/* Is the function of that frame the global of that name? */
static bool is_global(lua_State *L, lua_Debug *about, const char *name)
{
    bool same;

    lua_getinfo(L, "f", about);
    push_global(L, name);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* Is an error shown by a host that knows strings only, PUC Lua 5.1? That is so in the main thread where nothing on the
 * stack can catch it, or look at it: Lua functions, and functions of C that let it pass. The last one is the host's. */
static bool is_for_host(lua_State *L)
{
    enum { MAX_LEVELS = 64 };
    lua_Debug about;
    bool passes = true, main;

    push_global(L, "jit");
    main = lua_pushthread(L) && lua_isnil(L, -2);
    lua_pop(L, 2);
    for (int level = 1; main && lua_getstack(L, level, &about); level++) { /* 0: the function that raises */
        if (!passes || level > MAX_LEVELS)
            return false;
        lua_getinfo(L, "S", &about);
        passes = *about.what != 'C' || is_global(L, &about, "require") || is_global(L, &about, "dofile");
    }
    return main;
}
#endif

int wpsL_throw(lua_State *L)
{
#if LUA_VERSION_NUM == 501
    bool ours = lua_getmetatable(L, -1);

    if (ours) {
        luaL_getmetatable(L, WPS_ERROR);
        ours = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (ours && is_for_host(L))
        luaL_callmeta(L, -1, "__tostring");
#endif
    return lua_error(L);
}

int wpsL_raise(lua_State *L, const struct wps_error *error, const char *operation)
{
    if (error->kind == WPS_NO_MEMORY)
        return wpsL_raise_no_memory(L);
    lua_createtable(L, 0, 7);
    set_text(L, "kind", wps_kind_name(error->kind));
    set_text(L, "code", error->code);
    set_text(L, "message", error->message);
    set_text(L, "argument", error->argument);
    set_text(L, "operation", operation);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "retryable");
    if (error->kind == WPS_ARGUMENT)
        set_where(L);
    luaL_setmetatable(L, WPS_ERROR);
    return wpsL_throw(L);
}

void wpsL_check(lua_State *L, enum wps_kind failed, const struct wps_error *error, const char *operation)
{
    if (failed)
        wpsL_raise(L, error, operation);
}

/* ------------------------------------------------------------------ reading */

bool wpsL_is_null(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL: return true;
    case LUA_TLIGHTUSERDATA: return lua_touserdata(L, index) == NULL; /* of lua-cjson or NGINX */
    case LUA_TUSERDATA: return wpsL_is_marker(L, index, WPS_NULL);
    default: return false;
    }
}

bool wpsL_push_field(lua_State *L, int index, const char *name)
{
    index = lua_absindex(L, index);
    lua_pushstring(L, name);
    lua_rawget(L, index);
    if (wpsL_is_null(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    return true;
}

struct wps_slice wpsL_to_slice(lua_State *L, int index)
{
    struct wps_slice slice = { NULL, 0 };

    if (lua_type(L, index) == LUA_TSTRING) /* numbers are not converted: that would change them in place */
        slice.data = lua_tolstring(L, index, &slice.length);
    return slice;
}

struct wps_slice wpsL_string_field(lua_State *L, int index, const char *name)
{
    struct wps_slice slice = { NULL, 0 };

    if (wpsL_push_field(L, index, name)) {
        slice = wpsL_to_slice(L, -1);
        lua_pop(L, 1); /* the table keeps it alive */
    }
    return slice;
}

bool wpsL_boolean_field(lua_State *L, int index, const char *name)
{
    bool value = wpsL_push_field(L, index, name);

    if (value) {
        value = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    return value;
}

int wpsL_type_error(lua_State *L, const char *argument, const char *expected, int index, const char *operation)
{
    struct wps_error error = { 0 };

    wps_fail(&error, WPS_ARGUMENT, argument, "type", "%s must be %s %s; it is %s%s", argument,
             strchr("aeiou", *expected) ? "an" : "a", expected, lua_isnoneornil(L, index) ? "" : "a ",
             luaL_typename(L, index));
    return wpsL_raise(L, &error, operation);
}

/* ------------------------------------------------------------------ options */

static void unknown_option(lua_State *L, const struct wps_option *options, unsigned where, const char *name,
                           const char *what, const char *operation)
{
    struct wps_nearest nearest = { .name = name };
    struct wps_error error = { 0 };

    for (; options->name; options++)
        if (options->where & where)
            wps_nearest_offer(&nearest, options->name);
    wps_fail(&error, WPS_ARGUMENT, name, "unknown", "%s has no \"%.40s\"%s%s%s", what, name,
             nearest.best ? "; did you mean \"" : "", nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
    wpsL_raise(L, &error, operation);
}

/* The types that the value on top of the stack fits. */
static unsigned fitting_types(lua_State *L)
{
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        return WPS_OPTION_STRING | WPS_OPTION_FILLED;
    case LUA_TNUMBER:
        return WPS_OPTION_NUMBER | WPS_OPTION_WHOLE;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, -1) ? WPS_OPTION_BOOLEAN : WPS_OPTION_BOOLEAN | WPS_OPTION_FALSE;
    case LUA_TFUNCTION:
        return WPS_OPTION_FUNCTION;
    case LUA_TTABLE:
        return WPS_OPTION_TABLE;
    default:
        return 0;
    }
}

/* What is wrong with the value on top of the stack, which is of a type that fits. */
static enum wps_kind check_value(lua_State *L, const struct wps_option *option, struct wps_error *error)
{
    const char *name = option->name, *blank = option->unit ? " " : "", *unit = option->unit ? option->unit : "";
    struct wps_slice text = wpsL_to_slice(L, -1);
    lua_Number number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;

    if (lua_type(L, -1) == LUA_TNUMBER && option->types & (WPS_OPTION_NUMBER | WPS_OPTION_WHOLE)) {
        if (!(number >= option->minimum && number <= option->maximum)) /* not the other way round: NaN is out of range */
            return wps_fail(error, WPS_ARGUMENT, name, "invalid", "%s must be from %.14g to %.14g%s%s; it is %g", name,
                            option->minimum, option->maximum, blank, unit, number);
        if (option->types & WPS_OPTION_WHOLE && number != floor(number))
            return wps_fail(error, WPS_ARGUMENT, name, "invalid",
                            "%s must be a whole number from %.14g to %.14g%s%s; it is %g", name, option->minimum,
                            option->maximum, blank, unit, number);
    }
    if (text.data && option->types & WPS_OPTION_FILLED && (!text.length || memchr(text.data, '\0', text.length)))
        return wps_fail(error, WPS_ARGUMENT, name, text.length ? "invalid" : "empty", "%s must not %s", name,
                        text.length ? "have a NUL byte" : "be empty");
    return WPS_OK;
}

void wpsL_check_options(lua_State *L, int index, const struct wps_option *options, unsigned where, const char *what,
                        const char *operation)
{
    index = lua_absindex(L, index);
    if (!lua_istable(L, index))
        wpsL_type_error(L, what, "table of named values", index, operation);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const struct wps_option *option = options;
        struct wps_slice name = wpsL_to_slice(L, -2);
        struct wps_error error = { 0 };
        char expected[64];

        if (!name.data)
            wps_fail(&error, WPS_ARGUMENT, what, "unknown", "%s takes named values only, as in { name = value }", what);
        wpsL_check(L, error.kind, &error, operation);
        while (option->name && !(option->where & where && wps_slice_equal(name, wps_slice_of(option->name))))
            option++;
        if (!option->name)
            unknown_option(L, options, where, name.data, what, operation);
        if (wpsL_is_null(L, -1) || option->types & WPS_OPTION_ANY)
            continue;
        if (!(fitting_types(L) & option->types)) {
            wps_option_describe(option, expected, sizeof expected);
            wpsL_type_error(L, name.data, expected, -1, operation);
        }
        wpsL_check(L, check_value(L, option, &error), &error, operation);
    }
}

void wpsL_read_number(lua_State *L, int index, const char *name, double *value)
{
    if (wpsL_push_field(L, index, name)) {
        *value = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
}

void wpsL_read_whole(lua_State *L, int index, const char *name, int *value)
{
    double number = *value;

    wpsL_read_number(L, index, name, &number);
    *value = (int)number;
}

/* ------------------------------------------------------------------ limits */

static void read_statuses(lua_State *L, int index, struct wps_retry *retry, const char *operation)
{
    size_t room = sizeof retry->statuses / sizeof *retry->statuses;
    size_t count, keys = 0;
    bool valid;

    if (!wpsL_push_field(L, index, "statuses"))
        return;
    count = lua_rawlen(L, -1);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        keys++;
    valid = count == keys && count <= room;
    memset(retry->statuses, 0, sizeof retry->statuses);
    for (size_t i = 0; valid && i < count; i++) {
        lua_Number status;
        lua_rawgeti(L, -1, (int)i + 1);
        status = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        lua_pop(L, 1);
        valid = status >= 100 && status <= 599 && status == (int)status;
        if (valid)
            retry->statuses[i] = (int)status;
    }
    if (!valid) {
        struct wps_error error = { 0 };
        wps_fail(&error, WPS_ARGUMENT, "statuses", "invalid",
                 "statuses must be a list of at most %zu HTTP statuses, 100 to 599", room);
        wpsL_raise(L, &error, operation);
    }
    lua_pop(L, 1);
}

void wpsL_read_limits(lua_State *L, int index, struct wps_limits *limits, const char *operation)
{
    struct wps_retry *retry = &limits->retry;

    wpsL_read_number(L, index, "timeout", &limits->timeout);
    wpsL_read_number(L, index, "attempt_timeout", &limits->attempt_timeout);
    if (wpsL_push_field(L, index, "retry")) {
        wpsL_check_options(L, -1, wps_options, WPS_FOR_RETRY, "retry", operation);
        wpsL_read_whole(L, -1, "retries", &retry->retries);
        wpsL_read_number(L, -1, "delay", &retry->delay);
        wpsL_read_number(L, -1, "factor", &retry->factor);
        wpsL_read_number(L, -1, "jitter", &retry->jitter);
        wpsL_read_number(L, -1, "max_delay", &retry->max_delay);
        read_statuses(L, -1, retry, operation);
        lua_pop(L, 1);
    }
    wpsL_read_whole(L, index, "retries", &retry->retries);
}

/* ------------------------------------------------------------------ headers */

void wpsL_check_user_header(lua_State *L, struct wps_slice name, struct wps_slice value, const char *operation)
{
    static const struct {
        const char *name, *instead;
    } reserved[] = {
        { "Host", "it follows from the endpoint" },
        { "Content-Length", "it follows from the body" },
        { "Content-Type", "it follows from content_type" },
        { "Transfer-Encoding", "the service takes no chunked bodies" },
        { "Connection", "the transport keeps connections" },
        { "Expect", "the service is never asked first" },
        { "x-ms-client-request-id", "set request_id in the context" },
    };
    struct wps_error error = { 0 };

    wpsL_check(L, wps_headers_check(name, value, &error), &error, operation);
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (wps_slice_is(name, reserved[i].name)) {
            wps_fail(&error, WPS_ARGUMENT, "headers", "invalid", "header %s cannot be set: %s", reserved[i].name,
                     reserved[i].instead);
            wpsL_raise(L, &error, operation);
        }
}

void wpsL_read_headers(lua_State *L, int index, struct wps_buffer *block, const char *operation)
{
    struct wps_error error = { 0 };

    if (!wpsL_push_field(L, index, "headers"))
        return;
    index = lua_gettop(L);
    if (!lua_istable(L, index))
        wpsL_type_error(L, "headers", "table of names and values", index, operation);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        struct wps_slice name = wpsL_to_slice(L, -2), value = wpsL_to_slice(L, -1);

        if (!name.data)
            wpsL_type_error(L, "the name of a header", "string", -2, operation);
        if (!value.data)
            wpsL_type_error(L, "the value of a header", "string", -1, operation);
        wpsL_check_user_header(L, name, value, operation);
        if (wps_slice_is(name, "Authorization")) {
            wps_fail(&error, WPS_ARGUMENT, "headers", "invalid",
                     "header Authorization cannot be set: use key or credential, or a before_send policy");
            wpsL_raise(L, &error, operation);
        }
        wps_headers_set(block, name, value);
    }
    lua_pop(L, 1);
    wpsL_check(L, wps_buffer_check(block, &error, "headers"), &error, operation);
}

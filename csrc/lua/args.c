/* lua/args.c - reading tables of named arguments, and refusing them well. */
#include "lua/bindings.h"

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

int wpsL_raise(lua_State *L, const struct wps_error *error, const char *operation)
{
    if (error->kind == WPS_NO_MEMORY)
        return wpsL_raise_no_memory(L);
    lua_createtable(L, 0, 6);
    set_text(L, "kind", wps_kind_name(error->kind));
    set_text(L, "code", error->code);
    set_text(L, "message", error->message);
    set_text(L, "argument", error->argument);
    set_text(L, "operation", operation);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "retryable");
    luaL_setmetatable(L, WPS_ERROR);
    return lua_error(L);
}

void wpsL_check(lua_State *L, enum wps_kind failed, const struct wps_error *error, const char *operation)
{
    if (failed)
        wpsL_raise(L, error, operation);
}

/* ------------------------------------------------------------------ reading */

bool wpsL_is_null(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) || (lua_islightuserdata(L, index) && lua_touserdata(L, index) == NULL);
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

/* ------------------------------------------------------------------ known keys */

static unsigned type_bit(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING: return WPS_LUA_STRING;
    case LUA_TNUMBER: return WPS_LUA_NUMBER;
    case LUA_TBOOLEAN: return WPS_LUA_BOOLEAN;
    case LUA_TFUNCTION: return WPS_LUA_FUNCTION;
    case LUA_TTABLE: return WPS_LUA_TABLE;
    default: return 0;
    }
}

static void describe_types(unsigned types, char *text, size_t size)
{
    static const char *const names[] = { "string", "number", "boolean", "function", "table" };
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (types & 1u << i && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length ? " or a " : "", names[i]);
}

static int unknown_key(lua_State *L, const struct wps_field *fields, const char *name, const char *where,
                       const char *operation)
{
    struct wps_nearest nearest = { .name = name };
    struct wps_error error = { 0 };

    for (; fields->name; fields++)
        wps_nearest_offer(&nearest, fields->name);
    wps_fail(&error, WPS_ARGUMENT, name, "unknown", "%s has no \"%.40s\"%s%s%s", where, name,
             nearest.best ? "; did you mean \"" : "", nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
    return wpsL_raise(L, &error, operation);
}

void wpsL_check_fields(lua_State *L, int index, const struct wps_field *fields, const char *where,
                      const char *operation)
{
    index = lua_absindex(L, index);
    if (!lua_istable(L, index))
        wpsL_type_error(L, where, "table of named values", index, operation);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const struct wps_field *field = fields;
        struct wps_slice name = wpsL_to_slice(L, -2);
        char expected[64];

        if (!name.data) {
            struct wps_error error = { 0 };
            wps_fail(&error, WPS_ARGUMENT, where, "unknown", "%s takes named values only, as in { name = value }", where);
            wpsL_raise(L, &error, operation);
        }
        while (field->name && !wps_slice_equal(name, wps_slice_of(field->name)))
            field++;
        if (!field->name)
            unknown_key(L, fields, name.data, where, operation);
        if (wpsL_is_null(L, -1) || (type_bit(L, -1) | WPS_LUA_ANY) & field->types)
            continue;
        describe_types(field->types, expected, sizeof expected);
        wpsL_type_error(L, name.data, expected, -1, operation);
    }
}

/* ------------------------------------------------------------------ limits */

void wpsL_read_number(lua_State *L, int index, const char *name, double low, double high, double *value,
                        const char *operation)
{
    double number;

    if (!wpsL_push_field(L, index, name))
        return;
    if (lua_type(L, -1) != LUA_TNUMBER)
        wpsL_type_error(L, name, "number", -1, operation);
    number = lua_tonumber(L, -1);
    if (!(number >= low && number <= high)) { /* not the other way round: NaN is out of range */
        struct wps_error error = { 0 };
        wps_fail(&error, WPS_ARGUMENT, name, "invalid", "%s must be from %g to %g; it is %g", name, low, high, number);
        wpsL_raise(L, &error, operation);
    }
    *value = number;
    lua_pop(L, 1);
}

void wpsL_read_count(lua_State *L, int index, const char *name, int low, int high, int *value, const char *operation)
{
    double number = *value;

    wpsL_read_number(L, index, name, low, high, &number, operation);
    if (number != (int)number) {
        struct wps_error error = { 0 };
        wps_fail(&error, WPS_ARGUMENT, name, "invalid", "%s must be a whole number; it is %g", name, number);
        wpsL_raise(L, &error, operation);
    }
    *value = (int)number;
}

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
    static const struct wps_field fields[] = {
        { "retries", WPS_LUA_NUMBER },   { "delay", WPS_LUA_NUMBER },     { "factor", WPS_LUA_NUMBER },
        { "jitter", WPS_LUA_NUMBER },    { "max_delay", WPS_LUA_NUMBER }, { "statuses", WPS_LUA_TABLE },
        { NULL, 0 },
    };
    struct wps_retry *retry = &limits->retry;
    const double shortest = 0.001, day = 86400; /* seconds */

    wpsL_read_number(L, index, "timeout", shortest, day, &limits->timeout, operation);
    wpsL_read_number(L, index, "attempt_timeout", shortest, day, &limits->attempt_timeout, operation);
    if (wpsL_push_field(L, index, "retry")) {
        wpsL_check_fields(L, -1, fields, "retry", operation);
        wpsL_read_count(L, -1, "retries", 0, 100, &retry->retries, operation);
        wpsL_read_number(L, -1, "delay", 0, day, &retry->delay, operation);
        wpsL_read_number(L, -1, "factor", 1, 100, &retry->factor, operation);
        wpsL_read_number(L, -1, "jitter", 0, 1, &retry->jitter, operation);
        wpsL_read_number(L, -1, "max_delay", 0, day, &retry->max_delay, operation);
        read_statuses(L, -1, retry, operation);
        lua_pop(L, 1);
    }
    wpsL_read_count(L, index, "retries", 0, 100, &retry->retries, operation);
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

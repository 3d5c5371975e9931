/* lua/decode.c - bodies of the service, or of what is in between, as tables: errors and answers. */
#include "lua/bindings.h"

#include <math.h>

enum {
    MAX_DETAILS = 100,          /* of one error, on all its levels; the rest is counted */
    MAX_ERROR_TEXT = 64 * 1024, /* bytes of all messages of one error; what is longer is cut */
    MAX_ERROR_NAME = 256,       /* bytes of a code or target */
    MAX_INNER = 16              /* errors in each other that are kept; the live service nests two */
};

/* A body that is larger is not read. Each value has a byte at least. */
static const struct wps_json_limits limits = {
    .bytes = (size_t)1024 * 1024, .values = (size_t)1024 * 1024, .depth = WPS_JSON_MAX_DEPTH
};

size_t wpsL_push_json_text(lua_State *L, const struct wps_json_reader *reader, size_t maximum)
{
    const char *text = reader->raw.data;
    size_t length = reader->raw.length;
    bool cut;

    if (reader->escaped) {
        char *plain = lua_newuserdata(L, length);
        length = wps_json_unescape(reader, plain);
        text = plain;
    }
    cut = length > maximum;
    if (cut)
        for (length = maximum; length && ((unsigned char)text[length] & 0xc0) == 0x80;)
            length--; /* not within a character */
    lua_pushlstring(L, text, length);
    if (cut) {
        lua_pushliteral(L, "...");
        lua_concat(L, 2);
    }
    if (reader->escaped)
        lua_remove(L, -2);
    return length;
}

/* ------------------------------------------------------------------ any value */

enum {
    MAX_VALUE_DEPTH = 100,   /* as deep as values are written */
    MAX_VALUES = 1000 * 1000 /* tables take far more memory than their text */
};

static void push_value(lua_State *L, struct wps_json_reader *reader, enum wps_json_event event);

static void push_number(lua_State *L, struct wps_slice raw)
{
    int64_t whole;
    double number = 0;

    if (wps_json_integer(raw, &whole) && (int64_t)(lua_Integer)whole == whole)
        lua_pushinteger(L, (lua_Integer)whole);
    else if (wps_json_double(raw, &number))
        lua_pushnumber(L, number);
    else
        lua_pushnumber(L, *raw.data == '-' ? -HUGE_VAL : HUGE_VAL); /* beyond all numbers */
}

static void push_object(lua_State *L, struct wps_json_reader *reader)
{
    lua_newtable(L);
    while (wps_json_next(reader) == WPS_JSON_NAME) {
        wpsL_push_json_text(L, reader, SIZE_MAX);
        push_value(L, reader, wps_json_next(reader));
        lua_rawset(L, -3);
    }
}

static void push_array(lua_State *L, struct wps_json_reader *reader)
{
    enum wps_json_event event = wps_json_next(reader);

    lua_newtable(L);
    if (event == WPS_JSON_ARRAY_END)
        luaL_setmetatable(L, WPS_EMPTY_ARRAY); /* which tells it from an empty object where it is written again */
    for (int i = 1; event != WPS_JSON_ARRAY_END && event != WPS_JSON_PROBLEM; i++, event = wps_json_next(reader)) {
        push_value(L, reader, event);
        lua_rawseti(L, -2, i);
    }
}

/* The depth of the reader bounds the recursion. */
static void push_value(lua_State *L, struct wps_json_reader *reader, enum wps_json_event event)
{
    luaL_checkstack(L, 6, "the JSON is too deep");
    switch (event) {
    case WPS_JSON_OBJECT:
        push_object(L, reader);
        break;
    case WPS_JSON_ARRAY:
        push_array(L, reader);
        break;
    case WPS_JSON_STRING:
        wpsL_push_json_text(L, reader, SIZE_MAX);
        break;
    case WPS_JSON_NUMBER:
        push_number(L, reader->raw);
        break;
    case WPS_JSON_TRUE:
    case WPS_JSON_FALSE:
        lua_pushboolean(L, event == WPS_JSON_TRUE);
        break;
    case WPS_JSON_NULL:
        wpsL_push_marker(L, WPS_NULL);
        break;
    default:
        lua_pushnil(L); /* a problem, which the reader remembers */
        break;
    }
}

const char *wpsL_push_json(lua_State *L, struct wps_slice text)
{
    const struct wps_json_limits bounds = { .bytes = text.length, .values = MAX_VALUES, .depth = MAX_VALUE_DEPTH };
    struct wps_json_reader reader;

    wps_json_begin(&reader, text, &bounds);
    push_value(L, &reader, wps_json_next(&reader));
    if (wps_json_end(&reader))
        return NULL;
    lua_pop(L, 1);
    return reader.problem ? reader.problem : "it is not a whole JSON value";
}

/* ------------------------------------------------------------------ errors */

enum member { CODE, MESSAGE, TARGET, DETAILS, INNER, INNERERROR, ERRORS, TITLE, ERROR };

static const char *const members[] = { "code",       "message", "target", "details", "inner",
                                       "innererror", "errors",  "title",  "error",   NULL };

struct decoding {
    struct wps_json_reader reader;
    int details;    /* that are kept so far */
    size_t omitted; /* details that are not */
    size_t text;    /* bytes of messages so far */
    bool problem;   /* the details are of problem+json */
    bool wrapped;   /* all is in {"error": ...} */
};

static void push_schema(lua_State *L, struct decoding *decoding, int depth);

static void push_message(lua_State *L, struct decoding *decoding)
{
    decoding->text += wpsL_push_json_text(L, &decoding->reader, MAX_ERROR_TEXT - decoding->text);
}

/* Sets in the table on top a text that says something. */
static void set_text(lua_State *L, struct decoding *decoding, enum member member)
{
    if (wps_json_next(&decoding->reader) != WPS_JSON_STRING || !decoding->reader.raw.length)
        return;
    if (member == MESSAGE || member == TITLE)
        push_message(L, decoding);
    else
        wpsL_push_json_text(L, &decoding->reader, MAX_ERROR_NAME);
    lua_setfield(L, -2, members[member]);
}

/* Is there room for one more detail? */
static bool count_detail(struct decoding *decoding)
{
    bool kept = decoding->details < MAX_DETAILS;

    if (kept)
        decoding->details++;
    else
        decoding->omitted++;
    return kept;
}

/* Sets `details`, a list of errors, in the table on top. */
static void set_details(lua_State *L, struct decoding *decoding, int depth)
{
    struct wps_json_reader *reader = &decoding->reader;
    enum wps_json_event event;
    int count = 0;

    if (wps_json_next(reader) != WPS_JSON_ARRAY)
        return;
    lua_newtable(L);
    for (event = wps_json_next(reader); event != WPS_JSON_ARRAY_END && event != WPS_JSON_PROBLEM;
         event = wps_json_next(reader)) {
        if (event == WPS_JSON_OBJECT && count_detail(decoding)) {
            push_schema(L, decoding, depth + 1);
            lua_rawseti(L, -2, ++count);
        } else {
            wps_json_skip(reader);
        }
    }
    lua_setfield(L, -2, "details");
}

/* The messages of one field of a problem: its name is on top of the list of details, on the stack. */
static void add_field(lua_State *L, struct decoding *decoding, int *count)
{
    struct wps_json_reader *reader = &decoding->reader;
    enum wps_json_event event;

    if (wps_json_next(reader) != WPS_JSON_ARRAY) {
        wps_json_skip(reader);
        return;
    }
    for (event = wps_json_next(reader); event != WPS_JSON_ARRAY_END && event != WPS_JSON_PROBLEM;
         event = wps_json_next(reader)) {
        if (count_detail(decoding)) {
            lua_createtable(L, 0, 2);
            lua_pushvalue(L, -2);
            lua_setfield(L, -2, "target");
            if (event == WPS_JSON_STRING) {
                push_message(L, decoding);
                lua_setfield(L, -2, "message");
            }
            lua_rawseti(L, -3, ++*count);
        }
        wps_json_skip(reader);
    }
}

/* problem+json tells what is wrong by field, {"filter": ["..."]}: details, each with its target. */
static void set_problem(lua_State *L, struct decoding *decoding)
{
    struct wps_json_reader *reader = &decoding->reader;
    int count = 0;

    if (wps_json_next(reader) != WPS_JSON_OBJECT)
        return;
    decoding->problem = true;
    lua_newtable(L);
    while (wps_json_next(reader) == WPS_JSON_NAME) {
        wpsL_push_json_text(L, reader, MAX_ERROR_NAME);
        add_field(L, decoding, &count);
        lua_pop(L, 1);
    }
    lua_setfield(L, -2, "details");
}

/* Sets `inner` in the table on top; it wins over an innererror. */
static void set_inner(lua_State *L, struct decoding *decoding, int depth, bool wins)
{
    if (wps_json_next(&decoding->reader) == WPS_JSON_OBJECT && wins) {
        push_schema(L, decoding, depth + 1);
        lua_setfield(L, -2, "inner");
    }
}

/* Puts the error that the vendor describes in the place of the table on top. */
static void unwrap(lua_State *L, struct decoding *decoding)
{
    if (wps_json_next(&decoding->reader) == WPS_JSON_OBJECT) {
        decoding->wrapped = true;
        decoding->problem = false;
        push_schema(L, decoding, 0);
        lua_remove(L, -2);
    }
}

/* Reads one member into the table on top. */
static void set_member(lua_State *L, struct decoding *decoding, int depth, enum member member, unsigned seen)
{
    bool top = depth == 0, deepest = depth >= MAX_INNER;

    if (member == CODE || member == MESSAGE || member == TARGET || (member == TITLE && top))
        set_text(L, decoding, member);
    else if (member == DETAILS && !deepest && !(top && decoding->problem))
        set_details(L, decoding, depth);
    else if ((member == INNER || member == INNERERROR) && !deepest)
        set_inner(L, decoding, depth, member == INNER || !(seen & 1u << INNER));
    else if (member == ERRORS && top)
        set_problem(L, decoding);
    else if (member == ERROR && top && !decoding->wrapped)
        unwrap(L, decoding);
    else
        wps_json_next(&decoding->reader);
    wps_json_skip(&decoding->reader);
}

/* Pushes { code, message, target, details, inner } of the object that has begun, which may lack any of them. */
static void push_schema(lua_State *L, struct decoding *decoding, int depth)
{
    bool outside = !decoding->wrapped; /* what stands beside a wrapped error is no part of it */
    unsigned seen = 0;
    int member;

    luaL_checkstack(L, 10, "error too deep");
    lua_createtable(L, 0, 5);
    while ((member = wps_json_member(&decoding->reader, members, &seen)) >= 0) {
        if (outside && decoding->wrapped) {
            wps_json_next(&decoding->reader);
            wps_json_skip(&decoding->reader);
        } else {
            set_member(L, decoding, depth, (enum member)member, seen);
        }
    }
}

/* The title of a problem stands in for its message; the table is on top. */
static void take_title(lua_State *L)
{
    if (!wpsL_push_field(L, -1, "title"))
        return;
    if (wpsL_push_field(L, -2, "message"))
        lua_pop(L, 2);
    else
        lua_setfield(L, -2, "message");
    lua_pushnil(L);
    lua_setfield(L, -2, "title");
}

const char *wpsL_push_decoded_error(lua_State *L, struct wps_slice body)
{
    struct decoding decoding = { .details = 0 };
    int base = lua_gettop(L);
    bool is_object;

    wps_json_begin(&decoding.reader, body, &limits);
    decoding.reader.any_bytes = true; /* what a gateway says in Latin-1 is better than nothing */
    is_object = wps_json_next(&decoding.reader) == WPS_JSON_OBJECT;
    if (is_object)
        push_schema(L, &decoding, 0);
    if (!is_object || !wps_json_end(&decoding.reader)) {
        lua_settop(L, base);
        lua_newtable(L);
        return decoding.reader.problem ? decoding.reader.problem : "it is no object";
    }
    take_title(L);
    if (decoding.omitted) {
        lua_pushnumber(L, (lua_Number)decoding.omitted);
        lua_setfield(L, -2, "omitted_details");
    }
    return wps_slice_is_utf8(body) ? NULL : "it is not UTF-8";
}

/* ------------------------------------------------------------------ answers */

/* A token goes into a header or a URL: it must be something, and have nothing that ends one. */
static bool is_token(struct wps_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.length > 0;
}

static const char *read_token(lua_State *L, struct wps_json_reader *reader)
{
    static const char *const names[] = { "token", NULL };
    bool good = false;
    unsigned seen = 0;

    while (wps_json_member(reader, names, &seen) >= 0) {
        if (wps_json_next(reader) == WPS_JSON_STRING) {
            wpsL_push_json_text(L, reader, limits.bytes);
            good = is_token(wpsL_to_slice(L, -1));
            lua_setfield(L, -2, "token");
        }
        wps_json_skip(reader);
    }
    return good ? NULL : "it has no token";
}

/* Sets in the table on top the text that comes next, if it is one and says something. */
static bool set_string(lua_State *L, struct wps_json_reader *reader, const char *field)
{
    bool said = wps_json_next(reader) == WPS_JSON_STRING && reader->raw.length;

    if (said) {
        wpsL_push_json_text(L, reader, limits.bytes);
        lua_setfield(L, -2, field);
    }
    wps_json_skip(reader);
    return said;
}

/* Pushes { connection, user } of the object that has begun; false where it names no connection. */
static bool push_item(lua_State *L, struct wps_json_reader *reader)
{
    static const char *const names[] = { "connectionId", "userId", NULL };
    bool named = false;
    unsigned seen = 0;
    int member;

    lua_createtable(L, 0, 2);
    while ((member = wps_json_member(reader, names, &seen)) >= 0) {
        if (member == 0)
            named = set_string(L, reader, "connection");
        else
            set_string(L, reader, "user");
    }
    return named;
}

/* Sets `items` in the table on top; false where they are no list of connections. */
static bool set_items(lua_State *L, struct wps_json_reader *reader)
{
    enum wps_json_event event;
    bool good = true;
    int count = 0;

    if (wps_json_next(reader) != WPS_JSON_ARRAY)
        return false;
    lua_newtable(L);
    for (event = wps_json_next(reader); event == WPS_JSON_OBJECT && good; event = wps_json_next(reader)) {
        good = push_item(L, reader);
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, "items");
    return good && event == WPS_JSON_ARRAY_END;
}

/* Sets `next_link`; false where it is neither text nor null, for then the rest would be lost in silence. */
static bool set_link(lua_State *L, struct wps_json_reader *reader)
{
    set_string(L, reader, "next_link");
    return reader->event == WPS_JSON_STRING || reader->event == WPS_JSON_NULL;
}

static const char *read_list(lua_State *L, struct wps_json_reader *reader)
{
    static const char *const names[] = { "value", "nextLink", NULL };
    bool items = false, link = true;
    unsigned seen = 0;
    int member;

    while ((member = wps_json_member(reader, names, &seen)) >= 0) {
        if (member == 0)
            items = set_items(L, reader);
        else
            link = set_link(L, reader);
        wps_json_skip(reader);
    }
    if (!items)
        return "it has no list of connections";
    return link ? NULL : "its nextLink is no text";
}

const char *wpsL_set_answer(lua_State *L, enum wps_result result, struct wps_slice body)
{
    static const char *const fields[] = { "token", "items", "next_link" };
    struct wps_json_reader reader;
    const char *missing = "it is no object";

    wps_json_begin(&reader, body, &limits);
    if (wps_json_next(&reader) == WPS_JSON_OBJECT)
        missing = result == WPS_RESULT_TOKEN ? read_token(L, &reader) : read_list(L, &reader);
    wps_json_skip(&reader);
    wps_json_end(&reader);
    if (reader.problem)
        missing = reader.problem;
    for (size_t i = 0; missing && i < sizeof fields / sizeof *fields; i++) { /* half an answer is none */
        lua_pushnil(L);
        lua_setfield(L, -2, fields[i]);
    }
    return missing;
}

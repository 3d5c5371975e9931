/* lua/client.c - the client: endpoint, key and limits in C memory, and calls prepared from them. */
#include "lua/bindings.h"

#include "core/trace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct wps_client *wpsL_to_client(lua_State *L, int index, const char *operation)
{
    struct wps_client *client = wpsL_class_test(L, index, WPS_CLIENT_UPVALUE);

    if (!client) {
        struct wps_error error = { 0 };
        wps_fail(&error, WPS_ARGUMENT, "client", "type", "%s is a method: write client:%s{ ... } with a colon",
                 operation, operation);
        wpsL_raise(L, &error, operation);
    }
    return client;
}

/* ------------------------------------------------------------------ new */

/* Endpoint and key, from the connection string or each by itself. */
static void read_identity(lua_State *L, struct wps_client *client)
{
    struct wps_slice string = wpsL_string_field(L, 1, "connection_string");
    struct wps_slice proxy = wpsL_string_field(L, 1, "reverse_proxy");
    struct wps_connection_string parts = { .endpoint = wpsL_string_field(L, 1, "endpoint"),
                                           .key = wpsL_string_field(L, 1, "key") };
    struct wps_error error = { 0 };
    bool credential = wpsL_push_field(L, 1, "credential");

    if (credential)
        lua_pop(L, 1);
    if (string.data && (parts.endpoint.data || parts.key.data || credential))
        wps_fail(&error, WPS_ARGUMENT, "connection_string", "invalid",
                 "connection_string holds the endpoint and the key; do not give endpoint, key or credential beside it");
    else if (string.data)
        wps_connection_string_parse(&parts, string, &error);
    else if (!parts.endpoint.data)
        wps_fail(&error, WPS_ARGUMENT, "connection_string", "missing",
                 "connection_string is missing; give it, or endpoint with key or credential");
    else if (!parts.key.data == !credential)
        wps_fail(&error, WPS_ARGUMENT, "key", parts.key.data ? "invalid" : "missing",
                 "endpoint needs either key or credential beside it");
    if (!error.kind && !wps_base_parse(&client->endpoint.service, parts.endpoint, parts.port, "endpoint", &error)
        && parts.key.data)
        wps_signer_set(&client->signer, parts.key, &error);
    if (!error.kind && proxy.data)
        wps_base_parse(&client->endpoint.proxy, proxy, 0, "reverse_proxy", &error);
    wpsL_check(L, error.kind, &error, "new");
}

/* Tokens over plain http can be read and used by everyone on the way. */
static void refuse_plain_http(lua_State *L, const struct wps_client *client)
{
    const struct wps_endpoint *endpoint = &client->endpoint;
    bool proxied = endpoint->proxy.url.length > 0;
    const struct wps_base *contacted = proxied ? &endpoint->proxy : &endpoint->service;
    const char *what = proxied ? "reverse_proxy" : "endpoint";
    struct wps_slice proxy = wpsL_string_field(L, 1, "proxy");
    struct wps_error error = { 0 };

    if (contacted->secure)
        return;
    if (!wps_signer_ready(&client->signer))
        wps_fail(&error, WPS_ARGUMENT, what, "invalid",
                 "%s must be https:// where a credential is used: its tokens are good for more than one URL", what);
    else if (!contacted->loopback && !wpsL_boolean_field(L, 1, "allow_http"))
        wps_fail(&error, WPS_ARGUMENT, what, "invalid",
                 "%s is plain http:// to another machine; use https://, or set allow_http = true", what);
    else if (proxy.data && !wps_proxy_is_loopback(proxy) && !wpsL_boolean_field(L, 1, "allow_http"))
        wps_fail(&error, WPS_ARGUMENT, "proxy", "invalid",
                 "proxy is another machine, and %s plain http://, so that its tokens go there in clear; use https://, "
                 "or set allow_http = true", what);
    wpsL_check(L, error.kind, &error, "new");
}

static void read_hub(lua_State *L, struct wps_client *client)
{
    struct wps_slice hub = wpsL_string_field(L, 1, "hub");
    struct wps_error error = { 0 };

    wps_hub_check(hub, &error);
    if (!error.kind) {
        wps_buffer_append(&client->hub, hub.data, hub.length);
        wps_buffer_check(&client->hub, &error, "hub");
    }
    wpsL_check(L, error.kind, &error, "new");
}

/* What every request carries; the user's own headers replace it. */
static void read_headers(lua_State *L, struct wps_client *client)
{
    struct wps_slice application = wpsL_string_field(L, 1, "user_agent");
    struct wps_buffer *headers = &client->headers;
    struct wps_error error = { 0 };

    wpsL_check(L, application.data ? wps_headers_check(wps_slice_of("User-Agent"), application, &error) : WPS_OK,
              &error, "new");
    wps_buffer_text(headers, "Accept: application/json\r\nUser-Agent: ");
    if (application.length) {
        wps_buffer_append(headers, application.data, application.length);
        wps_buffer_text(headers, " ");
    }
    wps_buffer_text(headers, "lua-webpubsub/" WPS_VERSION " (" LUA_VERSION ")\r\n");
    wpsL_read_headers(L, 1, headers, "new");
}

/* The Lua side reads it: whether the world's failures are raised, or come back as nil and the error. */
static void check_errors(lua_State *L, int index, const char *operation)
{
    struct wps_slice mode = wpsL_string_field(L, index, "errors");
    struct wps_error error = { 0 };

    if (mode.data && !wps_slice_is(mode, "raise") && !wps_slice_is(mode, "return"))
        wps_fail(&error, WPS_ARGUMENT, "errors", "invalid", "errors must be \"raise\" or \"return\"");
    wpsL_check(L, error.kind, &error, operation);
}

/* The headers, which may be a third longer, must fit a buffer. */
static void read_url_bytes(lua_State *L, struct wps_client *client)
{
    int bytes = (int)client->limits.url_bytes;

    wpsL_read_whole(L, 1, "max_url_bytes", &bytes);
    client->limits.url_bytes = (size_t)bytes;
}

static int client_new(lua_State *L)
{
    struct wps_client *client;

    wpsL_check_options(L, 1, wps_options, WPS_FOR_CLIENT, "the table of options", "new");
    lua_settop(L, 1);
    client = lua_newuserdata(L, sizeof *client);
    memset(client, 0, sizeof *client);
    client->limits = wps_default_limits;
    luaL_setmetatable(L, WPS_CLIENT);
    lua_newtable(L);
    wpsL_setuservalue(L, 2);

    read_identity(L, client);
    refuse_plain_http(L, client);
    read_hub(L, client);
    wpsL_read_limits(L, 1, &client->limits, "new");
    check_errors(L, 1, "new");
    read_url_bytes(L, client);
    read_headers(L, client);
    return 1;
}

static int client_gc(lua_State *L)
{
    struct wps_client *client = luaL_checkudata(L, 1, WPS_CLIENT);

    wps_base_free(&client->endpoint.service);
    wps_base_free(&client->endpoint.proxy);
    wps_signer_free(&client->signer);
    wps_buffer_free(&client->hub);
    wps_buffer_free(&client->headers);
    wps_wipe(&client->random, sizeof client->random);
    return 0;
}

static int client_tostring(lua_State *L)
{
    const struct wps_client *client = luaL_checkudata(L, 1, WPS_CLIENT);
    const struct wps_base *proxy = &client->endpoint.proxy;

    lua_pushfstring(L, "webpubsub client of hub %s at %s%s%s", wps_buffer_string(&client->hub),
                    wps_buffer_string(&client->endpoint.service.url), proxy->url.length ? " through " : "",
                    wps_buffer_string(&proxy->url));
    return 1;
}

static void set_part(lua_State *L, const char *name, struct wps_slice part)
{
    if (part.length) {
        lua_pushlstring(L, part.data, part.length);
        lua_setfield(L, -2, name);
    }
}

/* connection_credential(string): what it says of Entra ID; nil: it has a key. The client has checked it. */
static int core_connection_credential(lua_State *L)
{
    struct wps_connection_string parts;
    struct wps_error error = { 0 };

    wpsL_check(L, wps_connection_string_parse(&parts, wpsL_to_slice(L, 1), &error), &error, "new");
    if (!parts.auth_type.data)
        return 0;
    lua_createtable(L, 0, 4);
    for (const char **kind = (const char *[]){ "azure", "azure.msi", "azure.app", NULL }; *kind; kind++)
        if (wps_slice_is(parts.auth_type, *kind))
            set_part(L, "auth_type", wps_slice_of(*kind));
    set_part(L, "tenant", parts.tenant);
    set_part(L, "client_id", parts.client_id);
    set_part(L, "secret", parts.secret);
    return 1;
}

/* set_key(client, key): calls sign with it from their next attempt on. */
static int client_set_key(lua_State *L)
{
    struct wps_client *client = wpsL_to_client(L, 1, "set_key");
    struct wps_slice key = wpsL_to_slice(L, 2);
    struct wps_error error = { 0 };

    if (!key.data)
        wpsL_type_error(L, "key", "string", 2, "set_key");
    if (!wps_signer_ready(&client->signer))
        wps_fail(&error, WPS_ARGUMENT, "key", "invalid", "this client has a credential and no key to replace");
    else
        wps_signer_set(&client->signer, key, &error);
    wpsL_check(L, error.kind, &error, "set_key");
    return 0;
}

/* origin(client): scheme, host and port that requests are sent to. has_key(client): does C sign them? */
static int client_origin(lua_State *L)
{
    const struct wps_client *client = wpsL_to_client(L, 1, "origin");
    const struct wps_endpoint *endpoint = &client->endpoint;
    const struct wps_base *contacted = endpoint->proxy.url.length ? &endpoint->proxy : &endpoint->service;

    lua_pushlstring(L, contacted->url.data, contacted->origin);
    return 1;
}

static int client_has_key(lua_State *L)
{
    lua_pushboolean(L, wps_signer_ready(&wpsL_to_client(L, 1, "has_key")->signer));
    return 1;
}

/* extras(client[, operation]): the table in which the Lua side keeps what it needs of this client; the operation is
 * the method that was called, for the error. */
static int client_extras(lua_State *L)
{
    wpsL_to_client(L, 1, luaL_optstring(L, 2, "extras"));
    wpsL_getuservalue(L, 1);
    return 1;
}

/* ------------------------------------------------------------------ prepare */

static void check_known(lua_State *L, const struct wps_operation *operation)
{
    struct wps_option options[WPS_MAX_PARAMETERS + 2] = { { .name = "context", .types = WPS_OPTION_TABLE } };

    for (int i = 0; i < WPS_MAX_PARAMETERS && operation->parameters[i]; i++) {
        options[i + 1].name = operation->parameters[i]->name;
        options[i + 1].types = WPS_OPTION_ANY; /* read_parameter() knows better what it should be */
    }
    for (int i = 0; options[i].name; i++)
        options[i].where = WPS_EVERYWHERE;
    wpsL_check_options(L, 3, options, WPS_EVERYWHERE, "the table of arguments", operation->name);
}

/* A list is a table with the keys 1 to n and no others; holes and names would be lost in silence. */
static void read_list(lua_State *L, struct wps_request *request, int index, struct wps_error *error)
{
    const struct wps_parameter *parameter = request->operation->parameters[index];
    const char *operation = request->operation->name;
    int count = (int)lua_rawlen(L, -1), keys = 0;

    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        keys++;
    if (keys != count)
        wpsL_type_error(L, parameter->name, "list of strings, { \"...\", \"...\" }, without holes or names", -1, operation);
    if (!count && parameter->required)
        wps_fail(error, WPS_ARGUMENT, parameter->name, "empty", "%s must not be empty; expected %s", parameter->name,
                 parameter->doc);
    for (int item = 1; item <= count && !error->kind; item++) {
        struct wps_slice value;
        lua_rawgeti(L, -1, item);
        value = wpsL_to_slice(L, -1);
        if (!value.data) {
            char name[48];
            snprintf(name, sizeof name, "%s[%d]", parameter->name, item);
            wpsL_type_error(L, name, "string", -1, operation);
        }
        wps_request_text(request, index, item, value, error);
        lua_pop(L, 1);
    }
}

static void read_integer(lua_State *L, struct wps_request *request, int index, struct wps_error *error)
{
    const char *name = request->operation->parameters[index]->name;
    lua_Number number = lua_tonumber(L, -1);

    if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) || number != (lua_Number)(int64_t)number)
        wps_fail(error, WPS_ARGUMENT, name, "invalid", "%s must be a whole number; it is %g", name, number);
    else
        wps_request_integer(request, index, (int64_t)number, error);
}

static void read_json(lua_State *L, struct wps_request *request, int index, struct wps_error *error)
{
    struct wps_buffer *body = wps_request_json(request, index, error);

    if (body) {
        wpsL_write_json(L, -1, body, error);
        wps_buffer_check(body, error, "json");
    }
}

/* The value is on top of the stack. */
static void read_parameter(lua_State *L, struct wps_request *request, int index)
{
    const struct wps_parameter *parameter = request->operation->parameters[index];
    bool list = parameter->type == WPS_LIST || parameter->type == WPS_GROUPS;
    int expected = list ? LUA_TTABLE : parameter->type == WPS_INTEGER ? LUA_TNUMBER : LUA_TSTRING;
    struct wps_error error = { 0 };

    if (parameter->type != WPS_JSON && lua_type(L, -1) != expected)
        wpsL_type_error(L, parameter->name, wps_type_name(parameter->type), -1, request->operation->name);
    if (list)
        read_list(L, request, index, &error);
    else if (parameter->type == WPS_INTEGER)
        read_integer(L, request, index, &error);
    else if (parameter->type == WPS_JSON)
        read_json(L, request, index, &error);
    else
        wps_request_text(request, index, 0, wpsL_to_slice(L, -1), &error);
    wpsL_check(L, error.kind, &error, request->operation->name);
}

static void read_request_id(lua_State *L, int context, struct wps_client *client, struct wps_call *call)
{
    const char *operation = call->request.operation->name;
    struct wps_slice name = wps_slice_of("x-ms-client-request-id"), id = { NULL, 0 };
    struct wps_error error = { 0 };
    char generated[WPS_UUID_LENGTH + 1];

    if (context)
        id = wpsL_string_field(L, context, "request_id");
    if (!id.data && wps_random_uuid(&client->random, generated))
        id = wps_slice_of(generated);
    if (!id.data)
        wps_fail(&error, WPS_CREDENTIAL, NULL, "random", "OpenSSL has no random bytes for a request id");
    else if (!id.length)
        wps_fail(&error, WPS_ARGUMENT, "request_id", "empty", "request_id must not be empty");
    else if (wps_slice_has_control(id))
        wps_fail(&error, WPS_ARGUMENT, "request_id", "invalid", "request_id must not have control bytes");
    else
        wps_headers_add(&call->request.headers, name, id); /* nobody else may set it, so it is not there yet */
    wpsL_check(L, error.kind, &error, operation);
}

/* They take the place of headers with those names. */
static void read_trace(lua_State *L, int context, struct wps_call *call)
{
    struct wps_slice parent = wpsL_string_field(L, context, "traceparent");
    struct wps_slice state = wpsL_string_field(L, context, "tracestate");
    struct wps_error error = { 0 };

    if (parent.data)
        wps_traceparent_check(parent, &error);
    else if (state.data)
        wps_fail(&error, WPS_ARGUMENT, "tracestate", "invalid", "tracestate goes with traceparent, which is missing");
    if (!error.kind && state.data)
        wps_tracestate_check(state, &error);
    wpsL_check(L, error.kind, &error, call->request.operation->name);
    if (parent.data)
        wps_headers_set(&call->request.headers, wps_slice_of("traceparent"), parent);
    if (state.data)
        wps_headers_set(&call->request.headers, wps_slice_of("tracestate"), state);
}

static void read_context(lua_State *L, struct wps_client *client, struct wps_call *call)
{
    const char *operation = call->request.operation->name;
    int context = 0;

    if (wpsL_push_field(L, 3, "context")) {
        context = lua_gettop(L);
        wpsL_check_options(L, context, wps_options, WPS_FOR_CALL, "context", operation);
        wpsL_read_limits(L, context, &call->limits, operation);
        check_errors(L, context, operation);
        wpsL_read_headers(L, context, &call->request.headers, operation);
        read_trace(L, context, call);
    }
    read_request_id(L, context, client, call);
}

/* Before anything is sent, with the token that will be signed. One that a credential brings, and what policies add, is
 * counted when it is there. */
static void check_size(lua_State *L, const struct wps_client *client, const struct wps_call *call)
{
    const struct wps_request *request = &call->request;
    struct wps_error error = { 0 };
    size_t token_bytes = 0;

    if (wps_signer_ready(&client->signer) && !request->operation->unsigned_)
        token_bytes = sizeof "Authorization: Bearer \r\n" - 1 + wps_jwt_request_length(request->url.length);
    wpsL_check(L, wps_request_check_size(request, call->limits.url_bytes, token_bytes, &error), &error,
               request->operation->name);
}

/* Leaves the call at index 4, where a spare one is already. */
static struct wps_call *reuse_or_push_call(lua_State *L)
{
    struct wps_call *call;

    if (!lua_isnil(L, 4)) {
        call = wpsL_to_call(L, 4);
        wps_call_recycle(call);
    } else {
        call = wpsL_push_call(L, 1);
        lua_replace(L, 4);
    }
    return call;
}

/* The operation by its name, or without a search by its position in the table that operations() gives. */
static const struct wps_operation *wpsL_check_operation(lua_State *L, int index)
{
    const struct wps_operation *operation = NULL;
    lua_Integer position;

    if (lua_type(L, index) == LUA_TNUMBER) {
        position = lua_tointeger(L, index);
        if (position >= 1 && position <= (lua_Integer)wps_operation_count)
            operation = &wps_operations[position - 1];
    } else {
        operation = wps_operation_find(luaL_checkstring(L, index));
    }
    luaL_argcheck(L, operation, index, "no such operation");
    return operation;
}

/* prepare(client, operation, arguments[, spare[, unsent]]): a call that is ready to begin; every mistake is raised here.
 * A spare one of the same client, done and looked at by nobody any more, is used again. What will stay unsent may have
 * any length. */
static int client_prepare(lua_State *L)
{
    const struct wps_operation *operation = wpsL_check_operation(L, 2);
    struct wps_client *client = wpsL_to_client(L, 1, operation->name);
    struct wps_slice hub = { client->hub.data, client->hub.length };
    struct wps_error error = { 0 };
    struct wps_call *call;
    bool unsent = lua_toboolean(L, 5);

    lua_settop(L, 4);
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    check_known(L, operation);
    call = reuse_or_push_call(L);
    call->owner = getpid();
    call->limits = client->limits;
    call->clock_offset = client->clock_offset;
    wps_request_begin(&call->request, operation);
    wps_buffer_append(&call->request.headers, client->headers.data, client->headers.length);
    for (int i = 0; i < WPS_MAX_PARAMETERS && operation->parameters[i]; i++)
        if (wpsL_push_field(L, 3, operation->parameters[i]->name)) {
            read_parameter(L, &call->request, i);
            lua_pop(L, 1);
        }
    wpsL_check(L, wps_request_finish(&call->request, &client->endpoint, hub, &error), &error, operation->name);
    read_context(L, client, call);
    if (!unsent)
        check_size(L, client, call);
    lua_settop(L, 4);
    return 1;
}

void wpsL_register_client(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "client", client_new },       { "set_key", client_set_key }, { "origin", client_origin },
        { "has_key", client_has_key },  { "extras", client_extras },   { "prepare", client_prepare },
        { "connection_credential", core_connection_credential },
        { NULL, NULL },
    };

    wpsL_push_classes(L);
    luaL_setfuncs(L, functions, WPS_CLASS_UPVALUES);
    luaL_newmetatable(L, WPS_CLIENT);
    lua_pushcfunction(L, client_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, client_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, WPS_CLIENT);
    lua_setfield(L, -2, "__name");
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
    lua_setfield(L, -3, "methods"); /* core.methods: the Lua side puts a function in for every operation */
    lua_pop(L, 1);
}

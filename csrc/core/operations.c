/* operations.c - THE table: every operation of the service's data plane (api-version 2024-12-01), and nothing else
 * knows their shapes. Methods, argument checks, help and documentation are derived from it. */
#include "core/service.h"

#include <string.h>

/* Parameters, each written once and shared by the operations that take it. */

#define PATH(parameter, lua_name, wire_name, kind, text)                                                        \
    static const struct wps_parameter parameter = {                                                            \
        .name = lua_name, .wire = wire_name, .type = kind, .place = WPS_IN_PATH, .required = true, .doc = text \
    }
#define QUERY(parameter, lua_name, wire_name, kind, text)                                    \
    static const struct wps_parameter parameter = {                                         \
        .name = lua_name, .wire = wire_name, .type = kind, .place = WPS_IN_QUERY, .doc = text \
    }
#define INTEGER(parameter, lua_name, wire_name, low, high, text)                                    \
    static const struct wps_parameter parameter = {                                                \
        .name = lua_name, .wire = wire_name, .type = WPS_INTEGER, .place = WPS_IN_QUERY,            \
        .minimum = low, .maximum = high, .doc = text                                                \
    }

PATH(user, "user", "userId", WPS_ID, "the user's id");
PATH(connection, "connection", "connectionId", WPS_ID, "the connection's id");
PATH(group, "group", "group", WPS_GROUP, "the group's name, 1 to 1024 characters");
QUERY(excluded, "excluded", "excluded", WPS_LIST, "connection ids to leave out, matched exactly; about 11 KiB of them fit into a URL");
QUERY(reason, "reason", "reason", WPS_TEXT, "why, told to the clients that are closed");
QUERY(filter, "filter", "filter", WPS_TEXT, "an OData expression that chooses the receivers");
INTEGER(ttl, "ttl", "messageTtlSeconds", 0, 300, "seconds the service may keep the message for a slow client, 0 to 300");
INTEGER(page_size, "page_size", "maxpagesize", 1, 200, "connections in one page, 1 to 200");
INTEGER(limit, "limit", "top", 1, INT32_MAX, "connections in all, at least 1");
QUERY(continuation, "continuation_token", "continuationToken", WPS_TEXT, "where an earlier listing stopped");
QUERY(target, "target_name", "targetName", WPS_GROUP, "the group the permission is for; all groups without it");
QUERY(token_user, "user", "userId", WPS_ID, "the user's id in the token");
QUERY(token_roles, "roles", "role", WPS_LIST, "roles in the token, such as webpubsub.sendToGroup.chat");
QUERY(token_groups, "groups", "group", WPS_GROUPS, "groups that the client joins when it connects");
INTEGER(token_minutes, "minutes_to_expire", "minutesToExpire", 1, INT32_MAX, "minutes the token is valid, 60 by default");

static const struct wps_parameter required_target = {
    .name = "target_name", .wire = "targetName", .type = WPS_GROUP, .place = WPS_IN_QUERY, .required = true,
    .doc = "the group the permission is for",
};
static const struct wps_parameter permission = {
    .name = "permission", .wire = "permission", .type = WPS_CHOICE, .place = WPS_IN_PATH, .required = true,
    .choices = { "sendToGroup", "joinLeaveGroup" }, .doc = "\"sendToGroup\" or \"joinLeaveGroup\"",
};
static const struct wps_parameter client_type = {
    .name = "client_type", .wire = "clientType", .type = WPS_CHOICE, .place = WPS_IN_QUERY,
    .choices = { "Default", "MQTT", "socketio" }, .doc = "\"Default\", \"MQTT\" or \"socketio\"",
};
static const struct wps_parameter content = {
    .name = "content", .wire = "", .type = WPS_CONTENT, .place = WPS_IN_BODY, .required = true,
    .doc = "the message, at most 1 MiB; or give json",
};
static const struct wps_parameter json = {
    .name = "json", .wire = "", .type = WPS_JSON, .place = WPS_IN_BODY,
    .doc = "the message as a Lua value, sent as application/json",
};
static const struct wps_parameter content_type = {
    .name = "content_type", .wire = "", .type = WPS_MEDIA, .place = WPS_IN_BODY,
    .doc = "\"text\" (default), \"json\", \"binary\", or the MIME type of one of them",
};
static const struct wps_parameter body_groups = {
    .name = "groups", .wire = "groups", .type = WPS_GROUPS, .place = WPS_IN_BODY, .required = true,
    .doc = "names of groups",
};
static const struct wps_parameter body_filter = {
    .name = "filter", .wire = "filter", .type = WPS_TEXT, .place = WPS_IN_BODY,
    .doc = "an OData expression that chooses the connections; all of the hub without it",
};

#undef PATH
#undef QUERY
#undef INTEGER

const struct wps_operation wps_operations[] = {
    {
        .name = "service_status", .method = "HEAD", .path = "/health", .success = 200,
        .hubless = true, .unsigned_ = true,
        .doc = "Asks whether the service is healthy; needs no key.",
    },
    {
        .name = "close_all_connections", .method = "POST", .path = "/:closeConnections", .success = 204,
        .parameters = { &excluded, &reason },
        .doc = "Closes every connection of the hub.",
    },
    {
        .name = "close_user_connections", .method = "POST", .path = "/users/{user}/:closeConnections", .success = 204,
        .parameters = { &user, &excluded, &reason },
        .doc = "Closes the connections of one user; succeeds for a user that has none.",
    },
    {
        .name = "close_group_connections", .method = "POST", .path = "/groups/{group}/:closeConnections",
        .success = 204, .parameters = { &group, &excluded, &reason },
        .doc = "Closes the connections in one group.",
    },
    {
        .name = "close_connection", .method = "DELETE", .path = "/connections/{connection}", .success = 204,
        .parameters = { &connection, &reason },
        .doc = "Closes one connection; succeeds for one that does not exist.",
    },
    {
        .name = "connection_exists", .method = "HEAD", .path = "/connections/{connection}", .success = 200,
        .parameters = { &connection }, .result = WPS_RESULT_EXISTS,
        .doc = "Is there a connection with this id?",
    },
    {
        .name = "user_exists", .method = "HEAD", .path = "/users/{user}", .success = 200,
        .parameters = { &user }, .result = WPS_RESULT_EXISTS,
        .doc = "Has this user any connection?",
    },
    {
        .name = "group_exists", .method = "HEAD", .path = "/groups/{group}", .success = 200,
        .parameters = { &group }, .result = WPS_RESULT_EXISTS,
        .doc = "Is any connection in this group?",
    },
    {
        .name = "send_to_all", .method = "POST", .path = "/:send", .success = 202,
        .parameters = { &excluded, &filter, &ttl, &content, &json, &content_type },
        .doc = "Sends a message to every connection of the hub.",
    },
    {
        .name = "send_to_user", .method = "POST", .path = "/users/{user}/:send", .success = 202,
        .parameters = { &user, &filter, &ttl, &content, &json, &content_type },
        .doc = "Sends a message to the connections of one user.",
    },
    {
        .name = "send_to_group", .method = "POST", .path = "/groups/{group}/:send", .success = 202,
        .parameters = { &group, &excluded, &filter, &ttl, &content, &json, &content_type },
        .doc = "Sends a message to the connections in one group.",
    },
    {
        .name = "send_to_connection", .method = "POST", .path = "/connections/{connection}/:send", .success = 202,
        .parameters = { &connection, &ttl, &content, &json, &content_type },
        .doc = "Sends a message to one connection; is accepted for one that does not exist.",
    },
    {
        .name = "add_connection_to_group", .method = "PUT", .path = "/groups/{group}/connections/{connection}",
        .success = 200, .parameters = { &group, &connection },
        .doc = "Puts one connection into a group; an unknown connection is an error.",
    },
    {
        .name = "remove_connection_from_group", .method = "DELETE",
        .path = "/groups/{group}/connections/{connection}", .success = 204, .parameters = { &group, &connection },
        .doc = "Takes one connection out of a group.",
    },
    {
        .name = "remove_connection_from_all_groups", .method = "DELETE", .path = "/connections/{connection}/groups",
        .success = 204, .parameters = { &connection },
        .doc = "Takes one connection out of every group.",
    },
    {
        .name = "add_user_to_group", .method = "PUT", .path = "/users/{user}/groups/{group}", .success = 200,
        .parameters = { &user, &group },
        .doc = "Puts a user's connections into a group; an unknown user is an error.",
    },
    {
        .name = "remove_user_from_group", .method = "DELETE", .path = "/users/{user}/groups/{group}", .success = 204,
        .parameters = { &user, &group },
        .doc = "Takes a user's connections out of a group.",
    },
    {
        .name = "remove_user_from_all_groups", .method = "DELETE", .path = "/users/{user}/groups", .success = 204,
        .parameters = { &user },
        .doc = "Takes a user's connections out of every group.",
    },
    {
        .name = "add_connections_to_groups", .method = "POST", .path = "/:addToGroups", .success = 200,
        .parameters = { &body_groups, &body_filter },
        .doc = "Puts the connections that a filter chooses into groups.",
    },
    {
        .name = "remove_connections_from_groups", .method = "POST", .path = "/:removeFromGroups", .success = 200,
        .parameters = { &body_groups, &body_filter },
        .doc = "Takes the connections that a filter chooses out of groups.",
    },
    {
        .name = "list_connections_in_group", .method = "GET", .path = "/groups/{group}/connections", .success = 200,
        .parameters = { &group, &page_size, &limit, &continuation }, .result = WPS_RESULT_LIST,
        .doc = "Lists the connections in a group, page by page.",
    },
    {
        .name = "grant_permission", .method = "PUT", .path = "/permissions/{permission}/connections/{connection}",
        .success = 200, .parameters = { &permission, &connection, &target },
        .doc = "Lets a connection join, leave or send to groups itself; an unknown connection is an error.",
    },
    {
        .name = "revoke_permission", .method = "DELETE",
        .path = "/permissions/{permission}/connections/{connection}", .success = 204,
        .parameters = { &permission, &connection, &required_target },
        .doc = "Takes a permission for one group from a connection.",
    },
    {
        .name = "check_permission", .method = "HEAD", .path = "/permissions/{permission}/connections/{connection}",
        .success = 200, .parameters = { &permission, &connection, &target }, .result = WPS_RESULT_EXISTS,
        .doc = "Has the connection this permission?",
    },
    {
        .name = "generate_client_token", .method = "POST", .path = "/:generateToken", .success = 200,
        .parameters = { &token_user, &token_roles, &token_groups, &token_minutes, &client_type },
        .result = WPS_RESULT_TOKEN,
        .doc = "Has the service make a token with which a client may connect.",
    },
};

const size_t wps_operation_count = sizeof wps_operations / sizeof wps_operations[0];

const struct wps_operation *wps_operation_find(const char *name)
{
    for (size_t i = 0; i < wps_operation_count; i++)
        if (strcmp(wps_operations[i].name, name) == 0)
            return &wps_operations[i];
    return NULL;
}

const char *wps_type_name(enum wps_type type)
{
    static const char *const names[] = {
        [WPS_ID] = "string",      [WPS_GROUP] = "string",          [WPS_TEXT] = "string",
        [WPS_INTEGER] = "integer", [WPS_CHOICE] = "string",         [WPS_LIST] = "list of strings",
        [WPS_GROUPS] = "list of strings", [WPS_CONTENT] = "string", [WPS_JSON] = "any",
        [WPS_MEDIA] = "string",
    };
    return names[type];
}

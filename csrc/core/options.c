/* options.c - the table of options, see options.h. In the order in which people read them. */
#include "core/options.h"

#include <stdio.h>

#define DAY 86400.0 /* seconds */
#define MAX_BYTES 2147483647.0

#define CLIENT WPS_FOR_CLIENT
#define CALL WPS_FOR_CALL
#define RETRY WPS_FOR_RETRY
#define ACCESS WPS_FOR_ACCESS
#define EACH WPS_FOR_EACH
#define EVENTS WPS_FOR_EVENTS
#define CONNECT WPS_FOR_CONNECT
#define MESSAGE WPS_FOR_MESSAGE
#define MQTT WPS_FOR_MQTT
#define REJECTION WPS_FOR_REJECTION
#define PROPERTY WPS_FOR_PROPERTY

const struct wps_option wps_options[] = {
    /* ---- where, and as whom */
    { .name = "connection_string", .where = CLIENT, .types = WPS_OPTION_STRING,
      .doc = "`Endpoint=https://…;AccessKey=…;Version=1.0;`, from the portal" },
    { .name = "endpoint", .where = CLIENT, .types = WPS_OPTION_STRING,
      .doc = "`https://name.webpubsub.azure.com`, in the place of connection_string, with key or credential" },
    { .name = "key", .where = CLIENT, .types = WPS_OPTION_STRING, .doc = "an access key, with endpoint" },
    { .name = "credential", .where = CLIENT, .types = WPS_OPTION_FUNCTION,
      .type = "fun(request: webpubsub.CredentialRequest): string, number",
      .doc = "returns an Entra ID token and when it expires, in seconds since the epoch; with endpoint" },
    { .name = "hub", .where = CLIENT | EVENTS, .types = WPS_OPTION_STRING, .doc = "the hub's name" },
    { .name = "reverse_proxy", .where = CLIENT, .types = WPS_OPTION_STRING,
      .doc = "send there; requests are still signed for the endpoint" },
    { .name = "allow_http", .where = CLIENT, .types = WPS_OPTION_BOOLEAN, .initial = "false",
      .doc = "plain http to other machines, proxies among them" },

    /* ---- time and tries */
    { .name = "timeout", .where = CLIENT | CALL, .types = WPS_OPTION_NUMBER, .minimum = 0.001, .maximum = DAY,
      .unit = "s", .initial = "60", .doc = "for the whole call with all its attempts and waits" },
    { .name = "attempt_timeout", .where = CLIENT | CALL, .types = WPS_OPTION_NUMBER, .minimum = 0.001, .maximum = DAY,
      .unit = "s", .initial = "15", .doc = "for one attempt" },
    { .name = "connect_timeout", .where = CLIENT, .types = WPS_OPTION_NUMBER, .minimum = 0.001, .maximum = DAY,
      .unit = "s", .initial = "5", .doc = "to connect" },
    { .name = "retries", .where = CLIENT | CALL | RETRY, .types = WPS_OPTION_WHOLE, .minimum = 0, .maximum = 100,
      .initial = "3", .doc = "attempts after the first; 0: the request reaches the service at most once" },
    { .name = "retry", .where = CLIENT | CALL, .types = WPS_OPTION_TABLE, .type = "webpubsub.Retry",
      .doc = "how attempts follow one another" },
    { .name = "delay", .where = RETRY, .types = WPS_OPTION_NUMBER, .minimum = 0, .maximum = DAY, .unit = "s",
      .initial = "0.8", .doc = "before the second attempt" },
    { .name = "factor", .where = RETRY, .types = WPS_OPTION_NUMBER, .minimum = 1, .maximum = 100, .initial = "2",
      .doc = "by which the delay grows" },
    { .name = "jitter", .where = RETRY, .types = WPS_OPTION_NUMBER, .minimum = 0, .maximum = 1, .initial = "0.2",
      .doc = "the share of a delay that is left to chance" },
    { .name = "max_delay", .where = RETRY, .types = WPS_OPTION_NUMBER, .minimum = 0, .maximum = DAY, .unit = "s",
      .initial = "60", .doc = "at most; a Retry-After may ask for more" },
    { .name = "statuses", .where = RETRY, .types = WPS_OPTION_TABLE, .type = "integer[]",
      .initial = "{ 408, 429, 500, 502, 503, 504 }", .doc = "what is tried again" },

    { .name = "errors", .where = CLIENT | CALL, .types = WPS_OPTION_STRING, .type = "\"raise\"|\"return\"",
      .initial = "\"raise\"",
      .doc = "\"return\": failures come back as nil and the error; wrong arguments are raised in any case" },

    /* ---- what is sent, and what is seen of it */
    { .name = "headers", .where = CLIENT | CALL, .types = WPS_OPTION_TABLE, .type = "table<string, string>",
      .doc = "sent along" },
    { .name = "user_agent", .where = CLIENT, .types = WPS_OPTION_STRING, .doc = "goes before the library's own" },
    { .name = "request_id", .where = CALL, .types = WPS_OPTION_STRING, .initial = "a UUID",
      .doc = "the id that support can find the call by" },
    { .name = "traceparent", .where = CALL, .types = WPS_OPTION_STRING,
      .doc = "W3C Trace Context: the trace and span that the call belongs to; sent and logged" },
    { .name = "tracestate", .where = CALL, .types = WPS_OPTION_STRING, .doc = "goes with traceparent" },
    { .name = "policies", .where = CLIENT | CALL, .types = WPS_OPTION_TABLE, .type = "webpubsub.Policies",
      .doc = "`{ per_call, per_attempt, before_send }`: functions that see and may change each request" },
    { .name = "cancel", .where = CALL, .types = WPS_OPTION_FUNCTION, .type = "fun(): boolean?",
      .doc = "returns true to withdraw the call" },
    { .name = "no_throw", .where = CALL, .types = WPS_OPTION_BOOLEAN, .initial = "false",
      .doc = "a service error is returned as the response, with `response.error`" },
    { .name = "classify", .where = CALL, .types = WPS_OPTION_FUNCTION | WPS_OPTION_TABLE,
      .type = "table<integer, boolean|\"retry\">|fun(response: webpubsub.Response): boolean|\"retry\"|nil",
      .doc = "is it an error? By status, or asked of a function" },
    { .name = "logger", .where = CLIENT, .types = WPS_OPTION_FUNCTION, .type = "fun(event: webpubsub.Event)",
      .doc = "is told what happens; what it raises is dropped" },
    { .name = "log_ids", .where = CLIENT, .types = WPS_OPTION_BOOLEAN, .initial = "false",
      .doc = "name users, groups and connections in what the logger is told" },

    /* ---- the way there */
    { .name = "ca_file", .where = CLIENT, .types = WPS_OPTION_FILLED, .world = WPS_OUTSIDE_NGINX,
      .doc = "PEM file of the authorities to trust instead of the system's" },
    { .name = "client_cert", .where = CLIENT, .types = WPS_OPTION_FILLED, .doc = "PEM file of a client certificate" },
    { .name = "client_key", .where = CLIENT, .types = WPS_OPTION_FILLED, .doc = "PEM file of its key" },
    { .name = "client_key_password", .where = CLIENT, .types = WPS_OPTION_FILLED, .world = WPS_OUTSIDE_NGINX,
      .doc = "of the key's file" },
    { .name = "proxy", .where = CLIENT, .types = WPS_OPTION_FILLED | WPS_OPTION_FALSE, .type = "string|false",
      .initial = "the environment's", .doc = "`http://[user:password@]host:port`; false: none" },
    { .name = "transport", .where = CLIENT, .types = WPS_OPTION_FUNCTION,
      .type = "webpubsub.Transport",
      .doc = "sends in the library's place; returns the response, or nil and why there is none" },

    /* ---- limits */
    { .name = "max_url_bytes", .where = CLIENT, .types = WPS_OPTION_WHOLE, .minimum = 1024, .maximum = 49152,
      .unit = "bytes", .initial = "12288",
      .doc = "of a request; its headers, whose token repeats the URL, may have a third more" },
    { .name = "max_response_bytes", .where = CLIENT, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = MAX_BYTES,
      .unit = "bytes", .initial = "1048576", .doc = "of a response's body" },
    { .name = "max_header_bytes", .where = CLIENT, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = MAX_BYTES,
      .unit = "bytes", .initial = "65536", .doc = "of all headers of a response" },
    { .name = "max_connections", .where = CLIENT, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = 10000,
      .initial = "100", .world = WPS_OUTSIDE_NGINX, .doc = "to the service; more tasks wait for their turn" },
    { .name = "idle_timeout", .where = CLIENT, .types = WPS_OPTION_NUMBER, .minimum = 0.001, .maximum = DAY,
      .unit = "s", .initial = "60", .doc = "for which an unused connection is kept" },
    { .name = "max_connection_age", .where = CLIENT, .types = WPS_OPTION_NUMBER, .minimum = 0.001, .maximum = DAY,
      .unit = "s", .initial = "300",
      .doc = "after which a connection is not used again, so that a name's new address is followed" },
    { .name = "pool_size", .where = CLIENT, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = 10000,
      .initial = "100", .world = WPS_INSIDE_NGINX, .doc = "connections of a worker" },
    { .name = "backlog", .where = CLIENT, .types = WPS_OPTION_WHOLE, .minimum = 0, .maximum = 100000,
      .initial = "256", .world = WPS_INSIDE_NGINX, .doc = "calls of a worker that wait for one of them" },
    { .name = "max_deferred", .where = CLIENT, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = 100000,
      .initial = "1000", .world = WPS_INSIDE_NGINX, .doc = "calls of a worker that `defer` queues" },

    /* ---- client_access_url */
    { .name = "user", .where = ACCESS, .types = WPS_OPTION_STRING, .doc = "who connects" },
    { .name = "roles", .where = ACCESS, .types = WPS_OPTION_TABLE, .type = "string[]",
      .doc = "such as `webpubsub.sendToGroup.chat`" },
    { .name = "groups", .where = ACCESS, .types = WPS_OPTION_TABLE, .type = "string[]",
      .doc = "that the client joins when it connects" },
    { .name = "expires_in", .where = ACCESS, .types = WPS_OPTION_NUMBER, .minimum = 1, .maximum = 3650 * DAY,
      .unit = "s", .initial = "3600", .doc = "for which the token is good to connect with" },
    { .name = "protocol", .where = ACCESS, .types = WPS_OPTION_STRING, .type = "\"default\"|\"mqtt\"|\"socketio\"",
      .initial = "\"default\"", .doc = "that the client speaks" },

    /* ---- each */
    { .name = "concurrency", .where = EACH, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = 256, .initial = "16",
      .doc = "calls at a time" },
    { .name = "on_result", .where = EACH, .types = WPS_OPTION_FUNCTION, .type = "fun(result: webpubsub.Result)",
      .doc = "is told of each call as it finishes" },
    { .name = "shard", .where = EACH, .types = WPS_OPTION_TABLE, .type = "{ [1]: integer, [2]: integer }",
      .doc = "`{ i, n }`: only the items of the i-th of n processes, by a hash of the operation's one required argument "
      "that is the same on every machine" },
    { .name = "stop_on_error", .where = EACH, .types = WPS_OPTION_BOOLEAN, .initial = "false",
      .doc = "begin no more calls after a failure" },
    { .name = "context", .where = ACCESS | EACH, .types = WPS_OPTION_TABLE, .type = "webpubsub.Context",
      .doc = "of the call, or of each of them" },

    /* ---- events.new */
    { .name = "origins", .where = EVENTS, .types = WPS_OPTION_STRING | WPS_OPTION_TABLE, .type = "string[]|\"*\"",
      .doc = "hosts that may send events, such as `name.webpubsub.azure.com`; \"*\": all" },
    { .name = "keys", .where = EVENTS, .types = WPS_OPTION_TABLE, .type = "string[]",
      .doc = "access keys of the service, 1 to 8: several while one is rotated" },
    { .name = "client", .where = EVENTS, .types = WPS_OPTION_ANY, .type = "webpubsub.Client",
      .doc = "whose key counts too, whichever it is when an event arrives" },
    { .name = "authorize", .where = EVENTS, .types = WPS_OPTION_FUNCTION,
      .type = "fun(request: webpubsub.events.Request): any",
      .doc = "in the place of keys and client: returns a true value where the request is the service's; may wait" },
    { .name = "connect", .where = EVENTS, .types = WPS_OPTION_FUNCTION,
      .type = "fun(event: webpubsub.events.ConnectEvent): webpubsub.events.ConnectResult",
      .doc = "may this client connect? It waits for the answer; without a handler it may" },
    { .name = "user_event", .where = EVENTS, .types = WPS_OPTION_FUNCTION | WPS_OPTION_TABLE,
      .type = "webpubsub.events.UserHandler|table<string, webpubsub.events.UserHandler>",
      .doc = "for all events that clients send, or by their names, with \"*\" for all others" },
    { .name = "connected", .where = EVENTS, .types = WPS_OPTION_FUNCTION,
      .type = "fun(event: webpubsub.events.ConnectedEvent): webpubsub.events.Rejection?",
      .doc = "the handshake is done" },
    { .name = "disconnected", .where = EVENTS, .types = WPS_OPTION_FUNCTION,
      .type = "fun(event: webpubsub.events.DisconnectedEvent): webpubsub.events.Rejection?",
      .doc = "the connection is gone" },
    { .name = "joined", .where = EVENTS, .types = WPS_OPTION_FUNCTION,
      .type = "fun(event: webpubsub.events.GroupEvent): webpubsub.events.Rejection?",
      .doc = "the connection is in a group" },
    { .name = "left", .where = EVENTS, .types = WPS_OPTION_FUNCTION,
      .type = "fun(event: webpubsub.events.GroupEvent): webpubsub.events.Rejection?", .doc = "it is no longer" },
    { .name = "unknown", .where = EVENTS, .types = WPS_OPTION_FUNCTION,
      .type = "fun(event: webpubsub.events.UnknownEvent): webpubsub.events.Rejection?",
      .doc = "for types that are newer than this library; without a handler they are answered 200" },
    { .name = "logger", .where = EVENTS, .types = WPS_OPTION_FUNCTION, .type = "fun(line: string)",
      .initial = "NGINX's error log", .doc = "is told, in one line, what a handler raised or answered wrong; what it "
      "raises itself is dropped" },
    { .name = "max_body_bytes", .where = EVENTS, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = 67108864,
      .unit = "bytes", .initial = "1048576", .doc = "of a request; more is answered 413" },

    /* ---- what handlers of events answer */
    { .name = "user", .where = CONNECT, .types = WPS_OPTION_FILLED, .doc = "the connection's user from now on" },
    { .name = "roles", .where = CONNECT, .types = WPS_OPTION_TABLE, .type = "string[]",
      .doc = "such as `webpubsub.sendToGroup.chat`" },
    { .name = "groups", .where = CONNECT, .types = WPS_OPTION_TABLE, .type = "string[]", .doc = "that it joins" },
    { .name = "subprotocol", .where = CONNECT, .types = WPS_OPTION_FILLED,
      .doc = "one of those that the client offers" },
    { .name = "mqtt", .where = CONNECT, .types = WPS_OPTION_TABLE, .type = "webpubsub.events.MqttAnswer",
      .doc = "to an MQTT client" },
    { .name = "content", .where = MESSAGE, .types = WPS_OPTION_STRING, .doc = "at most 1 MiB" },
    { .name = "content_type", .where = MESSAGE, .types = WPS_OPTION_STRING, .initial = "\"text\"",
      .doc = "\"text\", \"json\", \"binary\", or the MIME type of one of them" },
    { .name = "json", .where = MESSAGE, .types = WPS_OPTION_ANY, .type = "any",
      .doc = "a Lua value in the place of content, sent as application/json" },
    { .name = "state", .where = CONNECT | MESSAGE, .types = WPS_OPTION_TABLE, .type = "table",
      .doc = "what later events of the connection carry; at most 6,000 bytes of JSON" },
    { .name = "user_properties", .where = MQTT | REJECTION, .types = WPS_OPTION_TABLE,
      .type = "webpubsub.events.MqttUserProperty[]", .doc = "for the CONNACK packet" },
    { .name = "code", .where = REJECTION, .types = WPS_OPTION_WHOLE, .minimum = 1, .maximum = 255,
      .initial = "what fits the status", .doc = "the reason code, or the return code of MQTT 3.1.1" },
    { .name = "name", .where = PROPERTY, .types = WPS_OPTION_STRING, .doc = "of the property" },
    { .name = "value", .where = PROPERTY, .types = WPS_OPTION_STRING, .doc = "of the property" },
    { .name = NULL },
};

void wps_option_describe(const struct wps_option *option, char *text, size_t size)
{
    static const struct {
        unsigned types;
        const char *name;
    } names[] = {
        { WPS_OPTION_STRING | WPS_OPTION_FILLED, "string" }, { WPS_OPTION_NUMBER | WPS_OPTION_WHOLE, "number" },
        { WPS_OPTION_BOOLEAN, "boolean" }, { WPS_OPTION_FUNCTION, "function" }, { WPS_OPTION_TABLE, "table" },
        { WPS_OPTION_FALSE, "false" },
    };
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (option->types & names[i].types && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length ? " or " : "", names[i].name);
}

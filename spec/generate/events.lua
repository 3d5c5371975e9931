-- What webpubsub.events takes and gives, for editors.

return [[

---@class webpubsub.events.Options  hub, origins, and one of keys, client and authorize are required
---@field hub string  the hub's name; events of others are answered 404
---@field keys? string[]  access keys of the service, 1 to 8: several while one is rotated
---@field client? webpubsub.Client  whose key counts too, whichever it is when an event arrives
---@field authorize? fun(request: webpubsub.events.Request): boolean?  in the place of keys and client, such as for a
---  service without keys: is the request the service's? It may wait; what it raises is a 500
---@field origins string[]|"*"  hosts that may send events, such as `name.webpubsub.azure.com`; "*": all
---@field connect? fun(event: webpubsub.events.ConnectEvent): webpubsub.events.ConnectResult  may it connect? The client
---  waits for the answer; without a handler it may
---@field connected? fun(event: webpubsub.events.ConnectedEvent): webpubsub.events.Rejection?  the handshake is done
---@field disconnected? fun(event: webpubsub.events.DisconnectedEvent): webpubsub.events.Rejection?
---@field joined? fun(event: webpubsub.events.GroupEvent): webpubsub.events.Rejection?  a connection is in a group
---@field left? fun(event: webpubsub.events.GroupEvent): webpubsub.events.Rejection?  it is no longer
---@field user_event? webpubsub.events.UserHandler|table<string, webpubsub.events.UserHandler>  for all events that
---  clients send, or by their names, with "*" for all others
---@field unknown? fun(event: webpubsub.events.UnknownEvent): webpubsub.events.Rejection?  for types that are newer than
---  this library; without a handler they are answered 200
---@field logger? fun(line: string)  is told, in one line, which handler raised what, or what is wrong with its answer;
---  what it raises is dropped; default: NGINX's error log, and none elsewhere
---@field max_body_bytes? integer  of a request, 1 to 64 MiB; default 1 MiB; more is answered 413

---@alias webpubsub.events.ConnectResult webpubsub.events.ConnectAnswer|webpubsub.events.Rejection|nil
---@alias webpubsub.events.UserResult webpubsub.events.UserAnswer|webpubsub.events.Rejection|nil
---@alias webpubsub.events.UserHandler fun(event: webpubsub.events.UserEvent): webpubsub.events.UserResult

---@class webpubsub.events.Request  as authorize sees it
---@field method string
---@field headers table<string, string?>  in any case

---@class webpubsub.events.Event  what all events have; nothing but `connection` is covered by the signature
---@field type string  such as `azure.webpubsub.sys.connect`
---@field name string  what comes last in the type; of a user's event the client's choice
---@field id string
---@field time string  RFC 3339
---@field hub string
---@field connection string  the connection's id; of an MQTT client the id that it chose
---@field user? string
---@field subprotocol? string
---@field state? table  what the last answer with a state has set
---@field physical_connection? string  of an MQTT client
---@field session? string  of an MQTT client, but for connect

---@class webpubsub.events.ConnectEvent : webpubsub.events.Event
---@field claims table<string, string[]>  of the client's token
---@field query table<string, string[]>
---@field headers table<string, string[]>  of the client's handshake
---@field subprotocols string[]  that the client offers
---@field certificates webpubsub.events.Certificate[]  of the client
---@field mqtt? webpubsub.events.MqttConnect  of an MQTT client

---@class webpubsub.events.Certificate
---@field thumbprint string
---@field content? string  PEM

---@class webpubsub.events.MqttConnect  the CONNECT packet
---@field protocol_version integer  4: MQTT 3.1.1; 5
---@field clean_start boolean
---@field username? string
---@field password? string  its bytes
---@field user_properties webpubsub.events.MqttUserProperty[]

---@class webpubsub.events.MqttUserProperty
---@field name string
---@field value string

---@class webpubsub.events.ConnectedEvent : webpubsub.events.Event

---@class webpubsub.events.DisconnectedEvent : webpubsub.events.Event
---@field reason? string
---@field mqtt? webpubsub.events.MqttDisconnected  of an MQTT client

---@class webpubsub.events.MqttDisconnected
---@field initiated_by_client boolean
---@field disconnect_packet? { code: integer, user_properties: webpubsub.events.MqttUserProperty[] }

---@class webpubsub.events.GroupEvent : webpubsub.events.Event
---@field group string

---@class webpubsub.events.UserEvent : webpubsub.events.Event
---@field content string  as it came
---@field content_type "text"|"json"|"binary"|string  a MIME type where it is another
---@field json? any  the value, of JSON

---@class webpubsub.events.UnknownEvent : webpubsub.events.UserEvent

---@class webpubsub.events.ConnectAnswer
---@field user? string  the connection's user from now on
---@field groups? string[]  that it joins
---@field roles? string[]  such as `webpubsub.sendToGroup.chat`
---@field subprotocol? string  one of those that the client offers
---@field state? table  what later events of the connection carry; at most 6,000 bytes of JSON
---@field mqtt? { user_properties: webpubsub.events.MqttUserProperty[] }  to an MQTT client

---@class webpubsub.events.UserAnswer  content or json becomes a message to the client; without either there is none
---@field content? string  at most 1 MiB
---@field content_type? string  "text" (default), "json", "binary", or the MIME type of one of them
---@field json? any  a Lua value, sent as application/json
---@field state? table  replaces the connection's; at most 6,000 bytes of JSON

---@class webpubsub.events.Rejection  made by `webpubsub.events.reject`

---@class webpubsub.events.Handler
local events_handler = {}

--- Answers one request, whoever carries it.
---@param method string
---@param headers table<string, string|string[]>  names in any case
---@param body? string|fun(limit: integer): string?, integer?, string?  or a function that reads at most so many bytes
---  once the request is known to be the service's; nil, a status and a text refuse the request
---@return integer status
---@return table<string, string> headers
---@return string body
function events_handler:handle(method, headers, body) end

--- Answers the request at hand: without a stream NGINX's, in a content phase.
---@param stream? table  of lua-http's server
---@param headers? table  the stream's, where they have been read already
---@return true|nil  of a stream
---@return string|nil problem  why the answer did not get through
function events_handler:serve(stream, headers) end

local events = {}

--- Makes a handler; raises an `argument` error for what is wrong with the options.
---@param options webpubsub.events.Options
---@return webpubsub.events.Handler
function events.new(options) end

--- What a handler returns to refuse: a client's handshake, or a user's event, which drops its connection.
---@param status integer  400 to 599
---@param message? string  told to the client
---@param mqtt? { code?: integer, user_properties?: webpubsub.events.MqttUserProperty[] }  for MQTT clients; the reason
---  code follows from the status unless it is given
---@return webpubsub.events.Rejection
function events.reject(status, message, mqtt) end
]]

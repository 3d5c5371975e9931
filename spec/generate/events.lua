-- What webpubsub.events takes and gives, for editors.

return [[

@@events.Options@@

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

@@events.MqttUserProperty@@

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

@@events.ConnectAnswer@@

@@events.MqttAnswer@@

@@events.UserAnswer@@

@@events.MqttRejection@@

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

---@class webpubsub.events  `webpubsub.events`: the event handler of the service's upstream requests
local events = {}

--- Makes a handler; raises an `argument` error for what is wrong with the options.
---@param options webpubsub.events.Options
---@return webpubsub.events.Handler
function events.new(options) end

--- What a handler returns to refuse: a client's handshake, or a user's event, which drops its connection.
---@param status integer  400 to 599
---@param message? string  told to the client
---@param mqtt? webpubsub.events.MqttRejection  for MQTT clients
---@return webpubsub.events.Rejection
function events.reject(status, message, mqtt) end
]]

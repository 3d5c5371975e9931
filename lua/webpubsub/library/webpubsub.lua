---@meta webpubsub
-- For editors only, never loaded. Made by `make generate` from the tables of operations, options and error codes.
-- luacheck: ignore 212 241 631

---@class webpubsub  the module: `local webpubsub = require "webpubsub"`
---@field events webpubsub.events
---@field null userdata  JSON's null, in messages and in what is decoded; as an argument: none
---@field empty_array table  JSON's empty list, where an empty table would be an object
---@field _VERSION string
---@field api_version string  of the service's data plane
local webpubsub = {}

--- Makes a client. Nothing is sent; every mistake in the options is raised here, as an `argument` error.
---@param options webpubsub.Options
---@return webpubsub.Client
function webpubsub.new(options) end

--- Makes an OData filter: each `%s` of the template stands for one value, `%%` for a per cent sign.
---@param template string  such as `userId eq %s and %s in groups`
---@param ... string|number|boolean|nil  strings are quoted; whole numbers, booleans and nil (null) go as they are
---@return string filter
function webpubsub.filter(template, ...) end

--- Waits for all of the tasks; returns their first values and, where some failed, their errors, both by position.
---@param list webpubsub.Task[]
---@return table values
---@return table<integer, webpubsub.Error>|nil errors
function webpubsub.gather(list) end

--- Prints help on everything, or on one subject.
---@param subject? string  an operation's name, or "new", "context", "retry", "errors" …
function webpubsub.help(subject) end

--- Makes a function that does what `action` does, and whose errors are one line of text. For callbacks of luv, handlers
--- of NGINX and main functions in Lua 5.1, where nobody catches errors. In Lua 5.1 proper `action` cannot yield.
---@generic F: function
---@param action F
---@return F
function webpubsub.text_errors(action) end

---@class webpubsub.Options  one of: connection_string; endpoint and key; endpoint and credential
---@field connection_string? string  `Endpoint=https://…;AccessKey=…;Version=1.0;`, from the portal
---@field endpoint? string  `https://name.webpubsub.azure.com`, in the place of connection_string, with key or credential
---@field key? string  an access key, with endpoint
---@field credential? fun(request: webpubsub.CredentialRequest): string, number  returns an Entra ID token and when it expires, in seconds since the epoch; with endpoint
---@field hub string  the hub's name
---@field reverse_proxy? string  send there; requests are still signed for the endpoint
---@field allow_http? boolean  plain http to other machines, proxies among them; default false
---@field timeout? number  seconds for the whole call with all its attempts and waits; 0.001 to 86400; default 60
---@field attempt_timeout? number  seconds for one attempt; 0.001 to 86400; default 15
---@field connect_timeout? number  seconds to connect; 0.001 to 86400; default 5
---@field retries? integer  attempts after the first; 0: the request reaches the service at most once; 0 to 100; default 3
---@field retry? webpubsub.Retry  how attempts follow one another
---@field errors? "raise"|"return"  "return": failures come back as nil and the error; wrong arguments are raised in any case; default "raise"
---@field headers? table<string, string>  sent along
---@field user_agent? string  goes before the library's own
---@field policies? webpubsub.Policies  `{ per_call, per_attempt, before_send }`: functions that see and may change each request
---@field logger? fun(event: webpubsub.Event)  is told what happens; what it raises is dropped
---@field log_ids? boolean  name users, groups and connections in what the logger is told; default false
---@field ca_file? string  PEM file of the authorities to trust instead of the system's; only outside of NGINX
---@field client_cert? string  PEM file of a client certificate
---@field client_key? string  PEM file of its key
---@field client_key_password? string  of the key's file; only outside of NGINX
---@field proxy? string|false  `http://[user:password@]host:port`; false: none; default the environment's
---@field transport? webpubsub.Transport  sends in the library's place; returns the response, or nil and why there is none
---@field max_url_bytes? integer  bytes of a request; its headers, whose token repeats the URL, may have a third more; 1024 to 49152; default 12288
---@field max_response_bytes? integer  bytes of a response's body; default 1048576
---@field max_header_bytes? integer  bytes of all headers of a response; default 65536
---@field max_connections? integer  to the service; more tasks wait for their turn; 1 to 10000; default 100; only outside of NGINX
---@field idle_timeout? number  seconds for which an unused connection is kept; 0.001 to 86400; default 60
---@field max_connection_age? number  seconds after which a connection is not used again, so that a name's new address is followed; 0.001 to 86400; default 300
---@field pool_size? integer  connections of a worker; 1 to 10000; default 100; only inside NGINX
---@field backlog? integer  calls of a worker that wait for one of them; 0 to 100000; default 256; only inside NGINX
---@field max_deferred? integer  calls of a worker that `defer` queues; 1 to 100000; default 1000; only inside NGINX

---@class webpubsub.TransportRequest
---@field method string
---@field url string  complete, escaped and signed: to be sent as it is
---@field headers table<string, string>
---@field body? string
---@field timeout number  seconds
---@field once boolean  fail rather than send it again

---@alias webpubsub.TransportError string|webpubsub.TransportFailure

--- Sends one request; returns the response, or nil and why there is none.
---@alias webpubsub.Transport
---| fun(request: webpubsub.TransportRequest): webpubsub.TransportResponse?, webpubsub.TransportError?

---@class webpubsub.TransportFailure  why there is no response
---@field code? string  for `err.code`; default "failed"
---@field message? string
---@field retryable? boolean  may another attempt help? default true

---@class webpubsub.TransportResponse
---@field status integer
---@field headers? table<string, string|string[]>|string  or as lines that end with CR LF
---@field body? string

---@class webpubsub.Context  for one call alone
---@field timeout? number  seconds for the whole call with all its attempts and waits; 0.001 to 86400; default 60
---@field attempt_timeout? number  seconds for one attempt; 0.001 to 86400; default 15
---@field retries? integer  attempts after the first; 0: the request reaches the service at most once; 0 to 100; default 3
---@field retry? webpubsub.Retry  how attempts follow one another
---@field errors? "raise"|"return"  "return": failures come back as nil and the error; wrong arguments are raised in any case; default "raise"
---@field headers? table<string, string>  sent along
---@field request_id? string  the id that support can find the call by; default a UUID
---@field traceparent? string  W3C Trace Context: the trace and span that the call belongs to; sent and logged
---@field tracestate? string  goes with traceparent
---@field policies? webpubsub.Policies  `{ per_call, per_attempt, before_send }`: functions that see and may change each request
---@field cancel? fun(): boolean?  returns true to withdraw the call
---@field no_throw? boolean  a service error is returned as the response, with `response.error`; default false
---@field classify? table<integer, boolean|"retry">|fun(response: webpubsub.Response): boolean|"retry"|nil  is it an error? By status, or asked of a function

---@class webpubsub.Retry  how attempts follow one another
---@field retries? integer  attempts after the first; 0: the request reaches the service at most once; 0 to 100; default 3
---@field delay? number  seconds before the second attempt; 0 to 86400; default 0.8
---@field factor? number  by which the delay grows; 1 to 100; default 2
---@field jitter? number  the share of a delay that is left to chance; 0 to 1; default 0.2
---@field max_delay? number  seconds at most; a Retry-After may ask for more; 0 to 86400; default 60
---@field statuses? integer[]  what is tried again; default { 408, 429, 500, 502, 503, 504 }

---@class webpubsub.Policies  functions that see and may change each request
---@field per_call? webpubsub.Policy|webpubsub.Policy[]  once, before the first attempt
---@field per_attempt? webpubsub.Policy|webpubsub.Policy[]  before each attempt is signed
---@field before_send? webpubsub.Policy|webpubsub.Policy[]  when the request is signed

---@alias webpubsub.Policy fun(request: webpubsub.Request)

---@class webpubsub.Request  as a policy sees it
---@field operation string
---@field method string
---@field url string
---@field body string
---@field attempt integer
---@field request_id string
---@field headers table<string, string?>  in any case; assignable, nil removes
---@field add_query fun(self: webpubsub.Request, name: string, value: string)  until the request is signed
---@field all_headers fun(self: webpubsub.Request): table<string, string>  names in lower case

---@class webpubsub.CredentialRequest
---@field scopes string[]
---@field claims? string  JSON that the token must carry, after the service asked for it

---@class webpubsub.Event
---@field type "request"|"response"|"failure"|"retry"|"error"
---@field operation string
---@field request_id string
---@field attempt integer  from 1
---@field method? string  of a request
---@field status? integer  of a response or an error
---@field elapsed? number  seconds
---@field wait? number  seconds until the next attempt
---@field kind? string  of a failure or an error
---@field code? string  of a failure or an error
---@field traceparent? string  as it is sent
---@field tracestate? string
---@field attributes webpubsub.EventAttributes  the same under OpenTelemetry's names, for an exporter

---@class webpubsub.EventAttributes
---@field ["http.request.method"] string
---@field ["http.request.resend_count"]? integer  of the second attempt and later ones
---@field ["http.response.status_code"]? integer
---@field ["error.type"]? string  a status of 400 and above, or an error's code
---@field ["server.address"] string
---@field ["server.port"] integer

---@class webpubsub.Response
---@field status integer
---@field reason string
---@field headers table<string, string?>  in any case
---@field body string  of an error at most 64 KiB
---@field body_bytes? integer  of an error whose body is cut: how many bytes came
---@field is_error boolean
---@field error? webpubsub.Error  with no_throw
---@field operation string
---@field request_id string  the client's own, which the service's support asks for
---@field attempts integer
---@field elapsed number  seconds
---@field exists? boolean  of an operation that asks
---@field token? string  of `generate_client_token`

---@alias webpubsub.ErrorCode string
---| "empty" # argument: something is empty that must not be
---| "invalid" # argument: a value is out of range, malformed, or does not go with the others
---| "mismatch" # argument: a certificate and a key do not belong together
---| "missing" # argument: something that is required is not given
---| "no_certificate" # argument: a file holds no certificate
---| "no_key" # argument: a file holds no private key
---| "phase" # argument: NGINX cannot wait in this phase
---| "type" # argument: a value is of another type
---| "unfinished" # argument: the result of a task that is not over
---| "unknown" # argument: there is no such argument, option, operation or method
---| "unreadable" # argument: a file cannot be read
---| "unsupported" # argument: this cannot be done where the program runs
---| "wrong" # argument: a password does not open its file
---| "arc_challenge" # credential: Azure Arc asks for a proof that cannot be given
---| "claims" # credential: the service asks for claims that this credential cannot bring
---| "credential" # credential: a credential function has failed, or returned no token and expiry
---| "expired" # credential: the certificate is no longer valid
---| "file" # credential: a file of the credential cannot be read
---| "malformed" # credential: what should bring a token answered something else
---| "not_installed" # credential: the program that would bring a token is not in PATH
---| "not_yet_valid" # credential: the certificate is not valid yet
---| "program" # credential: the program that would bring a token has failed
---| "proof" # credential: a proof of identity is empty or has control bytes
---| "random" # credential: OpenSSL has no random bytes
---| "refused" # credential: the identity provider refuses, without saying why
---| "signing" # credential: OpenSSL cannot sign
---| "busy" # transport: too many calls wait in this process
---| "certificate" # transport: the server's certificate is not trusted, for another name, or expired
---| "closed" # transport: the connection was closed before the whole response was there
---| "connect" # transport: no connection could be made
---| "descriptors" # transport: the process has no file descriptors left
---| "failed" # transport: the exchange broke for another reason
---| "forked" # transport: the call was started before fork(): the parent process sends it
---| "proxy" # transport: the proxy could not be reached, or refuses
---| "resolve" # transport: the host's name could not be resolved
---| "tls" # transport: no TLS session could be agreed on
---| "attempt_timeout" # timeout: no complete response within attempt_timeout
---| "connect_timeout" # timeout: no connection within connect_timeout
---| "deadline" # timeout: the call's timeout has passed, with all its attempts
---| "queue_timeout" # timeout: no connection came free within the call's timeout
---| "cancelled" # cancelled: by task:cancel() or context.cancel
---| "exiting" # cancelled: the NGINX worker shuts down
---| "foreign_link" # protocol: a link to the next page leads elsewhere; it was not followed
---| "repeated_link" # protocol: a link to the next page leads to one that was listed already
---| "too_large" # protocol: the response is longer than max_response_bytes or max_header_bytes

---@class webpubsub.Error  raised by every operation; prints as one or two lines without secrets
---@field kind "argument"|"credential"|"transport"|"timeout"|"cancelled"|"protocol"|"service"
---@field code webpubsub.ErrorCode  of a service error its own, such as `Error.Connection.NotExisted`
---@field message string
---@field argument? string  the one that is wrong
---@field where? string  of an argument error: file and line of the program's call, `game.lua:12`
---@field operation? string
---@field request_id? string
---@field attempts? integer
---@field elapsed? number  seconds
---@field retryable boolean
---@field status? integer  of a service error
---@field target? string  of a service error
---@field details? webpubsub.ErrorDetail[]  of a service error, at most 100
---@field omitted_details? integer  of a service error: how many more there were
---@field inner? table  of a service error: `code`, and `inner` again
---@field retry_after? number  seconds the service asked to wait
---@field response? webpubsub.Response  of a service error

---@class webpubsub.ErrorDetail
---@field code? string
---@field message? string
---@field target? string
---@field details? webpubsub.ErrorDetail[]

---@class webpubsub.Member  of a group
---@field connection string
---@field user? string

---@class webpubsub.Page
---@field items webpubsub.Member[]
---@field continuation_token? string  where a later listing can go on; nil on the last page
---@field response webpubsub.Response

---@class webpubsub.Members  call it for the next member, as `for member in members do … end` does
---@field continuation_token? string  after a page
---@field error? webpubsub.Error  with errors = "return": what has ended the loop
---@field pages fun(self: webpubsub.Members): fun(members: webpubsub.Members): webpubsub.Page?, webpubsub.Members
---@overload fun(): webpubsub.Member?

---@class webpubsub.Task  a call that does not wait
---@field done fun(self: webpubsub.Task): boolean  is it over?
---@field await fun(self: webpubsub.Task): webpubsub.Response  waits for the end; raises what the method itself would
---@field result fun(self: webpubsub.Task): webpubsub.Response?, webpubsub.Error?  of a task that is over: what the
---  method returns, or nil and its error
---@field cancel fun(self: webpubsub.Task)  withdraws it: it then ends with a `cancelled` error
---@field on_done fun(self: webpubsub.Task, callback: fun(response: webpubsub.Response?, err: webpubsub.Error?))
---  has the callback called at its end, with its result

---@alias webpubsub.QuestionCallback fun(exists: boolean?, response: webpubsub.Response|webpubsub.Error)

---@class webpubsub.QuestionTask : webpubsub.Task
---@field await fun(self: webpubsub.QuestionTask): boolean, webpubsub.Response
---@field result fun(self: webpubsub.QuestionTask): boolean?, webpubsub.Response|webpubsub.Error
---@field on_done fun(self: webpubsub.QuestionTask, callback: webpubsub.QuestionCallback)

---@class webpubsub.PageTask : webpubsub.Task
---@field await fun(self: webpubsub.PageTask): webpubsub.Page
---@field result fun(self: webpubsub.PageTask): webpubsub.Page?, webpubsub.Error?
---@field on_done fun(self: webpubsub.PageTask, callback: fun(page: webpubsub.Page?, err: webpubsub.Error?))

---@class webpubsub.AccessArguments
---@field user? string  who connects
---@field roles? string[]  such as `webpubsub.sendToGroup.chat`
---@field groups? string[]  that the client joins when it connects
---@field expires_in? number  seconds for which the token is good to connect with; 1 to 315360000; default 3600
---@field protocol? "default"|"mqtt"|"socketio"  that the client speaks; default "default"
---@field context? webpubsub.Context  of the call, or of each of them

---@class webpubsub.EachOptions
---@field concurrency? integer  calls at a time; 1 to 256; default 16
---@field on_result? fun(result: webpubsub.Result)  is told of each call as it finishes
---@field shard? { [1]: integer, [2]: integer }  `{ i, n }`: only the items of the i-th of n processes, by a hash of the operation's one required argument that is the same on every machine
---@field stop_on_error? boolean  begin no more calls after a failure; default false
---@field context? webpubsub.Context  of the call, or of each of them

---@class webpubsub.Result
---@field index integer  of the item among all that were given, from 1
---@field arguments table
---@field response? webpubsub.Response
---@field error? webpubsub.Error

---@class webpubsub.Summary
---@field total integer  items that were begun
---@field succeeded integer
---@field failed integer
---@field failures webpubsub.Result[]  without responses
---@field completed_through integer  the items up to this one are all finished, or another process's;
---  none was withdrawn by a cancellation
---@field elapsed number  seconds
---@field rate number  calls a second
---@field cancelled? boolean  by `context.cancel`
---@field interrupted? boolean  by Ctrl-C

---@class webpubsub.DeferredCounts
---@field queued integer  calls that are not over
---@field sent integer  calls that succeeded
---@field failed integer
---@field dropped integer  calls that found the queue full, or the worker's end
---@field last_error? string  of those that failed

---@class webpubsub.Client
local client = {}

--- Replaces the access key; calls sign with the new one from their next attempt on.
---@param key string
function client:set_key(key) end

--- A URL with which a WebSocket client connects, and the token that is in it.
---@param arguments? webpubsub.AccessArguments
---@return string url
---@return string token
function client:client_access_url(arguments) end

--- Calls one operation for many items, several at a time.
---@param operation string  its name
---@param items table|fun(): any  argument tables, or strings for the operation's one required argument
---@param options? webpubsub.EachOptions
---@return webpubsub.Summary
function client:each(operation, items, options) end

--- Lets the client's tasks go on.
---@param seconds? number  to wait for one that can; 0, the default: not at all
---@return integer count  how many went on
function client:poll(seconds) end

--- How many of the client's tasks are not over.
---@return integer
function client:pending() end

--- For event loops: a descriptor that becomes readable when `poll(0)` has something to do.
---@return integer
function client:pollfd() end

--- The events to wait for on that descriptor, as cqueues writes them.
---@return string
function client:events() end

--- When `poll(0)` is due whatever the descriptor says.
---@return number|nil seconds
function client:timeout() end

--- Has luv's loop drive the client's tasks; what it returns detaches it again.
---@return { close: fun(self) }
function client:attach_luv() end

--- Inside NGINX, for phases that cannot wait (log, header and body filters): checks the arguments, queues the call and
--- returns at once. A timer makes the queued calls, a few at a time; a worker that ends goes on for 5 seconds.
---@param operation string  its name
---@param arguments? table
---@return boolean taken  false: the queue is full
function client:defer(operation, arguments) end

--- What became of the calls that were deferred in this worker.
---@return webpubsub.DeferredCounts
function client:deferred() end

---@class webpubsub.events.Options  hub, origins, and one of keys, client and authorize are required
---@field hub string  the hub's name
---@field origins string[]|"*"  hosts that may send events, such as `name.webpubsub.azure.com`; "*": all
---@field keys? string[]  access keys of the service, 1 to 8: several while one is rotated
---@field client? webpubsub.Client  whose key counts too, whichever it is when an event arrives
---@field authorize? fun(request: webpubsub.events.Request): any  in the place of keys and client: returns a true value where the request is the service's; may wait
---@field connect? fun(event: webpubsub.events.ConnectEvent): webpubsub.events.ConnectResult  may this client connect? It waits for the answer; without a handler it may
---@field user_event? webpubsub.events.UserHandler|table<string, webpubsub.events.UserHandler>  for all events that clients send, or by their names, with "*" for all others
---@field connected? fun(event: webpubsub.events.ConnectedEvent): webpubsub.events.Rejection?  the handshake is done
---@field disconnected? fun(event: webpubsub.events.DisconnectedEvent): webpubsub.events.Rejection?  the connection is gone
---@field joined? fun(event: webpubsub.events.GroupEvent): webpubsub.events.Rejection?  the connection is in a group
---@field left? fun(event: webpubsub.events.GroupEvent): webpubsub.events.Rejection?  it is no longer
---@field unknown? fun(event: webpubsub.events.UnknownEvent): webpubsub.events.Rejection?  for types that are newer than this library; without a handler they are answered 200
---@field logger? fun(line: string)  is told, in one line, what a handler raised or answered wrong; what it raises itself is dropped; default NGINX's error log
---@field max_body_bytes? integer  bytes of a request; more is answered 413; 1 to 67108864; default 1048576

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
---@field name string  of the property
---@field value string  of the property

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
---@field roles? string[]  such as `webpubsub.sendToGroup.chat`
---@field groups? string[]  that it joins
---@field subprotocol? string  one of those that the client offers
---@field mqtt? webpubsub.events.MqttAnswer  to an MQTT client
---@field state? table  what later events of the connection carry; at most 6,000 bytes of JSON

---@class webpubsub.events.MqttAnswer
---@field user_properties? webpubsub.events.MqttUserProperty[]  for the CONNACK packet

---@class webpubsub.events.UserAnswer  content or json is a message to the client; without them there is none
---@field content? string  at most 1 MiB
---@field content_type? string  "text", "json", "binary", or the MIME type of one of them; default "text"
---@field json? any  a Lua value in the place of content, sent as application/json
---@field state? table  what later events of the connection carry; at most 6,000 bytes of JSON

---@class webpubsub.events.MqttRejection
---@field user_properties? webpubsub.events.MqttUserProperty[]  for the CONNACK packet
---@field code? integer  the reason code, or the return code of MQTT 3.1.1; 1 to 255; default what fits the status

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

---@class webpubsub.ServiceStatus
---@field context? webpubsub.Context

--- Asks whether the service is healthy; needs no key.
---@param arguments? webpubsub.ServiceStatus
---@return webpubsub.Response response
function client:service_status(arguments) end

--- The same as a task.
---@param arguments? webpubsub.ServiceStatus
---@return webpubsub.Task
function client:service_status_async(arguments) end

---@class webpubsub.CloseAllConnections
---@field excluded? string[]  connection ids to leave out, matched exactly; about 11 KiB of them fit into a URL
---@field reason? string  why, told to the clients that are closed
---@field context? webpubsub.Context

--- Closes every connection of the hub.
---@param arguments? webpubsub.CloseAllConnections
---@return webpubsub.Response response
function client:close_all_connections(arguments) end

--- The same as a task.
---@param arguments? webpubsub.CloseAllConnections
---@return webpubsub.Task
function client:close_all_connections_async(arguments) end

---@class webpubsub.CloseUserConnections
---@field user string  the user's id
---@field excluded? string[]  connection ids to leave out, matched exactly; about 11 KiB of them fit into a URL
---@field reason? string  why, told to the clients that are closed
---@field context? webpubsub.Context

--- Closes the connections of one user; succeeds for a user that has none.
---@param arguments webpubsub.CloseUserConnections
---@return webpubsub.Response response
function client:close_user_connections(arguments) end

--- The same as a task.
---@param arguments webpubsub.CloseUserConnections
---@return webpubsub.Task
function client:close_user_connections_async(arguments) end

---@class webpubsub.CloseGroupConnections
---@field group string  the group's name, 1 to 1024 characters
---@field excluded? string[]  connection ids to leave out, matched exactly; about 11 KiB of them fit into a URL
---@field reason? string  why, told to the clients that are closed
---@field context? webpubsub.Context

--- Closes the connections in one group.
---@param arguments webpubsub.CloseGroupConnections
---@return webpubsub.Response response
function client:close_group_connections(arguments) end

--- The same as a task.
---@param arguments webpubsub.CloseGroupConnections
---@return webpubsub.Task
function client:close_group_connections_async(arguments) end

---@class webpubsub.CloseConnection
---@field connection string  the connection's id
---@field reason? string  why, told to the clients that are closed
---@field context? webpubsub.Context

--- Closes one connection; succeeds for one that does not exist.
---@param arguments webpubsub.CloseConnection
---@return webpubsub.Response response
function client:close_connection(arguments) end

--- The same as a task.
---@param arguments webpubsub.CloseConnection
---@return webpubsub.Task
function client:close_connection_async(arguments) end

---@class webpubsub.ConnectionExists
---@field connection string  the connection's id
---@field context? webpubsub.Context

--- Is there a connection with this id?
---@param arguments webpubsub.ConnectionExists
---@return boolean exists
---@return webpubsub.Response response
function client:connection_exists(arguments) end

--- The same as a task.
---@param arguments webpubsub.ConnectionExists
---@return webpubsub.QuestionTask
function client:connection_exists_async(arguments) end

---@class webpubsub.UserExists
---@field user string  the user's id
---@field context? webpubsub.Context

--- Has this user any connection?
---@param arguments webpubsub.UserExists
---@return boolean exists
---@return webpubsub.Response response
function client:user_exists(arguments) end

--- The same as a task.
---@param arguments webpubsub.UserExists
---@return webpubsub.QuestionTask
function client:user_exists_async(arguments) end

---@class webpubsub.GroupExists
---@field group string  the group's name, 1 to 1024 characters
---@field context? webpubsub.Context

--- Is any connection in this group?
---@param arguments webpubsub.GroupExists
---@return boolean exists
---@return webpubsub.Response response
function client:group_exists(arguments) end

--- The same as a task.
---@param arguments webpubsub.GroupExists
---@return webpubsub.QuestionTask
function client:group_exists_async(arguments) end

---@class webpubsub.SendToAll
---@field excluded? string[]  connection ids to leave out, matched exactly; about 11 KiB of them fit into a URL
---@field filter? string  an OData expression that chooses the receivers
---@field ttl? integer  seconds the service may keep the message for a slow client, 0 to 300
---@field content? string  the message, at most 1 MiB; or give json
---@field json? any  the message as a Lua value, sent as application/json
---@field content_type? string  "text" (default), "json", "binary", or the MIME type of one of them
---@field context? webpubsub.Context

--- Sends a message to every connection of the hub.
---@param arguments webpubsub.SendToAll
---@return webpubsub.Response response
function client:send_to_all(arguments) end

--- The same as a task.
---@param arguments webpubsub.SendToAll
---@return webpubsub.Task
function client:send_to_all_async(arguments) end

---@class webpubsub.SendToUser
---@field user string  the user's id
---@field filter? string  an OData expression that chooses the receivers
---@field ttl? integer  seconds the service may keep the message for a slow client, 0 to 300
---@field content? string  the message, at most 1 MiB; or give json
---@field json? any  the message as a Lua value, sent as application/json
---@field content_type? string  "text" (default), "json", "binary", or the MIME type of one of them
---@field context? webpubsub.Context

--- Sends a message to the connections of one user.
---@param arguments webpubsub.SendToUser
---@return webpubsub.Response response
function client:send_to_user(arguments) end

--- The same as a task.
---@param arguments webpubsub.SendToUser
---@return webpubsub.Task
function client:send_to_user_async(arguments) end

---@class webpubsub.SendToGroup
---@field group string  the group's name, 1 to 1024 characters
---@field excluded? string[]  connection ids to leave out, matched exactly; about 11 KiB of them fit into a URL
---@field filter? string  an OData expression that chooses the receivers
---@field ttl? integer  seconds the service may keep the message for a slow client, 0 to 300
---@field content? string  the message, at most 1 MiB; or give json
---@field json? any  the message as a Lua value, sent as application/json
---@field content_type? string  "text" (default), "json", "binary", or the MIME type of one of them
---@field context? webpubsub.Context

--- Sends a message to the connections in one group.
---@param arguments webpubsub.SendToGroup
---@return webpubsub.Response response
function client:send_to_group(arguments) end

--- The same as a task.
---@param arguments webpubsub.SendToGroup
---@return webpubsub.Task
function client:send_to_group_async(arguments) end

---@class webpubsub.SendToConnection
---@field connection string  the connection's id
---@field ttl? integer  seconds the service may keep the message for a slow client, 0 to 300
---@field content? string  the message, at most 1 MiB; or give json
---@field json? any  the message as a Lua value, sent as application/json
---@field content_type? string  "text" (default), "json", "binary", or the MIME type of one of them
---@field context? webpubsub.Context

--- Sends a message to one connection; is accepted for one that does not exist.
---@param arguments webpubsub.SendToConnection
---@return webpubsub.Response response
function client:send_to_connection(arguments) end

--- The same as a task.
---@param arguments webpubsub.SendToConnection
---@return webpubsub.Task
function client:send_to_connection_async(arguments) end

---@class webpubsub.AddConnectionToGroup
---@field group string  the group's name, 1 to 1024 characters
---@field connection string  the connection's id
---@field context? webpubsub.Context

--- Puts one connection into a group; an unknown connection is an error.
---@param arguments webpubsub.AddConnectionToGroup
---@return webpubsub.Response response
function client:add_connection_to_group(arguments) end

--- The same as a task.
---@param arguments webpubsub.AddConnectionToGroup
---@return webpubsub.Task
function client:add_connection_to_group_async(arguments) end

---@class webpubsub.RemoveConnectionFromGroup
---@field group string  the group's name, 1 to 1024 characters
---@field connection string  the connection's id
---@field context? webpubsub.Context

--- Takes one connection out of a group.
---@param arguments webpubsub.RemoveConnectionFromGroup
---@return webpubsub.Response response
function client:remove_connection_from_group(arguments) end

--- The same as a task.
---@param arguments webpubsub.RemoveConnectionFromGroup
---@return webpubsub.Task
function client:remove_connection_from_group_async(arguments) end

---@class webpubsub.RemoveConnectionFromAllGroups
---@field connection string  the connection's id
---@field context? webpubsub.Context

--- Takes one connection out of every group.
---@param arguments webpubsub.RemoveConnectionFromAllGroups
---@return webpubsub.Response response
function client:remove_connection_from_all_groups(arguments) end

--- The same as a task.
---@param arguments webpubsub.RemoveConnectionFromAllGroups
---@return webpubsub.Task
function client:remove_connection_from_all_groups_async(arguments) end

---@class webpubsub.AddUserToGroup
---@field user string  the user's id
---@field group string  the group's name, 1 to 1024 characters
---@field context? webpubsub.Context

--- Puts a user's connections into a group; an unknown user is an error.
---@param arguments webpubsub.AddUserToGroup
---@return webpubsub.Response response
function client:add_user_to_group(arguments) end

--- The same as a task.
---@param arguments webpubsub.AddUserToGroup
---@return webpubsub.Task
function client:add_user_to_group_async(arguments) end

---@class webpubsub.RemoveUserFromGroup
---@field user string  the user's id
---@field group string  the group's name, 1 to 1024 characters
---@field context? webpubsub.Context

--- Takes a user's connections out of a group.
---@param arguments webpubsub.RemoveUserFromGroup
---@return webpubsub.Response response
function client:remove_user_from_group(arguments) end

--- The same as a task.
---@param arguments webpubsub.RemoveUserFromGroup
---@return webpubsub.Task
function client:remove_user_from_group_async(arguments) end

---@class webpubsub.RemoveUserFromAllGroups
---@field user string  the user's id
---@field context? webpubsub.Context

--- Takes a user's connections out of every group.
---@param arguments webpubsub.RemoveUserFromAllGroups
---@return webpubsub.Response response
function client:remove_user_from_all_groups(arguments) end

--- The same as a task.
---@param arguments webpubsub.RemoveUserFromAllGroups
---@return webpubsub.Task
function client:remove_user_from_all_groups_async(arguments) end

---@class webpubsub.AddConnectionsToGroups
---@field groups string[]  names of groups
---@field filter? string  an OData expression that chooses the connections; all of the hub without it
---@field context? webpubsub.Context

--- Puts the connections that a filter chooses into groups.
---@param arguments webpubsub.AddConnectionsToGroups
---@return webpubsub.Response response
function client:add_connections_to_groups(arguments) end

--- The same as a task.
---@param arguments webpubsub.AddConnectionsToGroups
---@return webpubsub.Task
function client:add_connections_to_groups_async(arguments) end

---@class webpubsub.RemoveConnectionsFromGroups
---@field groups string[]  names of groups
---@field filter? string  an OData expression that chooses the connections; all of the hub without it
---@field context? webpubsub.Context

--- Takes the connections that a filter chooses out of groups.
---@param arguments webpubsub.RemoveConnectionsFromGroups
---@return webpubsub.Response response
function client:remove_connections_from_groups(arguments) end

--- The same as a task.
---@param arguments webpubsub.RemoveConnectionsFromGroups
---@return webpubsub.Task
function client:remove_connections_from_groups_async(arguments) end

---@class webpubsub.ListConnectionsInGroup
---@field group string  the group's name, 1 to 1024 characters
---@field page_size? integer  connections in one page, 1 to 200
---@field limit? integer  connections in all, at least 1
---@field continuation_token? string  where an earlier listing stopped
---@field context? webpubsub.Context

--- Lists the connections in a group, page by page.
---@param arguments webpubsub.ListConnectionsInGroup
---@return webpubsub.Members members
function client:list_connections_in_group(arguments) end

--- The same as a task.
---@param arguments webpubsub.ListConnectionsInGroup
---@return webpubsub.PageTask
function client:list_connections_in_group_async(arguments) end

---@class webpubsub.GrantPermission
---@field permission "sendToGroup"|"joinLeaveGroup"  "sendToGroup" or "joinLeaveGroup"
---@field connection string  the connection's id
---@field target_name? string  the group the permission is for; all groups without it
---@field context? webpubsub.Context

--- Lets a connection join, leave or send to groups itself; an unknown connection is an error.
---@param arguments webpubsub.GrantPermission
---@return webpubsub.Response response
function client:grant_permission(arguments) end

--- The same as a task.
---@param arguments webpubsub.GrantPermission
---@return webpubsub.Task
function client:grant_permission_async(arguments) end

---@class webpubsub.RevokePermission
---@field permission "sendToGroup"|"joinLeaveGroup"  "sendToGroup" or "joinLeaveGroup"
---@field connection string  the connection's id
---@field target_name string  the group the permission is for
---@field context? webpubsub.Context

--- Takes a permission for one group from a connection.
---@param arguments webpubsub.RevokePermission
---@return webpubsub.Response response
function client:revoke_permission(arguments) end

--- The same as a task.
---@param arguments webpubsub.RevokePermission
---@return webpubsub.Task
function client:revoke_permission_async(arguments) end

---@class webpubsub.CheckPermission
---@field permission "sendToGroup"|"joinLeaveGroup"  "sendToGroup" or "joinLeaveGroup"
---@field connection string  the connection's id
---@field target_name? string  the group the permission is for; all groups without it
---@field context? webpubsub.Context

--- Has the connection this permission?
---@param arguments webpubsub.CheckPermission
---@return boolean exists
---@return webpubsub.Response response
function client:check_permission(arguments) end

--- The same as a task.
---@param arguments webpubsub.CheckPermission
---@return webpubsub.QuestionTask
function client:check_permission_async(arguments) end

---@class webpubsub.GenerateClientToken
---@field user? string  the user's id in the token
---@field roles? string[]  roles in the token, such as webpubsub.sendToGroup.chat
---@field groups? string[]  groups that the client joins when it connects
---@field minutes_to_expire? integer  minutes the token is valid, 60 by default
---@field client_type? "Default"|"MQTT"|"socketio"  "Default", "MQTT" or "socketio"
---@field context? webpubsub.Context

--- Has the service make a token with which a client may connect.
---@param arguments? webpubsub.GenerateClientToken
---@return webpubsub.Response response  with `token`
function client:generate_client_token(arguments) end

--- The same as a task.
---@param arguments? webpubsub.GenerateClientToken
---@return webpubsub.Task
function client:generate_client_token_async(arguments) end

return webpubsub

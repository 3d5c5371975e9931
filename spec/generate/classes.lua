-- The classes that are not made from the operations table: what the client takes and gives, for editors.

return [[
---@class webpubsub.Options  one of: connection_string; endpoint and key; endpoint and credential
---@field connection_string? string  `Endpoint=https://…;AccessKey=…;Version=1.0;`
---@field endpoint? string  `https://name.webpubsub.azure.com`
---@field key? string  an access key, with endpoint
---@field credential? fun(request: webpubsub.CredentialRequest): string, number  returns an Entra ID token and when it
---  expires, in seconds since the epoch; with endpoint
---@field hub string  the hub's name
---@field reverse_proxy? string  send there; requests are still signed for the endpoint
---@field allow_http? boolean  plain http to other machines; default false
---@field timeout? number  seconds for one call with all its attempts and waits; default 60
---@field attempt_timeout? number  seconds for one attempt; default 15
---@field connect_timeout? number  seconds to connect; default 5
---@field retries? integer  attempts after the first, 0 to 100; default 3
---@field retry? webpubsub.Retry
---@field errors? "raise"|"return"  what becomes of failures: they are raised, or methods return nil and the error;
---  wrong arguments are raised in any case; default "raise"
---@field headers? table<string, string>  sent with each request
---@field user_agent? string  goes before the library's own
---@field policies? webpubsub.Policies
---@field logger? fun(event: webpubsub.Event)  is told what happens; what it raises is dropped
---@field log_ids? boolean  name users, groups and connections in events; default false
---@field ca_file? string  PEM file of the authorities to trust instead of the system's
---@field client_cert? string  PEM file
---@field client_key? string  PEM file
---@field client_key_password? string
---@field proxy? string|false  `http://host:port`; false: none, not even the environment's
---@field http2? boolean  use HTTP/2 where the server offers it; default true
---@field max_response_bytes? integer  of a body; default 1 MiB
---@field max_header_bytes? integer  of all headers of a response; default 64 KiB
---@field max_connections? integer  to the service, for the client's tasks, of which more wait, 1 to 10000; default 100
---@field transport? webpubsub.Transport  sends in the library's stead
---@field pool_size? integer  inside NGINX: connections of a worker, 1 to 10000; default 100
---@field backlog? integer  inside NGINX: calls of a worker that wait for one of them, 0 to 100000; default 256
---@field max_deferred? integer  inside NGINX: calls of a worker that `defer` queues, 1 to 100000; default 1000

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
---@field timeout? number  seconds for the whole call, waits included
---@field attempt_timeout? number  seconds for one attempt
---@field retries? integer  attempts after the first, 0 to 100
---@field retry? webpubsub.Retry
---@field headers? table<string, string>  sent along
---@field request_id? string  the id that support can find the call by; a UUID by default
---@field cancel? fun(): boolean?  returns true to withdraw the call
---@field errors? "raise"|"return"  as for the client
---@field no_throw? boolean  a service error is returned as the response, with `response.error`
---@field classify? table<integer, boolean|"retry">|fun(response: webpubsub.Response): boolean|"retry"|nil
---  is it an error? By status, or asked of a function
---@field policies? webpubsub.Policies

---@class webpubsub.Retry
---@field retries? integer  attempts after the first, 0 to 100; default 3
---@field delay? number  seconds before the second attempt; default 0.8
---@field factor? number  by which the delay grows; default 2
---@field jitter? number  the share of a delay that is left to chance, 0 to 1; default 0.2
---@field max_delay? number  seconds; default 60
---@field statuses? integer[]  what is tried again; default 408, 429, 500, 502, 503, 504

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
---@field attempt integer
---@field method? string  of a request
---@field status? integer  of a response or an error
---@field elapsed? number  seconds
---@field wait? number  seconds until the next attempt
---@field kind? string  of a failure or an error
---@field code? string  of a failure or an error

---@class webpubsub.Response
---@field status integer
---@field reason string
---@field headers table<string, string?>  in any case
---@field body string
---@field is_error boolean
---@field error? webpubsub.Error  with no_throw
---@field operation string
---@field request_id string  the client's own, which the service's support asks for
---@field attempts integer
---@field elapsed number  seconds
---@field exists? boolean  of an operation that asks
---@field token? string  of `generate_client_token`

---@class webpubsub.Error  raised by every operation; prints as one line without secrets
---@field kind "argument"|"credential"|"transport"|"timeout"|"cancelled"|"protocol"|"service"
---@field code string
---@field message string
---@field argument? string  the one that is wrong
---@field operation? string
---@field request_id? string
---@field attempts? integer
---@field elapsed? number  seconds
---@field retryable boolean
---@field status? integer  of a service error
---@field target? string  of a service error
---@field details? webpubsub.ErrorDetail[]  of a service error
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
---@field user? string
---@field roles? string[]  such as `webpubsub.sendToGroup.chat`
---@field groups? string[]  that the client joins when it connects
---@field expires_in? number  seconds the token is good to connect with; default 3600
---@field protocol? "default"|"mqtt"|"socketio"
---@field context? webpubsub.Context

---@class webpubsub.EachOptions
---@field concurrency? integer  calls at a time, 1 to 256; default 16
---@field on_result? fun(result: webpubsub.Result)  as each call finishes
---@field stop_on_error? boolean  begin no more calls after a failure; default false
---@field context? webpubsub.Context  of each call

---@class webpubsub.Result
---@field index integer  of the item, from 1
---@field arguments table
---@field response? webpubsub.Response
---@field error? webpubsub.Error

---@class webpubsub.Summary
---@field total integer  items that were begun
---@field succeeded integer
---@field failed integer
---@field failures webpubsub.Result[]  without responses
---@field completed_through integer  the items up to this one are all finished, none was withdrawn by a cancellation
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
]]

-- The classes that are not made from the operations table: what the client takes and gives, for editors.

return [[
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

@@Options@@

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

@@Context@@

@@Retry@@

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

@@ErrorCode@@

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

@@AccessArguments@@

@@EachOptions@@

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
]]

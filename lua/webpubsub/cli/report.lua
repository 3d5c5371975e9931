--- What the command line prints: short lines for people, or one JSON document a line for programs.
--
-- Results go to standard output, errors and progress to standard error.

local exits = require "webpubsub.cli.exits"
local json = require "webpubsub.cli.json"
local log = require "webpubsub.log"
local terminal = require "webpubsub.cli.terminal"
local words = require "webpubsub.cli.words"

local report = {}

local printable = terminal.printable

local output_problem

-- A line to standard output, at once: who reads a pipe may wait for it.
local function put(line)
  local written, why = io.stdout:write(line, "\n")
  if written then written, why = io.stdout:flush() end
  if not written then output_problem = output_problem or why end
end

local function print_json(file, document)
  local line = json.encode(document)
  if file == io.stdout then put(line) else file:write(line, "\n") end
end

-- A line to standard error, as it may be shown in a terminal. Where that fails, the exit code has to do.
local function complain(line)
  io.stderr:write(printable(line), "\n")
end

-- An error, which may have a second line that tells its cause.
local function complain_of(err, before)
  local text = tostring(words.translate(err))
  if before then text = before .. text:gsub("^webpubsub: ", "") end
  for line in text:gmatch "[^\n]+" do complain(line) end
end

-- What a call that went well has done, by the first word of its operation.
local done = {
  close = "closed", send = "sent", add = "added", remove = "removed", grant = "granted", revoke = "revoked",
  service = "healthy",
}

--- One word for what an operation has done.
---@param operation table  a row of the operations table
function report.done(operation)
  return operation.result == "exists" and "asked" or done[operation.name:match "^%a+"] or "done"
end

-- ---------------------------------------------------------------- results

local function yes_or_no(answer)
  return answer and "yes" or "no"
end

-- What a program wants to know of a response.
local function response_document(response)
  return {
    operation = response.operation,
    status = response.status,
    reason = response.reason,
    request_id = response.request_id,
    attempts = response.attempts,
    elapsed = response.elapsed,
    exists = response.exists,
    token = response.token,
  }
end

--- Prints the result of one call.
---@param operation table
---@param response webpubsub.Response
---@param as_json boolean|nil
---@return integer exit_code
function report.response(operation, response, as_json)
  if as_json then
    print_json(io.stdout, response_document(response))
  elseif operation.result == "exists" then
    put(yes_or_no(response.exists))
  elseif operation.result == "token" then
    put(printable(response.token))
  else
    put(("%s: %d %s"):format(report.done(operation), response.status, printable(response.reason)))
  end
  return response.exists == false and exits.NO or exits.OK
end

--- Prints the URL with which a client connects.
function report.url(url, token, as_json)
  if as_json then
    print_json(io.stdout, { url = url, token = token })
  else
    put(printable(url))
  end
end

--- Prints a listing page by page; columns are as wide as the widest connection so far.
---@param pages fun(): table|nil
function report.members(pages, state, as_json)
  local width = #"CONNECTION"
  local function row(connection, user)
    local shown = printable(connection)
    put(shown .. (user and (" "):rep(width - #shown + 2) .. printable(user) or ""))
  end
  local headed = as_json
  for page in pages, state do
    if output_problem then return end
    for _, member in ipairs(page.items) do width = math.max(width, #printable(member.connection)) end
    if not headed then row("CONNECTION", "USER") end
    headed = true
    for _, member in ipairs(page.items) do
      if as_json then
        print_json(io.stdout, { connection = member.connection, user = member.user })
      else
        row(member.connection, member.user)
      end
    end
  end
end

-- An error as a program reads it: everything but the response, which holds what the service sent.
local function error_document(err)
  local document = {}
  for name, value in pairs(words.translate(err)) do
    if name ~= "response" then document[name] = value end
  end
  return document
end

-- ---------------------------------------------------------------- one result of many

--- Prints the answer to one item, where its operation is a question, and for programs every result.
---@param operation table
---@param item { index: integer, name: string, value: string }  its place in the list, its parameter, its line
---@param response webpubsub.Response
function report.item(operation, item, response, as_json)
  if as_json then
    local document = response_document(response)
    document.index, document[item.name] = item.index, item.value
    print_json(io.stdout, document)
  elseif operation.result == "exists" then
    put(("%-3s  %s"):format(yes_or_no(response.exists), printable(item.value)))
  end
end

--- Prints why one item failed.
function report.item_error(item, err, as_json)
  if as_json then
    print_json(io.stderr, { index = item.index, [item.name] = item.value, error = error_document(err) })
  else
    complain_of(err, ("item %d (%s): "):format(item.index, printable(item.value)))
  end
end

--- Prints how it went, and how to go on where it did not come to its end.
---@param operation table
---@param summary webpubsub.Summary
---@param stopped boolean|nil  there is something to go on with
---@param resume integer|nil  how many items to skip for that; nil where a file knows it
function report.summary(operation, summary, stopped, resume, as_json)
  if as_json then
    print_json(io.stdout, { summary = {
      operation = operation.name, total = summary.total, succeeded = summary.succeeded, failed = summary.failed,
      elapsed = summary.elapsed, rate = summary.rate, interrupted = summary.interrupted or false,
      resume = stopped and resume or nil,
    } })
    return
  end
  put(("%s: %d of %d, %d failed, in %.1f s (%.0f a second)"):format(report.done(operation), summary.succeeded,
    summary.total, summary.failed, summary.elapsed, summary.rate))
  if not stopped then return end
  local again = resume and summary.succeeded + summary.failed - summary.completed_through or 0
  complain(("%s; to go on with the rest, repeat it%s%s"):format(
    summary.interrupted and "interrupted" or "stopped", resume and " with --skip " .. resume or "",
    again > 0 and (" (%d behind it are done already, and will be done again)"):format(again) or ""))
end

-- ---------------------------------------------------------------- errors

--- The exit code for an error.
---@param err webpubsub.Error
---@return integer
function report.exit_code(err)
  if err.kind == "service" then return exits.REFUSED end
  return err.kind == "argument" and exits.USAGE or exits.NO_ANSWER
end

--- Prints an error.
---@param err webpubsub.Error
---@return integer exit_code
function report.error(err, as_json)
  if as_json then
    print_json(io.stderr, { error = error_document(err) })
  else
    complain_of(err)
  end
  return report.exit_code(err)
end

--- Prints what is wrong with the command line itself, or with a list.
---@param message string|string[]
---@return integer exit_code
function report.usage(message, as_json)
  local messages = type(message) == "table" and message or { message }
  if as_json then
    print_json(io.stderr, { error = { kind = "argument", code = "usage", message = table.concat(messages, "\n") } })
  else
    for _, line in ipairs(messages) do complain("webpubsub: " .. line) end
  end
  return exits.USAGE
end

--- Prints a text.
---@param text string
---@return integer exit_code
function report.text(text)
  put(text)
  return exits.OK
end

--- Notes that something else than the standard output cannot be written.
---@param why string
function report.lost(why)
  output_problem = output_problem or why
end

--- Lua's `print`, which notices whether the output can be written.
function report.print(...)
  local texts = {}
  for index = 1, select("#", ...) do texts[index] = tostring((select(index, ...))) end
  put(table.concat(texts, "\t"))
end

--- Whether what was printed so far did not arrive.
---@return boolean
function report.is_broken()
  return output_problem ~= nil
end

--- Notes whether what others have written arrives.
function report.flush()
  local flushed, why = io.stdout:flush()
  if not flushed then output_problem = output_problem or why end
end

--- Prints why the output is not complete, where it is not.
---@return integer|nil exit_code
function report.unwritten(as_json)
  if not output_problem then return nil end
  local message = "the output cannot be written: " .. output_problem
  if as_json then
    print_json(io.stderr, { error = { kind = "output", message = message } })
  else
    complain("webpubsub: " .. message)
  end
  return exits.UNWRITTEN
end

-- ---------------------------------------------------------------- what happens meanwhile

--- A logger for `webpubsub.new` that writes to standard error.
---@return fun(event: table)
function report.logger(as_json)
  return function(event)
    if as_json then
      print_json(io.stderr, { event = event })
    else
      complain(log.line(event))
    end
  end
end

return report

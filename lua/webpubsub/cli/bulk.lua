--- One operation for every line of a list.

local core = require "webpubsub.core"
local exits = require "webpubsub.cli.exits"
local lists = require "webpubsub.cli.list"
local progress = require "webpubsub.cli.progress"
local report = require "webpubsub.cli.report"
local states = require "webpubsub.cli.state"
local terminal = require "webpubsub.cli.terminal"

local bulk = {}

-- ---------------------------------------------------------------- before anything is sent

-- A value as good as any, for looking at the other arguments.
local ANY_VALUE = "x"

-- An operation that takes the parameter and nothing else, with which a value is checked without the rest.
local function checking_operation(parameter)
  for _, operation in ipairs(core.operations()) do
    if #operation.parameters == 1 and operation.parameters[1].name == parameter then return operation.name end
  end
end

-- What the library has against a value of the list.
local function value_checker(client, name)
  local operation = checking_operation(name)
  return function(value)
    local ok, err = pcall(core.prepare, client, operation, { [name] = value })
    if ok then return nil end
    return type(err) == "table" and err.message or error(err, 0)
  end
end

local function open_state(parsed)
  local part = parsed.part and (" --shard %d/%d"):format(parsed.part[1], parsed.part[2]) or ""
  return states.open(parsed.state, ("%s --%ss-from%s"):format(parsed.command, parsed.listed.name, part))
end

-- Goes to where the run begins. Returns what is wrong there.
local function skip(list, parsed)
  list.again, list.skipped = {}, parsed.skip or 0
  if parsed.state then
    local why
    list.state, why = open_state(parsed)
    if not list.state then return why end
    list.skipped = list.state.begun
    list.again, why = list.state:skip(function() return list:next() end)
    return list.problem or why
  end
  for _ = 1, list.skipped do
    if not list:next() then break end
  end
end

-- Opens the list and, where it can be read twice, looks at all of it. Returns it, with `total` where that is known,
-- `skipped`, the values that are done `again`, and `state` where one is kept.
local function open_list(client, parsed)
  local list, why = lists.open(parsed.list, parsed.part)
  if not list then return nil, why end
  local total
  if list.is_regular then
    total, why = list:check(value_checker(client, parsed.listed.name))
    if why then return nil, why end
  end
  why = skip(list, parsed)
  if why then return nil, why end
  list.total = total and math.max(total - list.skipped, 0) + #list.again
  return list
end

-- ---------------------------------------------------------------- the run

local function with(common, name, value)
  local arguments = { [name] = value }
  for key, entry in pairs(common) do arguments[key] = entry end
  return arguments
end

local function note(why)
  if why then report.lost(why) end
end

-- The next value, which the state knows of before anything is sent.
local function next_value(list)
  local value = table.remove(list.again, 1)
  if value then return value end
  value = list:next()
  if value and list.state then note(list.state:begin(value)) end
  return value
end

-- The items as tables of arguments: what is the same for all, and the value of the line. Where nobody can read what
-- becomes of them, there are no more.
local function arguments_of(list, name, common)
  return function()
    local value = not report.is_broken() and next_value(list)
    return value and not report.is_broken() and with(common, name, value) or nil
  end
end

-- The highest of the exit codes that the failures stand for.
local function exit_code(summary, list)
  local code = summary.interrupted and exits.INTERRUPTED or list.problem and exits.USAGE or exits.OK
  for _, failure in ipairs(summary.failures) do code = math.max(code, report.exit_code(failure.error)) end
  return code
end

-- Whether there is something to go on with.
local function was_stopped(summary, list, parsed)
  return summary.interrupted or list.problem or report.is_broken() or parsed.stop_on_error and summary.failed > 0
end

--- Runs an operation for all items of its list and prints how it goes.
---@param client webpubsub.Client
---@param parsed table  from arguments.lua
---@param common table  the arguments that are the same for all
---@param context table|nil
---@return integer|nil exit_code
---@return string|string[]|nil message  where the list cannot be had, or is wrong
function bulk.run(client, parsed, common, context)
  local operation, name, as_json = parsed.operation, parsed.listed.name, parsed.json
  core.prepare(client, operation.name, with(common, name, ANY_VALUE)) -- once, and not for every item
  local list, why = open_list(client, parsed)
  if not list then return nil, why end
  local shown = not as_json and terminal.is_terminal(terminal.STDERR) and progress.new(list.total) or nil

  local summary = client:each(operation.name, arguments_of(list, name, common), {
    concurrency = parsed.concurrency,
    stop_on_error = parsed.stop_on_error,
    context = context,
    on_result = function(result)
      local place = list.state and list.state:place(result.index) or list.skipped + result.index
      local item = { index = place, name = name, value = result.arguments[name] }
      if shown and (result.error or operation.result == "exists") then shown:wipe() end
      if result.error then
        report.item_error(item, result.error, as_json)
      else
        report.item(operation, item, result.response, as_json)
      end
      if shown then shown:add(result.error ~= nil) end
      if list.state then note(list.state:finish(place)) end
    end,
  })
  if shown then shown:wipe() end
  if list.problem then report.usage(list.problem, as_json) end
  local resume = not list.state and list.skipped + summary.completed_through or nil
  report.summary(operation, summary, was_stopped(summary, list, parsed), resume, as_json)
  return exit_code(summary, list)
end

return bulk

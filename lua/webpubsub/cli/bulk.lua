--- One operation for every line of a list.

local core = require "webpubsub.core"
local exits = require "webpubsub.cli.exits"
local lists = require "webpubsub.cli.list"
local progress = require "webpubsub.cli.progress"
local report = require "webpubsub.cli.report"
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

-- Opens the list and, where it can be read twice, looks at all of it. Returns it, with `total` where that is known, and
-- goes to where the run begins.
local function open_list(client, parsed)
  local list, why = lists.open(parsed.list, parsed.part)
  if not list then return nil, why end
  if list.is_regular then
    local total, wrong = list:check(value_checker(client, parsed.listed.name))
    if wrong then return nil, wrong end
    list.total = math.max(total - (parsed.skip or 0), 0)
  end
  for _ = 1, parsed.skip or 0 do
    if not list:next() then break end
  end
  return list
end

-- ---------------------------------------------------------------- the run

local function with(common, name, value)
  local arguments = { [name] = value }
  for key, entry in pairs(common) do arguments[key] = entry end
  return arguments
end

-- The items as tables of arguments: what is the same for all, and the value of the line. Where nobody can read what
-- becomes of them, there are no more.
local function arguments_of(list, name, common)
  return function()
    local value = not report.is_broken() and list:next() or nil
    return value and with(common, name, value)
  end
end

-- The highest of the exit codes that the failures stand for.
local function exit_code(summary, list)
  local code = summary.interrupted and exits.INTERRUPTED or list.problem and exits.USAGE or exits.OK
  for _, failure in ipairs(summary.failures) do code = math.max(code, report.exit_code(failure.error)) end
  return code
end

-- What has to be skipped to go on, where not everything was begun.
local function resume_at(summary, list, parsed)
  local stopped = summary.interrupted or list.problem or report.is_broken()
    or parsed.stop_on_error and summary.failed > 0
  return stopped and (parsed.skip or 0) + summary.completed_through or nil
end

--- Runs an operation for all items of its list and prints how it goes.
---@param client webpubsub.Client
---@param parsed table  from arguments.lua
---@param common table  the arguments that are the same for all
---@param context table|nil
---@return integer|nil exit_code
---@return string|nil message  where the list cannot be had, or is wrong
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
      local item = { index = (parsed.skip or 0) + result.index, name = name, value = result.arguments[name] }
      if shown and (result.error or operation.result == "exists") then shown:wipe() end
      if result.error then
        report.item_error(item, result.error, as_json)
      else
        report.item(operation, item, result.response, as_json)
      end
      if shown then shown:add(result.error ~= nil) end
    end,
  })
  if shown then shown:wipe() end
  if list.problem then report.usage(list.problem, as_json) end
  report.summary(operation, summary, resume_at(summary, list, parsed), as_json)
  return exit_code(summary, list)
end

return bulk

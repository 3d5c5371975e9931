--- One operation for every line of a file.

local progress = require "webpubsub.cli.progress"
local report = require "webpubsub.cli.report"
local terminal = require "webpubsub.cli.terminal"

local bulk = {}

-- ---------------------------------------------------------------- the list

-- Lines that are not empty, from where the file stands. Values are taken as they are, blanks included.
local function items_of(file, name)
  return function()
    while true do
      local line, why = file:read "*l"
      if why then error(("the list cannot be read: %s: %s"):format(name, why), 0) end
      line = line and line:gsub("\r$", "")
      if line ~= "" then return line end
    end
  end
end

-- How many items are ahead, where the file can be read twice.
local function count(file, name)
  local start = file:seek()
  if not start then return nil end
  local total = 0
  for _ in items_of(file, name) do total = total + 1 end
  file:seek("set", start)
  return total
end

local function skip(items, number)
  for _ = 1, number do
    if not items() then return end
  end
end

--- Opens the list that the command line names.
---@param parsed table  from arguments.lua
---@return table|nil list  `items`, `total` where it is known and wanted, `skipped`
---@return string|nil message
local function open_list(parsed, wants_total)
  local file, name, why = io.stdin, "standard input", nil
  if parsed.list ~= "-" then
    name = parsed.list
    file, why = io.open(name, "rb")
  end
  if not file then return nil, why end
  local skipped = parsed.skip or 0
  local ok, total = pcall(count, file, name)
  if not ok then return nil, total end
  local items = items_of(file, name)
  skip(items, skipped)
  return { items = items, skipped = skipped, total = wants_total and total and math.max(total - skipped, 0) or nil }
end

-- ---------------------------------------------------------------- the run

-- The items as tables of arguments: what is the same for all, and the value of the line.
local function arguments_of(list, name, common)
  return function()
    local value = list.items()
    if not value then return nil end
    local arguments = { [name] = value }
    for key, entry in pairs(common) do arguments[key] = entry end
    return arguments
  end
end

-- The highest of the exit codes that the failures stand for.
local function exit_code(summary)
  local code = summary.interrupted and report.INTERRUPTED or report.OK
  for _, failure in ipairs(summary.failures) do code = math.max(code, report.exit_code(failure.error)) end
  return code
end

-- What has to be skipped to go on, where not everything was begun.
local function resume_at(summary, list, parsed)
  local stopped = summary.interrupted or parsed.stop_on_error and summary.failed > 0
  return stopped and list.skipped + summary.completed_through or nil
end

--- Runs an operation for all items of its list and prints how it goes.
---@param client webpubsub.Client
---@param parsed table  from arguments.lua
---@param common table  the arguments that are the same for all
---@param context table|nil
---@return integer|nil exit_code
---@return string|nil message  where the list cannot be had
function bulk.run(client, parsed, common, context)
  local operation, name, as_json = parsed.operation, parsed.listed.name, parsed.json
  local shows_progress = not as_json and terminal.is_terminal(terminal.STDERR)
  local list, why = open_list(parsed, shows_progress)
  if not list then return nil, why end
  local shown = shows_progress and progress.new(list.total) or nil

  local summary = client:each(operation.name, arguments_of(list, name, common), {
    concurrency = parsed.concurrency,
    stop_on_error = parsed.stop_on_error,
    context = context,
    on_result = function(result)
      local item = { index = list.skipped + result.index, name = name, value = result.arguments[name] }
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
  report.summary(operation, summary, resume_at(summary, list, parsed), as_json)
  return exit_code(summary)
end

return bulk

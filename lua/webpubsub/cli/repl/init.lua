--- A Lua prompt with a client connected.

local completion = require "webpubsub.cli.repl.completion"
local evaluate = require "webpubsub.cli.repl.evaluate"
local exits = require "webpubsub.cli.exits"
local pretty = require "webpubsub.cli.repl.pretty"
local report = require "webpubsub.cli.report"
local terminal = require "webpubsub.cli.terminal"
local webpubsub = require "webpubsub"

local repl = {}

local PROMPT, CONTINUATION = "> ", ">> "

-- ---------------------------------------------------------------- where lines come from

-- Lines without an editor; prompts only where somebody sees them.
local function plain_reader(is_terminal)
  local reader = {}
  function reader.read(_, prompt)
    if is_terminal then
      io.write(prompt)
      io.flush()
    end
    return io.read "*l"
  end
  return reader
end

local function try(module)
  local ok, loaded = pcall(require, module)
  return ok and loaded or nil
end

-- The editor and what catches Ctrl-C, or what has to be installed for them.
local function open_editor()
  if not (try "readline" and try "luv") then
    return nil, nil, "for line editing, history, completion and Ctrl-C: apt-get install lua-readline lua-luv"
  end
  local history = require "webpubsub.cli.repl.history"
  local interrupt = require("webpubsub.cli.repl.interrupt").new()
  local path = history.path()
  local past, why
  if path then past, why = history.open(path) end
  local editor = require("webpubsub.cli.repl.editor").new {
    complete = completion.complete, interrupt = interrupt, history = past,
  }
  return editor, interrupt, why and "no history: " .. why
end

-- ---------------------------------------------------------------- one entry

local function print_error(err, colored)
  local text = pretty.format(err)
  io.stderr:write(colored and terminal.red(text) or text, "\n")
end

local function print_results(count, results)
  local texts, separator = {}, "\t"
  for index = 1, count do
    texts[index] = pretty.format(results[index])
    if texts[index]:find("\n", 1, true) then separator = "\n" end
  end
  report.text(table.concat(texts, separator))
end

-- Runs a chunk and prints what it returns.
local function perform(session, chunk)
  local function show(ok, ...)
    if not ok then
      print_error((...), session.colored)
    elseif select("#", ...) > 0 then
      print_results(select("#", ...), { ... })
    end
  end
  if session.interrupt then
    show(session.interrupt:pcall(chunk))
  else
    show(pcall(chunk))
  end
end

-- Reads until the text is complete. Returns a chunk; nothing where there is none; false at the end of the input, which
-- at a terminal can come more than once: within an entry it gives up the entry.
local function read_chunk(session)
  local text, prompt, missing = nil, PROMPT, nil
  while true do
    local line, why = session.reader:read(prompt, text)
    if why then return nil end
    if not line and not text then return false end
    if not line then
      if session.is_terminal then print() end
      print_error(missing, session.colored)
      return nil
    end
    text = text and text .. "\n" .. line or line
    local chunk, message
    chunk, message, missing = evaluate.compile(text)
    if chunk then return chunk end
    if message then
      print_error(message, session.colored)
      return nil
    end
    prompt = CONTINUATION
  end
end

-- ---------------------------------------------------------------- the session

local function open_session()
  local is_terminal = terminal.is_terminal(terminal.STDIN)
  local session = { is_terminal = is_terminal }
  session.colored = terminal.is_terminal(terminal.STDERR) and not os.getenv "NO_COLOR"
  local remark
  if is_terminal then session.reader, session.interrupt, remark = open_editor() end
  session.reader = session.reader or plain_reader(is_terminal)
  return session, remark
end

local function greet(client, remark)
  print(("webpubsub %s, %s"):format(webpubsub._VERSION, _VERSION))
  print(tostring(client))
  if remark then print("(" .. remark .. ")") end
  print "help() tells more, Ctrl-D leaves."
end

--- Runs the prompt until the input ends. `client`, `webpubsub`, `filter` and `help` are in scope.
---@param client webpubsub.Client
---@return integer exit_code
function repl.run(client)
  local compiler = rawget(_G, "jit")
  if compiler then compiler.off() end -- compiled code looks at no hook, so Ctrl-C could not end a loop
  rawset(_G, "arg", nil) -- it may hold a key
  for name, value in pairs {
    client = client, webpubsub = webpubsub, filter = webpubsub.filter, help = webpubsub.help, print = report.print,
  } do
    rawset(_G, name, value)
  end
  local session, remark = open_session()
  if session.is_terminal then greet(client, remark) end
  while true do
    local chunk = read_chunk(session)
    if chunk == false then break end
    if chunk then perform(session, chunk) end
  end
  if session.is_terminal then print() end
  report.flush()
  return exits.OK
end

return repl

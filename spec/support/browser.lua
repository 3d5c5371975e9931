--- A headless Chromium, driven over WebDriver (Debian's `chromium` and `chromium-driver`).
---
---     local browser = browser.open({ width = 1280, height = 800 })
---     browser:visit("http://127.0.0.1:8080/")
---     browser:wait_for("return document.title === 'Web PubSub emulator'", "the page")
---     browser:close()

local cjson = require("cjson").new()
local http = require("socket.http")
local ltn12 = require("ltn12")
local mime = require("mime")
local companion = require("spec.support.companion")
local wait = require("spec.support.wait")

local START_SECONDS = 20
local SECONDS = 10 -- for anything that is waited for

-- The driver ends with its standard input, and so with the specs; browsers it has started would go on without it.
local DRIVER = [[
  chromedriver --port=0 &
  cat >/dev/null
  kill $(cat /proc/$!/task/*/children) $!]]

local Browser = {}
Browser.__index = Browser

local browser = {}

-- One command; returns its value or raises what the driver says.
local function command(self, method, path, body)
  local chunks = {}
  local text = type(body) == "table" and cjson.encode(body) or body
  local _, status = http.request({
    method = method,
    url = ("http://127.0.0.1:%d%s"):format(self.port, path),
    headers = { ["Content-Type"] = "application/json", ["Content-Length"] = text and #text or 0 },
    source = text and ltn12.source.string(text) or nil,
    sink = ltn12.sink.table(chunks),
  })
  local answer = table.concat(chunks)
  local decoded, value = pcall(cjson.decode, answer)
  if status ~= 200 then
    local message = decoded and value.value.message or answer
    error(("the browser refused %s: %s %s"):format(path, tostring(status), message), 3)
  end
  return value.value
end

---@param options? { width?: integer, height?: integer, dark?: boolean }
function browser.open(options)
  options = options or {}
  local driver, ready = companion.start({ "sh", "-c", DRIVER },
    { ready = "started successfully on port (%d+)", timeout = START_SECONDS })
  local self = setmetatable({ driver = driver, port = tonumber(ready[1]) }, Browser)
  local arguments = { "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    ("--window-size=%d,%d"):format(options.width or 1280, options.height or 800) }
  if options.dark then arguments[#arguments + 1] = "--force-dark-mode" end
  local opened, session = pcall(command, self, "POST", "/session", { capabilities = { alwaysMatch = {
    browserName = "chrome", ["goog:chromeOptions"] = { args = arguments } } } })
  if not opened then
    driver:stop()
    error(session, 2)
  end
  self.session = "/session/" .. session.sessionId
  return self
end

---@param url string
function Browser:visit(url)
  command(self, "POST", self.session .. "/url", { url = url })
end

--- Runs a script in the page.
---@param script string the body of a function
---@param ... any its arguments
---@return any
function Browser:run(script, ...)
  local arguments = select("#", ...) > 0 and cjson.encode({ ... }) or "[]" -- an empty table would be an object
  return command(self, "POST", self.session .. "/execute/sync",
    ('{"script":%s,"args":%s}'):format(cjson.encode(script), arguments))
end

--- Waits until a script returns what counts as true in Lua; returns that.
---@param script string
---@param what string completes "timed out after 10 s waiting for …"
---@param ... any arguments of the script
function Browser:wait_for(script, what, ...)
  local arguments, count = { ... }, select("#", ...)
  return wait.until_true(function()
    local value = self:run(script, (table.unpack or unpack)(arguments, 1, count)) -- luacheck: ignore 113 143
    return value ~= cjson.null and value
  end, SECONDS, what)
end

local function find(self, selector)
  local _, id = next(command(self, "POST", self.session .. "/element",
    { using = "css selector", value = selector }))
  return ("%s/element/%s"):format(self.session, id)
end

--- Clicks as a mouse does: what is covered or out of sight is not hit.
---@param selector string of CSS
function Browser:click(selector)
  command(self, "POST", find(self, selector) .. "/click", {})
end

--- Types into a field.
---@param selector string of CSS
---@param text string
function Browser:type(selector, text)
  command(self, "POST", find(self, selector) .. "/value", { text = text })
end

--- The window as a PNG.
---@return string bytes
function Browser:picture()
  return (mime.unb64(command(self, "GET", self.session .. "/screenshot")))
end

function Browser:close()
  pcall(command, self, "DELETE", self.session)
  self.driver:stop()
end

return browser

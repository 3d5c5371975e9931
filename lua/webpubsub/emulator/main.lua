--- The emulator as a program: `webpubsub emulator`, or where that is not installed, this file with lua5.4.

local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "../../?.lua;" .. here .. "../../?/init.lua;" .. package.path

local function load(module)
  local loaded, result = pcall(require, module)
  if not loaded then
    io.stderr:write("emulator: ", tostring(result), "\n")
    os.exit(1)
  end
  return result
end

load "webpubsub.emulator.path"
local argparse = load "argparse"
local emulator = load "webpubsub.emulator"
local origins = load "webpubsub.emulator.origins"
local webhook = load "webpubsub.emulator.webhook"

local MAX_PORT = 65535
local MAX_KEEP_SECONDS = 3600
local HELP_COLUMNS, HELP_MARGIN = 110, 26
local EXIT_USAGE = 2

local function port_number(text)
  local port = math.tointeger(tonumber(text))
  if not port or port < 0 or port > MAX_PORT then
    return nil, ("'%s' is not a port of 0 to %d"):format(text, MAX_PORT)
  end
  return port
end

local function access_key(text)
  if text == "" then
    return nil, "the key must not be empty"
  end
  return text
end

local function web_origin(text)
  if not origins.is_valid(text) then
    return nil, ("'%s' is not an origin; it looks like https://host or http://host:port"):format(text)
  end
  return text
end

local function seconds(text)
  local value = tonumber(text)
  if not value or not (value >= 0 and value <= MAX_KEEP_SECONDS) then
    return nil, ("'%s' is not a number of 0 to %d"):format(text, MAX_KEEP_SECONDS)
  end
  return value
end

local function handler_url(text)
  if not webhook.is_valid(text) then
    return nil, ("'%s' is not a URL; it looks like http://127.0.0.1:3000/events"):format(text)
  end
  return text
end

local function event_names(text)
  local names = {}
  for name in text:gmatch("[^,%s]+") do
    names[#names + 1] = name
  end
  if #names == 0 then
    return nil, "it names no event"
  end
  return names
end

local parser = argparse("webpubsub emulator", "A local emulator of the Azure Web PubSub data plane.")
  :usage "Usage: webpubsub emulator [options]":help_max_width(HELP_COLUMNS):help_description_margin(HELP_MARGIN)
parser:option("--listen", "Address to listen on: this machine only, unless another one is given.", "127.0.0.1")
  :argname("<address>")
parser:option("--port", "Port to listen on, 0 for any free one.", "8080"):convert(port_number)
parser:option("--key", "Access key (default: a public constant)."):argname("<key>"):convert(access_key)
parser:flag("--tls", "Serve https and wss with a self-signed certificate for 127.0.0.1, ::1 and localhost.")
parser:option("--tls-cert-out", "Write that certificate to a file, as PEM."):argname("<file>")
parser:option("--event-handler", "URL to deliver events to, as the service does; {hub} in it stands for the hub.")
  :argname("<url>"):convert(handler_url)
parser:option("--event-handler-events", "Which events, as a list with commas: connect, connected, disconnected, "
  .. "joined, left, names of user events or * for all of those (default: connect,connected,disconnected,*).")
  :argname("<names>"):convert(event_names)
parser:option("--keep-seconds", "How long a reliable client whose connection was cut can recover.", "60")
  :argname("<seconds>"):convert(seconds)
parser:option("--allow-origin", "A web site, as https://host, that may use the emulator besides those on this machine; "
  .. "* for all. May be repeated."):argname("<origin>"):count("*"):convert(web_origin)
parser:flag("--open-page", "Serve the page to browsers on other machines too: anybody there can close and send.")
parser:flag("--quiet", "Do not log what clients and callers do.")
parser:flag("--exit-on-eof", "Stop when standard input ends, as it does when the parent process is gone.")

local parsed, result = parser:pparse()
if not parsed then
  io.stderr:write(("emulator: %s (see webpubsub emulator --help)\n"):format(result:gsub("\nDid", "; did")))
  os.exit(EXIT_USAGE)
end
if result.event_handler_events and not result.event_handler then
  io.stderr:write("emulator: --event-handler-events needs --event-handler (see webpubsub emulator --help)\n")
  os.exit(EXIT_USAGE)
end
os.exit(emulator.run(result), true)

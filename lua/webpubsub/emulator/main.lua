--- Command line of the emulator: lua5.4 lua/webpubsub/emulator/main.lua --help

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

local MAX_PORT = 65535

local function port_number(text)
  local port = math.tointeger(tonumber(text))
  if not port or port < 0 or port > MAX_PORT then
    return nil, ("'%s' is not a port of 0 to %d"):format(text, MAX_PORT)
  end
  return port
end

local parser = argparse("emulator", "A local emulator of the Azure Web PubSub data plane.")
parser:option("--host", "Address to listen on.", "127.0.0.1")
parser:option("--port", "Port to listen on, 0 for any free one.", "8080"):convert(port_number)
parser:option("--key", "Access key (default: a public constant)."):argname("<key>")
parser:flag("--tls", "Serve https and wss with a self-signed certificate for 127.0.0.1 and localhost.")
parser:option("--tls-cert-out", "Write that certificate to a file, as PEM."):argname("<file>")
parser:flag("--quiet", "Do not log each request.")
parser:flag("--exit-on-eof", "Stop when standard input ends, as it does when the parent process is gone.")

os.exit(emulator.run(parser:parse()), true)

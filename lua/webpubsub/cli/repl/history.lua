--- The lines typed at earlier prompts, in a file that only its owner can read and that holds no secrets.

local uv = require "luv"

local history = {}
history.__index = history

local MAX_LINES = 1000 -- that are kept when the prompt opens
local OWNER_ONLY, OWNER_ONLY_FOLDER = 384, 448 -- 0600 and 0700

-- Lines with any of these are not written.
local SECRETS = { "accesskey", "set_key", "%f[%w]key%s*=", "password", "access_token", "secret" }

local function is_secret(line)
  local lower = line:lower()
  for _, pattern in ipairs(SECRETS) do
    if lower:find(pattern) then return true end
  end
  return false
end

local function make_folders(path)
  for position in path:gmatch "()/" do
    if position > 1 then uv.fs_mkdir(path:sub(1, position - 1), OWNER_ONLY_FOLDER) end -- fails where it exists
  end
end

-- Lua's io.open would create it as readable as the umask allows.
local function open(path, mode)
  local descriptor, why = uv.fs_open(path, mode, OWNER_ONLY)
  if not descriptor then return nil, why end
  uv.fs_chmod(path, OWNER_ONLY) -- it may be older
  return descriptor
end

local function read_lines(path)
  local lines, file = {}, io.open(path, "r")
  if not file then return lines end
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

local function rewrite(path, lines)
  local temporary = path .. ".new"
  local descriptor = open(temporary, "w")
  if not descriptor then return end
  uv.fs_write(descriptor, table.concat(lines, "\n") .. "\n", -1)
  uv.fs_close(descriptor)
  uv.fs_rename(temporary, path)
end

--- The file's place: $XDG_STATE_HOME/webpubsub/history, or the same below ~/.local/state.
---@return string|nil path
function history.path()
  local state, home = os.getenv "XDG_STATE_HOME", os.getenv "HOME"
  if not state or state == "" then state = home and home .. "/.local/state" end
  return state and state .. "/webpubsub/history"
end

--- Opens the history, making its folders and the file where they are missing.
---@param path string
---@return table|nil history  `lines` are the earlier ones
---@return string|nil message
function history.open(path)
  make_folders(path)
  local lines = read_lines(path)
  if #lines > MAX_LINES then
    local kept = {}
    for index = #lines - MAX_LINES + 1, #lines do kept[#kept + 1] = lines[index] end
    lines = kept
    rewrite(path, lines)
  end
  local descriptor, why = open(path, "a")
  if not descriptor then return nil, why end
  return setmetatable({ descriptor = descriptor, lines = lines }, history)
end

--- Writes one line, at once: the terminal may be gone without a word.
---@param line string
function history:add(line)
  if not is_secret(line) then uv.fs_write(self.descriptor, line .. "\n", -1) end
end

return history

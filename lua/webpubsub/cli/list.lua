--- The list of a run: values one a line, from a file or standard input, which may have been edited anywhere.
--
-- A value is what a person sees in the line. Byte order marks, line ends and blanks at the ends are taken away;
-- whatever else cannot be seen, and so may not be meant, is a problem that names file and line.

local printable = require "webpubsub.printable"
local shard = require "webpubsub.shard"

local list = {}
list.__index = list

-- The longest name the service has is a group's, of 1024 characters with at most four bytes each.
local MAX_LINE_BYTES = 4096

local BLOCK_BYTES = 65536 -- read at a time from a file
local PIECE_BYTES = 4096 -- collected at most from a pipe, before a line has come

local BYTE_ORDER_MARK = "\239\187\191"

local MAX_PROBLEMS = 10 -- that are told at once

-- ---------------------------------------------------------------- lines

-- The next bytes; nil at the end. A pipe is read byte by byte, for a line is to be used when it comes, and `read "*l"`
-- cuts it at a NUL on some Luas.
local function read_some(self)
  if self.is_regular then
    return self.file:read(BLOCK_BYTES)
  end
  local piece, bytes = {}, 0
  repeat
    local byte, why = self.file:read(1)
    if why then return nil, why end
    if not byte then break end
    bytes = bytes + 1
    piece[bytes] = byte
  until byte == "\n" or bytes == PIECE_BYTES
  return bytes > 0 and table.concat(piece) or nil
end

-- The next line, at most a little more than MAX_LINE_BYTES of it; nil at the end; nil and why where it cannot be read.
local function next_line(self)
  while true do
    local ending = self.pending:find("\n", self.position, true)
    if ending then
      local line = self.pending:sub(self.position, ending - 1)
      self.position = ending + 1
      return line
    end
    local rest = self.pending:sub(self.position)
    if #rest > MAX_LINE_BYTES then -- it is a problem, and may have no end
      self.is_over = true
      return rest
    end
    local block, why = read_some(self)
    if why then return nil, why end
    if not block then
      self.pending, self.position = "", 1
      return rest ~= "" and rest or nil
    end
    self.pending, self.position = rest .. block, 1
  end
end

-- ---------------------------------------------------------------- what is wrong with one

-- Characters of which nothing is seen at the end of a word: blanks of all kinds, and marks that only direct.
local function is_invisible(code)
  return code == 0xa0 or code == 0xad or code == 0x1680 or code == 0x180e or code >= 0x2000 and code <= 0x200f
    or code == 0x202f or code >= 0x205f and code <= 0x206f or code == 0x3000 or code == 0xfeff
end

-- The code point of one character of valid UTF-8.
local function code_of(character)
  local first = character:byte()
  if first < 0x80 then return first end
  local code = first % 2 ^ (7 - #character)
  for position = 2, #character do code = code * 64 + character:byte(position) % 64 end
  return code
end

local CHARACTER = "[^\128-\191][\128-\191]*"

local function problem_of_ends(value)
  for _, character in ipairs { value:match("^" .. CHARACTER), value:match(CHARACTER .. "$") } do
    local code = code_of(character)
    if is_invisible(code) then
      return ("the value begins or ends with U+%04X, which cannot be seen"):format(code)
    end
  end
end

-- Why a value cannot be meant as it stands; nil where it can.
local function problem_of_value(value)
  if not value:find "[^\32-\126]" then return nil end
  for run in value:gmatch "[^\\]+" do -- a backslash in what is shown is then the beginning of an escape
    local shown = printable(run)
    local escape = shown ~= run and shown:match "\\x%x%x" or shown:match "\\u{%x+}"
    if escape and escape:find "^\\x[89a-f]" then
      return ("the line is not UTF-8 (byte %s); save the file as UTF-8"):format(escape)
    elseif escape then
      return ("there is a control character in the line (%s)"):format(escape)
    end
  end
  return problem_of_ends(value)
end

-- The value of a line, which is empty where there is nothing to be seen; or nil and what is wrong.
local function value_of(line)
  if #line > MAX_LINE_BYTES then
    return nil, ("the line has more than %d bytes, which no name has"):format(MAX_LINE_BYTES)
  elseif line:find "^\255\254" or line:find "^\254\255" then
    return nil, "this is UTF-16; save the file as UTF-8"
  elseif line:find("\0", 1, true) then
    return nil, "there is a NUL byte in the line; if the file is UTF-16, save it as UTF-8"
  end
  if line:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then line = line:sub(#BYTE_ORDER_MARK + 1) end
  local first, past = line:find "[^ \t\r]", line:match "^.*[^ \t\r]()"
  if not first then return "" end
  local value = line:sub(first, past - 1)
  local wrong = problem_of_value(value)
  return not wrong and value or nil, wrong
end

-- ---------------------------------------------------------------- values

-- The next line that is not empty. Returns its value; nil at the end; or nil and what is wrong, with file and line.
local function next_value(self)
  while true do
    local line, why = next_line(self)
    if why then
      self.is_over = true
      return nil, ("the list cannot be read: %s: %s"):format(self.name, why)
    end
    if not line then return nil end
    self.line = self.line + 1
    local value, wrong = value_of(line)
    if wrong then return nil, ("%s:%d: %s"):format(self.name, self.line, wrong) end
    if value ~= "" then return value end
  end
end

local function is_mine(self, value)
  return not self.shard or shard.of(value, self.shard[2]) == self.shard[1]
end

local function rewind(self, position)
  self.pending, self.position, self.line, self.is_over = "", 1, 0, false
  if position then self.file:seek("set", position) end
end

--- Opens a list.
---@param path string  "-" is standard input
---@param part { [1]: integer, [2]: integer }|nil  the shard that is wanted; nil: all
---@return table|nil list  `is_regular`: it can be read twice
---@return string|nil message
function list.open(path, part)
  local file, name, why = io.stdin, "standard input", nil
  if path ~= "-" then
    name = path
    file, why = io.open(path, "rb")
  end
  if not file then return nil, why end
  local self = setmetatable({ file = file, name = name, shard = part }, list)
  self.start = file:seek()
  self.is_regular = self.start ~= nil
  rewind(self)
  return self
end

--- Reads the whole list and goes back to its beginning. For one that can be read twice.
---@param check fun(value: string): string|nil  says what else is wrong with a value
---@return integer|nil total  values of the shard
---@return string[]|nil messages  what is wrong, each with file and line
function list:check(check)
  local total, problems, count = 0, {}, 0
  while true do
    local value, wrong = next_value(self)
    if not value and not wrong then break end
    local problem = wrong
    if value then
      local further = check(value)
      problem = further and ("%s:%d: %s"):format(self.name, self.line, further)
      if is_mine(self, value) then total = total + 1 end
    end
    if problem then
      count = count + 1
      if count <= MAX_PROBLEMS then problems[count] = problem end
      if self.is_over then break end
    end
  end
  rewind(self, self.start)
  if count > MAX_PROBLEMS then
    problems[#problems + 1] = ("and %d more lines"):format(count - MAX_PROBLEMS)
  end
  if count > 0 then return nil, problems end
  return total
end

--- The next value of the shard. After a problem there are no more.
---@return string|nil value
function list:next()
  while not self.problem do
    local value, wrong = next_value(self)
    self.problem = wrong
    if not value then return nil end
    if is_mine(self, value) then return value end
  end
end

return list

--- OData filters over a connection's `userId`, `connectionId` and `groups`.
--
-- A filter is compiled into a function once and then asked about each connection. Expressions are typed while they
-- are parsed, so a mistake is reported when the filter arrives and not when the first connection meets it.
--
--     or   := and ("or" and)*
--     and  := cmp ("and" cmp)*
--     cmp  := not [("eq" | "ne" | "gt" | "ge" | "lt" | "le") not | "in" (groups | "(" groups ")" | "(" literals ")")]
--     not  := "not" not | primary          -- binds tighter than a comparison, as OData has it
--     primary := literal | identifier | function "(" arguments ")" | "(" or ")"

local functions = require "webpubsub.emulator.filter_functions"

local filter = {}

local MAX_DEPTH = 50 -- of nested parentheses, calls and `not`

local IDENTIFIERS = {
  userid = { type = "string", eval = function(connection) return connection.user end },
  connectionid = { type = "string", eval = function(connection) return connection.id end },
  groups = { type = "groups", eval = function(connection) return connection.groups end },
}

local function constant(type, value)
  return { type = type, literal = true, eval = function() return value end }
end

local LITERALS = { ["true"] = constant("bool", true), ["false"] = constant("bool", false), null = constant("null") }

local COMPARISONS = {
  eq = function(a, b) return a == b end,
  ne = function(a, b) return a ~= b end,
  gt = function(a, b) return a ~= nil and b ~= nil and a > b end,
  ge = function(a, b) return a ~= nil and b ~= nil and a >= b end,
  lt = function(a, b) return a ~= nil and b ~= nil and a < b end,
  le = function(a, b) return a ~= nil and b ~= nil and a <= b end,
}
local ORDERED = { string = true, int = true, null = true }
local KEYWORDS = { ["and"] = true, ["or"] = true, ["not"] = true, ["in"] = true }
local CONNECTIVES = { ["and"] = true, ["or"] = true, ["in"] = true }

local Parser = {}
Parser.__index = Parser

local function fail(parser, format, ...)
  error({ filter = ("Invalid syntax for '%s': %s. (Parameter 'filter')"):format(parser.text, format:format(...)) }, 0)
end

-- Positions count the characters read when the mistake was noticed.
local function syntax_error(parser)
  fail(parser, "Syntax error at position %d in '%s'", parser.at - 1, parser.text)
end

local function type_error(parser, node, expected)
  fail(parser, "Type '%s', expect '%s' at position %d", node.type, expected, parser.at - 1)
end

-- Moves to the next token: `kind` is "string", "int", "word", a punctuation mark or "end".
function Parser:advance()
  local text, at = self.text, self.text:match("^%s*()", self.at)
  local character = text:sub(at, at)
  if character == "" then
    self.kind, self.value, self.at = "end", nil, at
  elseif character == "'" then
    local after = text:match("^'[^']*'()", at)
    while after and text:sub(after, after) == "'" do -- a doubled quote stands for one
      after = text:match("^'[^']*'()", after)
    end
    self.at = after or #text + 1
    if not after then
      syntax_error(self)
    end
    self.kind, self.value = "string", text:sub(at + 1, after - 2):gsub("''", "'")
  elseif text:find("^[+-]?%d", at) then
    local digits, after = text:match("^([+-]?%d+)()", at)
    self.kind, self.at, self.value = "int", after, math.tointeger(tonumber(digits))
    if not self.value then
      syntax_error(self)
    end
  elseif text:find("^%a", at) then
    self.kind, self.value, self.at = "word", text:match("^(%w+)()", at)
  else
    self.kind, self.value, self.at = character, character, at + 1
    if not character:find("[(),]") then
      syntax_error(self)
    end
  end
end

function Parser:accept(kind, value)
  if self.kind == kind and (value == nil or self.value == value) then
    self:advance()
    return true
  end
  return false
end

function Parser:expect(kind)
  if not self:accept(kind) then
    syntax_error(self)
  end
end

-- Whether the current token may stand after a whole expression.
function Parser:after_expression()
  return self.kind == "end" or self.kind == ")" or self.kind == ","
    or (self.kind == "word" and (CONNECTIVES[self.value] or COMPARISONS[self.value]) ~= nil)
end

function Parser:enter()
  self.depth = self.depth + 1
  if self.depth > MAX_DEPTH then
    fail(self, "The expression is nested deeper than %d levels", MAX_DEPTH)
  end
end

function Parser:leave(node)
  self.depth = self.depth - 1
  return node
end

local function require_bool(parser, node)
  if node.type ~= "bool" then
    type_error(parser, node, "bool")
  end
  return node
end

function Parser:call(name)
  local definition = functions[name]
  local arguments = {}
  repeat
    arguments[#arguments + 1] = self:disjunction()
  until not self:accept(",")
  self:expect(")")
  if #arguments < definition.required or #arguments > #definition.parameters then
    fail(self, "Function '%s' takes %s arguments, got %d", name, definition.arity, #arguments)
  end
  for index, argument in ipairs(arguments) do
    local expected = definition.parameters[index]
    if not (" " .. expected .. " null "):find(" " .. argument.type .. " ", 1, true) then
      type_error(self, argument, expected)
    end
  end
  return { type = definition.result, eval = function(connection)
    local values = {}
    for index, argument in ipairs(arguments) do
      values[index] = argument.eval(connection)
      if values[index] == nil then
        return nil -- a function of null is null
      end
    end
    return definition.apply(table.unpack(values, 1, #arguments))
  end }
end

function Parser:primary()
  local kind, value = self.kind, self.value
  if kind == "(" then
    self:advance()
    local node = self:disjunction()
    self:expect(")")
    return node
  elseif kind == "string" or kind == "int" then
    self:advance()
    return constant(kind, value)
  elseif kind == "word" and not KEYWORDS[value] then
    self:advance()
    if functions[value] and self:accept("(") then
      return self:call(value)
    end
    local node = LITERALS[value] or IDENTIFIERS[value:lower()]
    if node then
      return node
    elseif self.kind == "(" then
      fail(self, "Unknown function '%s'", value)
    elseif self:after_expression() then
      fail(self, "Unknown identifier '%s', expect 'userId', 'connectionId' or 'groups'", value)
    end
  end
  syntax_error(self)
end

function Parser:negation()
  self:enter()
  if not self:accept("word", "not") then
    return self:leave(self:primary())
  end
  local operand = require_bool(self, self:negation())
  return self:leave { type = "bool", eval = function(connection) return not operand.eval(connection) end }
end

-- `element in groups`, with or without parentheses.
local function member_of_groups(parser, element, collection)
  if collection.type ~= "groups" then
    type_error(parser, collection, "groups")
  elseif element.type ~= "string" then
    type_error(parser, element, "string")
  end
  return { type = "bool", eval = function(connection)
    local group = element.eval(connection)
    return group ~= nil and collection.eval(connection)[group] == true
  end }
end

function Parser:membership(element)
  if not self:accept("(") then
    return member_of_groups(self, element, self:primary())
  end
  local values = {}
  repeat
    local node = self:primary()
    if node.type == "groups" and #values == 0 then
      self:expect(")")
      return member_of_groups(self, element, node)
    elseif not node.literal then
      syntax_error(self)
    elseif node.type ~= element.type and node.type ~= "null" and element.type ~= "null" then
      type_error(self, node, element.type)
    end
    values[#values + 1] = node
  until not self:accept(",")
  self:expect(")")
  return { type = "bool", eval = function(connection)
    local wanted = element.eval(connection)
    for _, node in ipairs(values) do
      if node.eval() == wanted then
        return true
      end
    end
    return false
  end }
end

function Parser:comparison()
  local left = self:negation()
  if self:accept("word", "in") then
    return self:membership(left)
  end
  local compare = self.kind == "word" and COMPARISONS[self.value]
  if not compare then
    return left
  end
  local ordering = self.value ~= "eq" and self.value ~= "ne"
  self:advance()
  local right = self:negation()
  for _, node in ipairs { left, right } do
    if node.type == "groups" or (ordering and not ORDERED[node.type]) then
      type_error(self, node, "string")
    end
  end
  if left.type ~= right.type and left.type ~= "null" and right.type ~= "null" then
    type_error(self, right, left.type)
  end
  return { type = "bool", eval = function(connection)
    return compare(left.eval(connection), right.eval(connection))
  end }
end

function Parser:conjunction()
  local left = self:comparison()
  while self:accept("word", "and") do
    local a, b = require_bool(self, left), require_bool(self, self:comparison())
    left = { type = "bool", eval = function(connection) return a.eval(connection) and b.eval(connection) end }
  end
  return left
end

function Parser:disjunction()
  local left = self:conjunction()
  while self:accept("word", "or") do
    local a, b = require_bool(self, left), require_bool(self, self:conjunction())
    left = { type = "bool", eval = function(connection) return a.eval(connection) or b.eval(connection) end }
  end
  return left
end

---@param text string
---@return (fun(connection: table): boolean)|nil matches
---@return string|nil message what is wrong with the filter and where
function filter.compile(text)
  local parser = setmetatable({ text = text, at = 1, depth = 0 }, Parser)
  local parsed, result = pcall(function()
    parser:advance()
    local node = parser:disjunction()
    if parser.kind ~= "end" then
      syntax_error(parser)
    end
    return require_bool(parser, node)
  end)
  if parsed then
    return function(connection) return result.eval(connection) == true end
  elseif type(result) == "table" and result.filter then
    return nil, result.filter
  end
  error(result, 0)
end

return filter

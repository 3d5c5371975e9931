--- Patterns in roles: `webpubsub.joinLeaveGroups.<pattern>` and `webpubsub.sendToGroups.<pattern>`.
--
-- As documented in "Use wildcard group role patterns" (learn.microsoft.com, azure-web-pubsub,
-- concept-wildcard-group-roles, 2026-01-28):
--
--     ?    one character, any but `.`
--     *    any number of characters, none of them `.`
--     **   any number of characters
--     \    makes a following `\`, `*` or `?` stand for itself
--
-- A pattern has at most five `*`, those of `**` included. Not documented are a `\` before another character or at the
-- end, which is refused here, and three `*` in a row, which count as `**` and `*`.

local role_patterns = {}

local MAX_STARS = 5
local SEPARATOR = ("."):byte()
local ESCAPABLE = { ["\\"] = true, ["*"] = true, ["?"] = true }

local ONE, SOME, ANY = "one", "some", "any" -- what a token stands for, unless it is the code of a character

-- Returns the list of tokens, or nil and what is wrong with the pattern.
local function parse(text)
  local tokens, stars, at = {}, 0, 1
  while at <= #text do
    local character = text:match("^" .. utf8.charpattern, at)
    at = at + #character
    if character == "\\" then
      local escaped = text:sub(at, at)
      if not ESCAPABLE[escaped] then
        return nil, "a '\\' has to stand before '\\', '*' or '?'"
      end
      tokens[#tokens + 1] = escaped:byte()
      at = at + 1
    elseif character == "*" then
      local doubled = text:sub(at, at) == "*"
      at = at + (doubled and 1 or 0)
      stars = stars + (doubled and 2 or 1)
      tokens[#tokens + 1] = doubled and ANY or SOME
    else
      tokens[#tokens + 1] = character == "?" and ONE or utf8.codepoint(character)
    end
  end
  if stars > MAX_STARS then
    return nil, ("it has %d '*', at most %d are allowed"):format(stars, MAX_STARS)
  end
  return tokens
end

-- Adds the positions in the pattern that can be reached without reading another character: a star may match nothing.
local function skip_stars(tokens, reached)
  for index = 1, #tokens do
    if reached[index] and (tokens[index] == SOME or tokens[index] == ANY) then
      reached[index + 1] = true
    end
  end
  return reached
end

-- Follows all ways to match at once, so the time is at most proportional to the product of both lengths.
local function matches(tokens, text)
  local reached = skip_stars(tokens, { true })
  for _, code in utf8.codes(text) do
    local next_reached = {}
    for index, token in ipairs(tokens) do
      if reached[index] then
        if token == ANY or (token == SOME and code ~= SEPARATOR) then
          next_reached[index] = true
        elseif token == code or (token == ONE and code ~= SEPARATOR) then
          next_reached[index + 1] = true
        end
      end
    end
    reached = skip_stars(tokens, next_reached)
  end
  return reached[#tokens + 1] == true
end

--- Compiles a pattern.
---@param text string
---@return (fun(group: string): boolean)|nil matches
---@return string|nil message what is wrong with the pattern
function role_patterns.compile(text)
  if text == "" or not utf8.len(text) then
    return nil, "it is empty or no UTF-8"
  end
  local tokens, message = parse(text)
  if not tokens then
    return nil, message
  end
  return function(group) return matches(tokens, group) end
end

return role_patterns

--- What a request asks for, taken apart without ever normalising it.
--
-- The token is bound to the URL as it went over the wire, and an id may hold any character. So a path is split at its
-- slashes first and decoded once after that: `%2F` stays part of an id. Segments that other servers would resolve
-- (`.` and `..`, encoded or not) are refused, since a client that sends them most likely means something else.

local request = {}

local Query = {}
Query.__index = Query

--- The first value of a parameter; nil when it is absent or empty.
---@param name string
---@return string|nil
function Query:first(name)
  local value = self:all(name)[1]
  return value ~= "" and value or nil
end

--- All values of a repeated parameter.
---@param name string
---@return string[]
function Query:all(name)
  return self.values[name] or {}
end

local function decode(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil
  end
  local bytes = text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  return utf8.len(bytes) and bytes or nil
end

local function parse_path(path)
  local segments = {}
  if path == "/" then
    return segments
  end
  for raw in path:gmatch("/([^/]*)") do
    local segment = decode(raw)
    if not segment then
      return nil, ("The path segment '%s' is not valid percent-encoded UTF-8."):format(raw)
    elseif segment == "." or segment == ".." then
      return nil, ("The path segment '%s' is a relative reference, which is not allowed."):format(raw)
    elseif segment == "" then
      return nil, "The path has an empty segment."
    end
    segments[#segments + 1] = segment
  end
  return segments
end

local function parse_query(text)
  local query = setmetatable({ values = {} }, Query)
  for pair in text:gmatch("[^&]+") do
    local raw_name, raw_value = pair:match("^([^=]*)=?(.*)$")
    local name, value = decode((raw_name:gsub("+", " "))), decode((raw_value:gsub("+", " ")))
    if not name or not value then
      return nil, ("The query parameter '%s' is not valid percent-encoded UTF-8."):format(raw_name)
    end
    local values = query:all(name)
    values[#values + 1] = value
    query.values[name] = values
  end
  return query
end

--- Takes a request target apart.
---@param target string path and query, as in the request line
---@param origin string `http://host:port` as the client addressed it
---@return table|nil parsed `url` (whole), `base` (without query), `path`, `segments` (decoded), `query`
---@return string|nil message
function request.parse(target, origin)
  local path, query_text = target:match("^(/[^?#]*)%??([^#]*)$")
  if not path then
    return nil, "The request target has to be a path and a query."
  end
  local segments, message = parse_path(path)
  if not segments then
    return nil, message
  end
  local query, query_message = parse_query(query_text)
  if not query then
    return nil, query_message
  end
  return { url = origin .. target, base = origin .. path, path = path, segments = segments, query = query }
end

--- Escapes text for use in a path segment or a query.
---@param text string
---@return string
function request.escape(text)
  return (text:gsub("[^%w._~-]", function(character) return ("%%%02X"):format(character:byte()) end))
end

return request

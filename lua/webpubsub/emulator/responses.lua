--- The responses of the service: empty, JSON, and its shapes of an error.

local json = require "webpubsub.emulator.json"

local responses = {}

---@class EmulatorResponse
---@field status integer
---@field headers table<string, string> names in lower case
---@field body string empty for most

---@return EmulatorResponse
function responses.empty(status, headers)
  return { status = status, headers = headers or {}, body = "" }
end

---@return EmulatorResponse
function responses.json(status, object, headers)
  headers = headers or {}
  headers["content-type"] = headers["content-type"] or "application/json; charset=utf-8"
  return { status = status, headers = headers, body = tostring(object) }
end

--- The flat shape in which the service reports most errors.
---@return EmulatorResponse
function responses.error(status, code, message, target)
  local body = json.object("code", code, "message", message, "target", target or json.null,
    "details", json.null, "inner", json.null)
  return responses.json(status, body, { ["x-ms-error-code"] = code })
end

--- What the service answers to a parameter that is not valid.
---@param target string the parameter
---@param message string
---@return EmulatorResponse
function responses.problem(target, message)
  local body = json.object(
    "code", "Error.BadRequest",
    "message", message,
    "target", target,
    "errors", json.object(target, json.array { message }),
    "type", json.null,
    "title", "One or more validation errors occurred.",
    "status", 400,
    "detail", json.null,
    "instance", json.null,
    "extensions", json.object())
  return responses.json(400, body, {
    ["content-type"] = "application/problem+json; charset=utf-8",
    ["x-ms-error-code"] = "Error.BadRequest",
  })
end

---@param description string why the token is refused
---@return EmulatorResponse
function responses.unauthorized(description)
  return responses.empty(401, {
    ["www-authenticate"] = ('Bearer error="invalid_token", error_description="%s"'):format(description),
  })
end

---@param kind "Connection"|"User"|"Group"
---@param name string
---@param severity "Error"|"Warning"|"Info"
---@return EmulatorResponse
function responses.not_existing(kind, name, severity)
  local code = ("%s.%s.NotExisted"):format(severity, kind)
  return responses.error(404, code, ("%s `%s` is not found."):format(kind, name), kind)
end

return responses

--- What the credentials' options and the environment have in common.

local core = require "webpubsub.core"

local options = {}

local NGINX_HINT = "; inside NGINX the directive env must name it"

--- Raises what is wrong with a credential's options; returns them as a table of their own, without nulls.
---@param given table|nil
---@param kind string  of the credential, such as "client_secret"
---@return table
function options.checked(given, kind)
  given = given or {}
  core.check_options(given, kind, "the table of options", "credential." .. kind)
  local copy = {}
  for name in pairs(given) do copy[name] = core.field(given, name) end
  return copy
end

--- A variable of the environment; an empty one is as good as none.
---@param getenv fun(name: string): string|nil
---@return string|nil
function options.variable(getenv, name)
  local value = (getenv(name) or ""):match "^%s*(.-)%s*$"
  return value ~= "" and value or nil
end

--- Sets an option from the environment where it is not given. Raises, where it is needed and nowhere.
function options.default(given, name, getenv, variable, kind, is_needed)
  given[name] = given[name] or options.variable(getenv, variable)
  if given[name] or not is_needed then return end
  core.raise("argument", "missing", ("%s is missing; give it, or set %s in the environment%s"):format(name, variable,
    options.inside_nginx() and NGINX_HINT or ""), name, "credential." .. kind)
end

--- Sets where Entra ID is.
function options.set_authority(given, getenv)
  local variable = options.variable(getenv, "AZURE_AUTHORITY_HOST")
  given.place, given.place_name = given.authority or variable, given.authority and "authority" or "AZURE_AUTHORITY_HOST"
end

--- Is this a worker of NGINX, which nothing may hold up?
function options.inside_nginx()
  local nginx = rawget(_G, "ngx")
  return nginx ~= nil and nginx.socket ~= nil
end

return options

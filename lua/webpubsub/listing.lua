--- The connections of a group, fetched page by page as they are asked for.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"
local policies = require "webpubsub.policies"

local listing = {}

local OPERATION = "list_connections_in_group"

local members = {}
members.__index = members

-- The continuationToken of a nextLink, unescaped, so that a later listing can go on from there.
local function continuation_of(link)
  local escaped = link and link:match "[?&]continuationToken=([^&]*)"
  return escaped and (escaped:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- A page as a table: `{ items, continuation_token, response }`.
function listing.page(response)
  return {
    items = response.items or {},
    continuation_token = continuation_of(response.next_link),
    response = response,
  }
end

-- A page's request is prepared like the first one's and then pointed at the link the service gave; both are signed
-- for their own URL.
local function prepare(self)
  local call = self.first or core.prepare(self.client, OPERATION, self.arguments)
  self.first = nil
  if self.link then call:follow(self.link) end
  if self.fetched[call:url()] then
    core.raise("protocol", "repeated_link", "the link to the next page leads to one that was listed already; the "
      .. "listing would never end", nil, OPERATION)
  end
  return call
end

-- The next page, or nil and why there is none. One that fails changes nothing: it can be asked for again.
local function fetch(self)
  local call, extras = prepare(self), core.extras(self.client)
  local url = call:url()
  local response, err = driver.run(call, extras, self.arguments)
  self.error = err
  if not response then return driver.failed(err, extras, self.arguments) end
  local page = listing.page(response)
  if response.is_error then -- with no_throw
    page.continuation_token = self.continuation_token
    return page
  end
  self.fetched[url] = true
  self.link = response.next_link
  self.finished = self.link == nil
  self.continuation_token = page.continuation_token
  return page
end

--- Iterates over the pages: `{ items, continuation_token, response }`. With no_throw a page that carries an error is
-- the loop's last; another loop asks for it again. With errors = "return" a failure ends the loop, and is then in
-- `members.error`.
function members:pages()
  local failed = false
  return function()
    if self.finished or failed then return nil end
    local page, err = fetch(self)
    failed = not page or page.response.is_error
    return page, err
  end
end

-- The next member, `{ connection, user }`. Pages may be empty and be followed by others. With errors = "return" it may
-- be nil and the error, which is in `members.error` as well, for a loop drops it.
function members:__call()
  while self.position >= #self.items do
    if self.finished then return nil end
    local page, err = fetch(self)
    if not page then return nil, err end
    if page.response.is_error then
      self.error = page.response.error
      return driver.failed(self.error, core.extras(self.client), self.arguments)
    end
    self.items, self.position = page.items, 0
  end
  self.position = self.position + 1
  return self.items[self.position]
end

function members:__tostring()
  return ("webpubsub listing of a group (%s)"):format(self.finished and "complete" or "more to fetch")
end

--- Checks the arguments at once; the first page is fetched when the first member or page is asked for.
function listing.new(client, arguments)
  local first = core.prepare(client, OPERATION, arguments)
  policies.check_call(arguments, OPERATION)
  local own = {} -- what the caller does to his table must not change the later pages
  for name, value in pairs(arguments) do own[name] = value end
  return setmetatable({
    client = client,
    arguments = own,
    first = first,
    fetched = {}, -- [url] = true
    items = {},
    position = 0,
    finished = false,
    continuation_token = core.field(own, "continuation_token"),
  }, members)
end

return listing

--- The connections of a group, fetched page by page as they are asked for.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"

local listing = {}

local members = {}
members.__index = members

-- The continuationToken of a nextLink, unescaped, so that a later listing can go on from there.
local function continuation_of(link)
  local escaped = link and link:match "[?&]continuationToken=([^&]*)"
  return escaped and (escaped:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A page's request is prepared like the first one's and then pointed at the link the service gave; both are signed
-- for their own URL.
local function fetch(self)
  local call = self.first or core.prepare(self.client, "list_connections_in_group", self.arguments)
  self.first = nil
  if self.link then call:follow(self.link) end
  local response, err = driver.run(call, core.extras(self.client), self.arguments)
  if not response then error(err, 0) end
  self.link = response.next_link
  self.finished = response.next_link == nil
  self.continuation_token = continuation_of(self.link)
  return { items = response.items or {}, continuation_token = self.continuation_token, response = response }
end

local function next_page(self)
  if self.finished then return nil end
  local page = fetch(self)
  if page.response.is_error then self.finished = true end -- no_throw: the page carries the error
  return page
end

--- Iterates over the pages: `{ items, continuation_token, response }`.
function members:pages()
  return next_page, self
end

-- The next member, `{ connection, user }`. Pages may be empty and be followed by others.
function members:__call()
  while self.position >= #self.items do
    local page = next_page(self)
    if not page then return nil end
    if page.response.is_error then error(page.response.error, 0) end
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
  return setmetatable({
    client = client,
    arguments = arguments,
    first = core.prepare(client, "list_connections_in_group", arguments),
    items = {},
    position = 0,
    finished = false,
  }, members)
end

return listing

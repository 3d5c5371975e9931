--- The manual page, in roff: what --help and the help of the commands say, as man(1) likes it.

local core = require "webpubsub.core"

local manual = {}

-- Text within a line; what begins one with a dot or a quote would be a request.
local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1"))
end

-- Help is blocks with a blank line between them: a heading with items, or lines of text. An item's text begins in the
-- same column everywhere, and so do the lines that continue it.
local function add_items(out, block, margin)
  for line in block:gmatch "[^\n]+" do
    local label, text = line:match "^   (%S.-)  +(%S.*)$"
    label = label or #line <= margin and line:match "^   (%S.*)$" or line:match "^   (%-%-.*)$"
    if not label and line:find "^   %S" then label, text = line:match "^   (%S+) +(.*)$" end
    if label then
      out[#out + 1] = ".TP\n.B " .. escape(label)
      if text then out[#out + 1] = escape(text) end
    else
      out[#out + 1] = escape(line:match "^%s*(.*)$")
    end
  end
end

local function add_block(out, block, margin, heading)
  local title, items = block:match "^(%u[%l ]+):\n(   .*)$"
  if title then
    out[#out + 1] = heading .. " " .. title:upper()
    add_items(out, items, margin)
  else
    out[#out + 1] = ".PP"
    for line in block:gmatch "[^\n]+" do
      if line:find "^   " then out[#out + 1] = ".br" end
      out[#out + 1] = escape(line:match "^%s*(.*)$")
    end
  end
end

-- The help of one command. The usage is the first block.
local function add_help(out, text, margin, heading)
  local usage, rest = text:match "^Usage: (.-)\n\n(.*)$"
  out[#out + 1] = ".nf\n" .. escape(usage):gsub("\n +", "\n") .. "\n.fi"
  for block in (rest .. "\n\n"):gmatch "(.-)\n\n" do add_block(out, block, margin, heading) end
end

--- The page.
---@param root string  the help of the program
---@param commands { name: string, text: string }[]  the help of each command
---@param margin integer  the column in which the text of an item begins
---@return string
function manual.text(root, commands, margin)
  local out = {
    ('.TH WEBPUBSUB 1 "" "webpubsub %s" "User Commands"'):format(core.version),
    ".SH NAME", "webpubsub \\- the connections of an Azure Web PubSub hub, from a shell", ".SH SYNOPSIS",
  }
  add_help(out, root, margin, ".SH")
  for _, command in ipairs(commands) do
    out[#out + 1] = ".SH " .. escape(command.name):upper()
    add_help(out, command.text, margin, ".SS")
  end
  return table.concat(out, "\n")
end

return manual

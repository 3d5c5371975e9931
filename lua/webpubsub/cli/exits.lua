--- The exit codes of the program, each with what it stands for. Help and README are checked against this table.

local exits = {}

-- In ascending order of how little was reached; those of a list's items are compared.
exits.table = {
  { code = 0, name = "OK", doc = "done; or the answer is yes" },
  { code = 1, name = "NO", doc = "the answer is no" },
  { code = 2, name = "USAGE", doc = "wrong arguments, settings or list" },
  { code = 3, name = "NO_ANSWER", doc = "no answer that can be used (network, time, token); it may have been done" },
  { code = 4, name = "REFUSED", doc = "refused by the service" },
  { code = 5, name = "UNWRITTEN", doc = "the output cannot be written; what was asked for may be done" },
  { code = 70, name = "BROKEN", doc = "the program cannot run: a module is missing, or a fault of its own" },
  { code = 130, name = "INTERRUPTED", doc = "ended by Ctrl-C" },
}

for _, exit in ipairs(exits.table) do exits[exit.name] = exit.code end

return exits

-- Busted in this very process. Its own launcher starts a second one when it is told which Lua to use, and that one
-- would escape from valgrind.

require("busted.runner")({ standalone = false })

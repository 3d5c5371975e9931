std = "min" -- what Lua 5.1, 5.2, 5.3, 5.4 and LuaJIT have in common
max_line_length = 120
exclude_files = { "build", "node_modules" }
files["lua/webpubsub/emulator"] = { std = "lua54" }
files["spec"] = { std = "min+busted" }
files["spec/support/child"] = { std = "lua54" }
for _, own in ipairs { "bench", "stress", "torture" } do files["spec/" .. own] = { std = "lua54" } end -- not of the suite

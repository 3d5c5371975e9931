-- What Debian's packages provide, as settings for LuaRocks: it then takes the rocks that need them for complete, and
-- fetches nothing.
--
--     apt-get install lua-argparse lua-cjson lua-cqueues lua-http lua-luaossl
--     LUAROCKS_CONFIG=rockspec/debian.lua luarocks make rockspec/webpubsub-cli-scm-1.rockspec

rocks_provided = {
  argparse = "0.7.1-1",
  cqueues = "20200726.51-0",
  http = "0.4-0",
  ["lua-cjson"] = "2.1.0-1",
  luaossl = "20220711-0",
}

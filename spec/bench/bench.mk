# What measures; included by spec.mk. Nothing here is a test: a goal that is missed is said, and make succeeds.
#
#help make bench, bench-many, bench-nginx    speed, as ratios between things run in turn; see spec/bench/README.md
#help make bench-picture      the same into spec/bench/README.md, with its picture

.PHONY: bench bench-built bench-picture bench-many bench-nginx

ROUNDS ?= 9
SECONDS ?= 0.8
# calls flight instructions tick memory nginx size; all by default
ROWS ?=

BENCH_BUILD := build/bench
BENCH_PROGRAMS := spec/bench/programs
SLOW_SERVER := $(BENCH_BUILD)/slow_server
BENCH_BUILT := $(addprefix $(BENCH_BUILD)/,raw_calls raw_flight raw_burst slow_server thread_time.so)
# Others' clients; the vendor's comes with npm, where that is.
BENCH_PEERS := lua-http lua-socket lua-curl lua-luaossl
BENCH_LUA = $(ENVIRONMENT) lua5.4
RESTY_HTTP ?=

# The bench itself runs on Lua 5.4 and measures that and LuaJIT.
bench-built:
	@$(MAKE) --no-print-directory --silent deps-test LUA=jit
	@sh .ci/deps lua5.4 liblua5.4-dev nginx-light valgrind wrk $(BENCH_PEERS)
	@! command -v npm >/dev/null || [ -d spec/interop/node_modules ] || (cd spec/interop && npm install --no-package-lock --no-audit --no-fund --loglevel=error)
	@$(MAKE) --no-print-directory --silent build LUA=jit
	@$(MAKE) --no-print-directory --silent build $(BENCH_BUILT) LUA=5.4

bench: bench-built
	@RESTY_HTTP="$(RESTY_HTTP)" $(BENCH_LUA) spec/bench/run.lua $(ROUNDS) $(SECONDS) - $(ROWS)

bench-picture: bench-built
	@RESTY_HTTP="$(RESTY_HTTP)" $(BENCH_LUA) spec/bench/run.lua $(ROUNDS) $(SECONDS) spec/bench/README.md
	@$(BENCH_LUA) spec/bench/picture.lua $(ROUNDS) $(SECONDS) spec/bench/README.md spec/bench/flight.svg

# Closes the connections of 100,000 users against the emulator; USERS=n of fewer.
bench-many: deps-test
	@sh .ci/deps nginx-light
	@$(MAKE) --no-print-directory --silent build
	@$(ENVIRONMENT) lua5.4 spec/bench/many.lua $(USERS)

# Calls from inside an NGINX worker, with what they do to the worker's other requests.
bench-nginx:
	@$(MAKE) --no-print-directory deps-test LUA=jit
	@sh .ci/deps wrk lua5.4
	@$(MAKE) --no-print-directory build LUA=jit
	@RESTY_HTTP="$(RESTY_HTTP)" $(BENCH_LUA) spec/bench/nginx_calls.lua

$(BENCH_BUILD)/thread_time.so: $(BENCH_PROGRAMS)/thread_time.c
	@mkdir -p $(@D)
	$(CC) -std=c99 -fPIC $(WARNINGS) -O2 -shared $(shell pkg-config --cflags lua5.4) -o $@ $<

$(BENCH_BUILD)/raw_%: $(BENCH_PROGRAMS)/raw_%.c $(BENCH_PROGRAMS)/yardstick.c $(BENCH_PROGRAMS)/yardstick.h
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) -O2 -o $@ $(filter %.c,$^) -lcurl -lcrypto

$(SLOW_SERVER): $(BENCH_PROGRAMS)/slow_server.c
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) -O2 -o $@ $<

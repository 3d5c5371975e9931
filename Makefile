# lua-webpubsub. The two commands to know: `make demo` and `make test`; both install what is missing first.
#
#   make [all]   build for LUA           make lint            warnings, luacheck, clang-tidy, layering
#   make demo    the main job, live      make test-asan       the suite under ASan and UBSan
#   make test    the whole suite         make test-valgrind   the suite under valgrind
#   make bench   speed, as ratios        make torture         every allocation made to fail
#   make stress  threads and exits       make fuzz            random responses for the HTTP/1.1 codec
#   make interop the vendor's own clients    make bench-many, make bench-nginx   100,000 users; calls inside a worker
#   make install LUA=5.4 PREFIX=/usr/local DESTDIR=           make clean, make generate
#
# LUA is 5.1, 5.2, 5.3, 5.4 (the reference) or jit; without it `make test` runs on all of them. One 5.1 build serves
# Lua 5.1, LuaJIT and NGINX.

# `make test` runs on every Lua, unless it is told which.
TEST_LUAS := $(if $(filter undefined,$(origin LUA)),5.4 5.3 5.2 5.1 jit,$(LUA))

LUA ?= 5.4
PREFIX ?= /usr/local
DESTDIR ?=

ABI := $(if $(filter jit,$(LUA)),5.1,$(LUA))
LUA_BIN := $(if $(filter jit,$(LUA)),luajit,lua$(LUA))
LUA_PC := $(if $(filter jit,$(LUA)),luajit,lua$(LUA))

CC ?= cc
CFLAGS ?= -O2 -g -fno-plt -flto=auto
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
            -Wwrite-strings -Wformat=2 -Wvla
CPPFLAGS += -D_POSIX_C_SOURCE=200809L -iquote csrc
ALL_CFLAGS = -std=c99 -fPIC -fvisibility=hidden $(WARNINGS) $(CPPFLAGS) $(CFLAGS)
LUA_CFLAGS = $(shell pkg-config --cflags $(LUA_PC))
# Symbols of Lua come from the program that loads us; everything else must be found when we are linked.
SHARED := -shared -Wl,-z,relro,-z,now

# Another flavour (asan, torture) builds beside the plain one.
FLAVOUR ?=
BUILD := build/$(ABI)$(FLAVOUR:%=-%)

# The folder is the layer: core/ goes into both libraries as far as they need it, curl/ into one of them only.
SOURCES = $(basename $(wildcard $(1)))
CORE := $(call SOURCES,csrc/core/*.c) $(filter-out csrc/lua/curl%,$(call SOURCES,csrc/lua/*.c))
CURL := csrc/core/bytes $(call SOURCES,csrc/curl/*.c csrc/lua/curl*.c)

CORE_SO := $(BUILD)/webpubsub/core.so
CURL_SO := $(BUILD)/webpubsub/curl.so

.PHONY: all demo test test-asan test-valgrind bench bench-many torture stress fuzz interop bench-nginx lint install clean deps deps-build deps-test deps-demo deps-lint

all: deps-build
	@$(MAKE) --no-print-directory build

.PHONY: build
build: $(CORE_SO) $(CURL_SO)

$(CORE_SO): $(CORE:csrc/%=$(BUILD)/obj/%.o)
	@mkdir -p $(@D)
	$(CC) $(SHARED) $(LDFLAGS) $(CFLAGS) -o $@ $^ -lcrypto

$(CURL_SO): $(CURL:csrc/%=$(BUILD)/obj/%.o)
	@mkdir -p $(@D)
	$(CC) $(SHARED) $(LDFLAGS) $(CFLAGS) -o $@ $^ -lcurl -lpthread

$(BUILD)/obj/lua/%.o: csrc/lua/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -c -o $@ $<

-include $(wildcard $(BUILD)/obj/*/*.d)

# ---------------------------------------------------------------- what Debian provides

BUILD_PACKAGES := gcc libc6-dev pkg-config libcurl4-openssl-dev libssl-dev \
                  $(if $(filter jit,$(LUA)),libluajit2-5.1-dev,liblua$(LUA:5.1=5.1-0)-dev)
RUN_PACKAGES := $(if $(filter jit,$(LUA)),luajit2,lua$(LUA)) lua-cjson ca-certificates
# the emulator, always on Lua 5.4
EMULATOR_PACKAGES := lua5.4 lua-http lua-cqueues lua-luaossl lua-cjson lua-argparse
TEST_PACKAGES := lua-busted lua-socket openssl tmux lua-readline lua-luv \
                 $(if $(filter 5.1,$(ABI)),nginx-light libnginx-mod-http-lua procps)
LINT_PACKAGES := lua-check clang-tidy lua5.4

deps: deps-test deps-lint
deps-build:
	@sh .ci/deps $(BUILD_PACKAGES) $(RUN_PACKAGES)
deps-demo:
	@sh .ci/deps $(BUILD_PACKAGES) $(RUN_PACKAGES) $(EMULATOR_PACKAGES)
deps-test:
	@sh .ci/deps $(BUILD_PACKAGES) $(RUN_PACKAGES) $(EMULATOR_PACKAGES) $(TEST_PACKAGES)
deps-lint:
	@sh .ci/deps $(BUILD_PACKAGES) $(LINT_PACKAGES)

# ---------------------------------------------------------------- running

ENVIRONMENT = LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;" \
              LUA_CPATH="$(CURDIR)/$(BUILD)/?.so;$(CURDIR)/build/bench/?.so;;" WEBPUBSUB_BUILD="$(CURDIR)/$(BUILD)"
BUSTED = busted --lua=$(shell command -v $(LUA_BIN)) --output=$(OUTPUT) $(SPECS)
OUTPUT ?= utfTerminal
SPECS ?= spec

demo:
	@$(MAKE) --no-print-directory --silent run-demo LUA=5.4
.PHONY: run-demo
run-demo: deps-demo
	@$(MAKE) --no-print-directory --silent build
	@$(ENVIRONMENT) lua5.4 lua/webpubsub/emulator/demo.lua

test:
	@failed=; for lua in $(TEST_LUAS); do \
	    $(MAKE) --no-print-directory test-one LUA=$$lua || failed="$$failed $$lua"; \
	done; [ -z "$$failed" ] || { echo "The suite failed on Lua$$failed." >&2; exit 1; }
.PHONY: test-one
test-one: deps-test
	@$(MAKE) --no-print-directory build
	$(ENVIRONMENT) $(BUSTED)

# What follows runs the interpreter as it is and leaves out the specs in which no C of ours runs: of the emulator, whose
# libraries leak, of the spec support and of packaging. Leaks count as failures.
CHECKED := --exclude-pattern=emulator_ --exclude-pattern=support_ --exclude-pattern=packaging
CHECKED_BUSTED = $(LUA_BIN) spec/support/busted.lua --output=$(OUTPUT) $(CHECKED) $(SPECS)

# The sanitizer is inherited by every child, mktemp included, but leaks are looked for in the specs' own process only:
# its options are in a file of that process's number.
ASAN_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_FILE := $(CURDIR)/$(BUILD)/asan
test-asan: deps-test
	@$(MAKE) --no-print-directory build FLAVOUR=asan CFLAGS="$(ASAN_FLAGS)"
	@$(MAKE) --no-print-directory run-asan FLAVOUR=asan
.PHONY: run-asan
run-asan:
	@rm -f $(ASAN_FILE).*
	echo detect_leaks=1 >$(ASAN_FILE).$$$$ && exec env $(ENVIRONMENT) \
	    ASAN_OPTIONS=detect_leaks=0:include_if_exists=$(ASAN_FILE).%p \
	    LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" $(CHECKED_BUSTED)

VALGRIND := valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --trace-children=no
test-valgrind: deps-test
	@sh .ci/deps valgrind
	@$(MAKE) --no-print-directory build
	$(ENVIRONMENT) $(VALGRIND) $(CHECKED_BUSTED)

RAW_CALLS := build/bench/raw_calls
RAW_BURST := build/bench/raw_burst
SLOW_SERVER := build/bench/slow_server
THREAD_TIME := build/bench/thread_time.so

# The library in one piece with a Lua host, its memory from a counter that fails.
TORTURE := build/torture/torture
TORTURE_CFLAGS = -std=c99 $(WARNINGS) -iquote csrc -D_GNU_SOURCE= -O1 -g $(shell pkg-config --cflags lua5.4)
torture: deps-test
	@$(MAKE) --no-print-directory build $(TORTURE)
	$(ENVIRONMENT) lua5.4 spec/torture/run.lua $(TORTURE)

$(TORTURE): $(wildcard csrc/*/*.[ch] spec/torture/*.[ch])
	@mkdir -p $(@D)
	$(CC) $(TORTURE_CFLAGS) -c -o $@.o spec/torture/torture.c
	$(CC) $(TORTURE_CFLAGS) -include spec/torture/allocate.h -o $@ $@.o $(wildcard csrc/*/*.c) \
	    -llua5.4 -lcurl -lcrypto -lpthread -ldl

# The background engine in several Lua states at once: under ThreadSanitizer, under ASan, and as it is.
STRESS_HOSTS := build/stress/thread build/stress/address build/stress/plain
build/stress/thread: SANITIZER := -fsanitize=thread
build/stress/address: SANITIZER := -fsanitize=address,undefined
stress: deps-test
	@$(MAKE) --no-print-directory build $(STRESS_HOSTS) $(SLOW_SERVER)
	TSAN_OPTIONS=suppressions=spec/stress/thread.supp $(ENVIRONMENT) \
	    lua5.4 spec/stress/run.lua $(SLOW_SERVER) $(STRESS_HOSTS)

$(STRESS_HOSTS): $(wildcard csrc/*/*.[ch]) spec/stress/host.c
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) $(CPPFLAGS) -O1 -g $(SANITIZER) $(shell pkg-config --cflags lua5.4) -o $@ \
	    $(filter %.c,$^) -llua5.4 -lcurl -lcrypto -lpthread -ldl

# Random responses against the HTTP/1.1 codec, under ASan and UBSan.
HTTP1_FUZZ := build/fuzz/http1_fuzz
FUZZ_SECONDS ?= 10
fuzz: deps-build $(HTTP1_FUZZ)
	$(HTTP1_FUZZ) $(FUZZ_SECONDS)

$(HTTP1_FUZZ): spec/fuzz/http1_fuzz.c csrc/core/http1.c csrc/core/http1_request.c csrc/core/headers.c csrc/core/bytes.c $(wildcard csrc/core/*.h)
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) $(CPPFLAGS) $(ASAN_FLAGS) -o $@ $(filter %.c,$^)

bench: deps-test
	@sh .ci/deps nginx-light
	@$(MAKE) --no-print-directory build $(RAW_CALLS) $(RAW_BURST) $(SLOW_SERVER) $(THREAD_TIME)
	@$(ENVIRONMENT) lua5.4 spec/bench/run.lua $(RAW_CALLS)
	@$(ENVIRONMENT) lua5.4 spec/bench/tick.lua $(RAW_BURST) $(SLOW_SERVER)

# Closes the connections of 100,000 users against the emulator; USERS=n of fewer.
bench-many: deps-test
	@sh .ci/deps nginx-light
	@$(MAKE) --no-print-directory --silent build
	@$(ENVIRONMENT) lua5.4 spec/bench/many.lua $(USERS)

$(THREAD_TIME): spec/bench/thread_time.c
	@mkdir -p $(@D)
	$(CC) -std=c99 -fPIC $(WARNINGS) -O2 -shared $(shell pkg-config --cflags lua5.4) -o $@ $<

# Calls from inside an NGINX worker. The bench itself runs on Lua 5.4.
bench-nginx:
	@$(MAKE) --no-print-directory deps-test LUA=jit
	@sh .ci/deps wrk lua5.4
	@$(MAKE) --no-print-directory build LUA=jit
	@$(ENVIRONMENT) lua5.4 spec/bench/nginx_calls.lua $(CURDIR)/build/5.1

# node and npm come from Debian where the machine has none of its own.
interop:
	@{ command -v node && command -v npm; } >/dev/null || sh .ci/deps nodejs npm
	@sh .ci/deps $(EMULATOR_PACKAGES)
	lua5.4 spec/interop/run.lua

build/bench/%: spec/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) -O2 -o $@ $< -lcurl

lint: deps-lint
	@sh .ci/lint $(LUA_PC)
.PHONY: compile-strictly
compile-strictly:
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -Werror -fsyntax-only $(FILE)

install: build
	install -d $(DESTDIR)$(PREFIX)/lib/lua/$(ABI)/webpubsub
	install -m 755 $(CORE_SO) $(CURL_SO) $(DESTDIR)$(PREFIX)/lib/lua/$(ABI)/webpubsub
	cd lua && find . -name '*.lua' -exec install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX))/share/lua/$(ABI)/{} \;
	install -d $(DESTDIR)$(PREFIX)/bin
	sed '1s|.*|#!/usr/bin/env $(LUA_BIN)|' lua/webpubsub/cli/webpubsub.lua > $(DESTDIR)$(PREFIX)/bin/webpubsub
	chmod 755 $(DESTDIR)$(PREFIX)/bin/webpubsub

# What the table of operations says, for editors and readers.
.PHONY: generate
generate: build
	@$(ENVIRONMENT) $(LUA_BIN) spec/generate/run.lua

clean:
	rm -rf build

# lua-webpubsub. The two commands to know: `make demo` and `make test`; on Debian both install what is missing first.

.DEFAULT_GOAL := all

#help make [all]         build the library for LUA, with what the machine has; names what is missing
#help make demo          the main job, live, against the local emulator           (installs on Debian)
#help make test          the whole suite, on every Lua or on LUA                  (installs on Debian)
#help make install       below PREFIX, for LUA; DESTDIR works as usual
#help make uninstall     removes what install put there
#help make lint          compiler warnings, clang-tidy, luacheck, layering        (installs on Debian)
#help make generate      annotations and references from the tables in C, and the rockspecs
#help make release       checks the version, makes the archive and the rocks, says what to tag
#help make clean
#help
#help LUA is 5.1, 5.2, 5.3, 5.4, 5.5 or jit. One 5.1 build serves Lua 5.1, LuaJIT and NGINX.
#help OPENRESTY=/usr/local/openresty builds and installs for OpenResty: its own LuaJIT and OpenSSL, without libcurl.

# `make test` runs on every Lua, unless it is told which.
TEST_LUAS := $(if $(filter undefined,$(origin LUA)),5.4 5.3 5.2 5.1 jit,$(LUA))

OPENRESTY ?=
ifneq ($(OPENRESTY),)
LUA := jit
endif
FOUND := $(shell sh .ci/find-lua $(LUA))
LUA ?= $(word 1,$(FOUND))
PREFIX ?= /usr/local
DESTDIR ?=

ABI := $(if $(filter jit,$(LUA)),5.1,$(LUA))
LUA_BIN := $(if $(filter-out -,$(word 2,$(FOUND))),$(word 2,$(FOUND)),$(if $(filter jit,$(LUA)),luajit,lua$(LUA)))
LUA_HEADERS := $(word 3,$(FOUND))

CC ?= cc
# Some flags, where the compiler knows them.
knows = $(shell echo 'int main(void){return 0;}' | $(CC) $(1) -Werror -x c -o /dev/null - 2>/dev/null && echo $(1))
CFLAGS ?= -O2 -g $(call knows,-fno-plt) $(call knows,-flto=auto)
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
            -Wwrite-strings -Wformat=2 -Wvla
HARDENING ?= $(call knows,-fstack-protector-strong) $(call knows,-fcf-protection) \
             $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
CFLAGS := $(CFLAGS)
HARDENING := $(HARDENING)
BASE := -D_POSIX_C_SOURCE=200809L -iquote csrc
ALL_CFLAGS = -std=c99 -fPIC -fvisibility=hidden $(WARNINGS) $(BASE) $(HARDENING) $(CPPFLAGS) $(CFLAGS)
comma := ,
ifeq ($(OPENRESTY),)
LIBRARIES := libcurl openssl
else
LUA_HEADERS := $(firstword $(wildcard $(OPENRESTY)/luajit/include/luajit-2.*) -)
OPENRESTY_SSL := $(firstword $(wildcard $(OPENRESTY)/openssl3 $(OPENRESTY)/openssl111 $(OPENRESTY)/openssl))
LIBRARIES := $(if $(OPENRESTY_SSL),,openssl)
BASE += $(if $(OPENRESTY_SSL),-I$(OPENRESTY_SSL)/include)
LDFLAGS += $(if $(OPENRESTY_SSL),-L$(OPENRESTY_SSL)/lib -Wl$(comma)-rpath$(comma)$(OPENRESTY_SSL)/lib)
endif
LUA_CFLAGS = $(if $(filter /%,$(LUA_HEADERS)),-I$(LUA_HEADERS),$(shell pkg-config --cflags $(LUA_HEADERS)))
# Symbols of Lua come from the program that loads us; everything else must be found when we are linked.
LIBFLAG ?= $(if $(filter Darwin,$(shell uname)),-bundle -undefined dynamic_lookup,-shared)
SHARED := $(LIBFLAG) $(call knows,-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)

# Another flavour (asan, torture) builds beside the plain one.
FLAVOUR ?= $(if $(OPENRESTY),openresty)
BUILD := build/$(ABI)$(FLAVOUR:%=-%)

# The folder is the layer: core/ goes into both libraries as far as they need it, curl/ into one of them only.
SOURCES = $(basename $(wildcard $(1)))
CORE := $(call SOURCES,csrc/core/*.c) $(filter-out csrc/lua/curl%,$(call SOURCES,csrc/lua/*.c))
CURL := $(addprefix csrc/core/,bytes headers http1 http1_request exchange) \
        $(call SOURCES,csrc/curl/*.c csrc/lua/curl*.c)

CORE_SO := $(BUILD)/webpubsub/core.so
CURL_SO := $(if $(OPENRESTY),,$(BUILD)/webpubsub/curl.so)

.PHONY: all help build demo test lint install uninstall generate release clean

all:
	@sh .ci/need "$(firstword $(CC))" $(LUA) $(LUA_HEADERS) $(LIBRARIES)
	@$(MAKE) --no-print-directory build LUA=$(LUA)
	@echo "Built for Lua $(LUA) in $(BUILD). Next: make install LUA=$(LUA) $(if $(OPENRESTY),OPENRESTY=$(OPENRESTY),PREFIX=…)"

help:
	@sed -n 's/^#help \{0,1\}//p' $(MAKEFILE_LIST)

build: $(CORE_SO) $(CURL_SO)

$(CORE_SO): $(CORE:csrc/%=$(BUILD)/obj/%.o)
	@mkdir -p $(@D)
	$(CC) $(SHARED) $(LDFLAGS) $(CFLAGS) -o $@ $^ -lcrypto

$(BUILD)/webpubsub/curl.so: $(CURL:csrc/%=$(BUILD)/obj/%.o)
	@mkdir -p $(@D)
	$(CC) $(SHARED) $(LDFLAGS) $(CFLAGS) -o $@ $^ -lcurl -lssl -lcrypto -lpthread

$(BUILD)/obj/lua/%.o: csrc/lua/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(wildcard $(BUILD)/obj/*/*.d)

# ---------------------------------------------------------------- what Debian provides; "one|other" differ by release

BUILD_PACKAGES := gcc libc6-dev pkg-config libcurl4-openssl-dev libssl-dev \
                  $(if $(filter jit,$(LUA)),libluajit2-5.1-dev|libluajit-5.1-dev,$(patsubst %,liblua%-dev,$(filter-out 5.5,$(LUA:5.1=5.1-0))))
RUN_PACKAGES := $(if $(filter jit,$(LUA)),luajit2|luajit,$(addprefix lua,$(filter-out 5.5,$(LUA)))) lua-cjson ca-certificates
# the emulator, always on Lua 5.4
EMULATOR_PACKAGES := lua5.4 lua-http lua-cqueues lua-luaossl lua-cjson lua-argparse
TEST_PACKAGES := lua-busted lua-socket openssl tmux lua-readline lua-luv locales parallel luarocks zip unzip \
                 $(if $(filter 5.1,$(ABI)),nginx-light libnginx-mod-http-lua procps)
LINT_PACKAGES := lua5.4 lua-check clang-tidy lua5.4

INSTALL_PACKAGES = sh .ci/deps $(foreach package,$(1),'$(package)')

.PHONY: deps deps-build deps-demo deps-test deps-lint
deps: deps-test deps-lint
deps-build:
	@$(call INSTALL_PACKAGES,$(BUILD_PACKAGES) $(RUN_PACKAGES))
deps-demo:
	@$(call INSTALL_PACKAGES,$(BUILD_PACKAGES) $(RUN_PACKAGES) $(EMULATOR_PACKAGES))
deps-test:
	@$(call INSTALL_PACKAGES,$(BUILD_PACKAGES) $(RUN_PACKAGES) $(EMULATOR_PACKAGES) $(TEST_PACKAGES))
deps-lint:
	@$(call INSTALL_PACKAGES,$(BUILD_PACKAGES) $(LINT_PACKAGES))

# ---------------------------------------------------------------- running

# Lua 5.5 is not Debian's: it is the one on the PATH, which borrows the modules of 5.4 that are Lua.
BORROWED := $(if $(filter 5.5,$(LUA)),;/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua)
ENVIRONMENT = LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;$(BORROWED);" \
              LUA_CPATH="$(CURDIR)/$(BUILD)/?.so;$(CURDIR)/build/bench/?.so;;" WEBPUBSUB_BUILD="$(CURDIR)/$(BUILD)"

# Packages come first, and may bring the very Lua that the next make looks for.
demo:
	@$(MAKE) --no-print-directory --silent deps-demo LUA=5.4
	@$(MAKE) --no-print-directory --silent run-demo LUA=5.4
.PHONY: run-demo
run-demo: build
	@$(ENVIRONMENT) $(LUA_BIN) lua/webpubsub/emulator/demo.lua

test:
	@failed=; for lua in $(TEST_LUAS); do \
	    $(MAKE) --no-print-directory test-one LUA=$$lua || failed="$$failed $$lua"; \
	done; [ -z "$$failed" ] || { echo "The suite failed on Lua$$failed." >&2; exit 1; }

include spec/spec.mk

lint: deps-lint
	@sh .ci/lint $(LUA_HEADERS)
.PHONY: compile-strictly
compile-strictly:
	@mkdir -p build/lint/$(notdir $(patsubst %/,%,$(dir $(FILE))))
	$(CC) $(ALL_CFLAGS) -fno-lto $(LUA_CFLAGS) -Werror -c -o $(FILE:csrc/%.c=build/lint/%.o) $(FILE)

# ---------------------------------------------------------------- installing

SHARE := $(PREFIX)/share/lua/$(ABI)
LIB := $(PREFIX)/lib/lua/$(ABI)
ifneq ($(OPENRESTY),)
SHARE := $(OPENRESTY)/site/lualib
LIB := $(SHARE)
endif

# The program is not for OpenResty's tree: nothing in it is for a worker.
PARTS := library $(if $(OPENRESTY),,cli emulator)
BIN := $(DESTDIR)$(PREFIX)/bin
MAN := $(DESTDIR)$(PREFIX)/share/man/man1
BASH := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH := $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISH := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

# The Lua files of each part. Not installed: what only the demo needs.
MODULES_OF_library := . ! -path './webpubsub/cli/*' ! -path './webpubsub/emulator/*'
MODULES_OF_cli := ./webpubsub/cli
MODULES_OF_emulator := ./webpubsub/emulator ! -name demo.lua
install_modules = @echo "Installing the $(1) in $(DESTDIR)$(SHARE)." && cd lua && to=$(abspath $(DESTDIR)$(SHARE)) && \
    find $(MODULES_OF_$(1)) -name '*.lua' -type f | while read -r file; do \
        install -d "$$to/$${file%/*}" && install -m 644 "$$file" "$$to/$$file" || exit 1; \
    done

.PHONY: $(PARTS:%=install-%) install-help build-rock
install: build
	@$(MAKE) --no-print-directory $(PARTS:%=install-%) $(if $(OPENRESTY),,install-help)
	@[ -n "$(OPENRESTY)$(DESTDIR)" ] || sh .ci/searched $(LUA_BIN) $(SHARE) $(LIB)

install-library:
	install -d $(DESTDIR)$(LIB)/webpubsub
	install -m 755 $(CORE_SO) $(CURL_SO) $(DESTDIR)$(LIB)/webpubsub
	$(call install_modules,library)

install-cli:
	$(call install_modules,cli)
	install -d $(BIN)
	sed '1s|.*|#!/usr/bin/env $(LUA_BIN)|' lua/webpubsub/cli/main.lua > $(BIN)/webpubsub
	chmod 755 $(BIN)/webpubsub

install-emulator:
	$(call install_modules,emulator)

# For LuaRocks, which may build for another Lua each time.
build-rock:
	rm -rf $(BUILD)
	@$(MAKE) --no-print-directory build

# What the program prints about itself, where man and the shells look for it.
PROGRAM = $(ENVIRONMENT) $(LUA_BIN) lua/webpubsub/cli/main.lua
install-help:
	@if $(PROGRAM) --version >/dev/null 2>&1; then \
	    install -d $(MAN) $(BASH) $(ZSH) $(FISH) && \
	    $(PROGRAM) manual >$(MAN)/webpubsub.1 && \
	    $(PROGRAM) completion bash >$(BASH)/webpubsub && \
	    $(PROGRAM) completion zsh >$(ZSH)/_webpubsub && \
	    $(PROGRAM) completion fish >$(FISH)/webpubsub.fish; \
	else \
	    echo "No manual page and no completions, for the program does not run: it needs lua-argparse and lua-cjson."; \
	fi

uninstall:
	rm -rf $(DESTDIR)$(SHARE)/webpubsub $(DESTDIR)$(LIB)/webpubsub
	$(if $(OPENRESTY),,rm -f $(BIN)/webpubsub $(MAN)/webpubsub.1 $(BASH)/webpubsub $(ZSH)/_webpubsub $(FISH)/webpubsub.fish)

# What the tables in C say, for editors and readers; and the rockspecs.
generate: build
	@$(ENVIRONMENT) $(LUA_BIN) spec/generate/run.lua

release:
	@sh .ci/deps zip
	@$(MAKE) --no-print-directory --silent generate
	@$(ENVIRONMENT) sh .ci/release $(LUA_BIN)

clean:
	rm -rf build

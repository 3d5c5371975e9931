# Everything that tests or measures; included by the Makefile.
#
#help
#help make test-one LUA=5.4 SPECS=spec/call_spec.lua    some specs on one Lua
#help make test-more     all of the following, which takes long
#help make interop       the vendor's own clients against the emulator              (node, npm's registry)
#help make test-browser  the emulator's page                                        (chromium)
#help make test-hosts    the library in Neovim, HAProxy and other programs          (eight servers)
#help make test-editors  the annotations in lua-language-server                      (lua-language-server on the PATH)
#help make test-musl     the core on another C library                              (musl-tools)
#help make test-debian12, test-debian13, test-i386      the suite in a clean root of that system   (root, debootstrap)
#help
#help make test-asan, test-valgrind, test-poll, torture, stress, fuzz    memory, threads, poll(2), exits, hostile bytes
#help make oracle        100,000 responses through our HTTP and through libcurl's
#help make picture       the picture of the emulator's page, taken anew

.PHONY: test-one test-asan run-asan test-poll test-valgrind torture stress fuzz oracle interop picture

# The suite is the specs right below spec; what spec/more holds takes long or needs more than Debian's Lua.
RUNNER = $(if $(BORROWED),$(LUA_BIN) spec/support/busted.lua,busted --lua=$(shell command -v $(LUA_BIN)))
BUSTED = $(RUNNER) --no-recursive --output=$(OUTPUT) $(SPECS)
OUTPUT ?= utfTerminal
SPECS ?= spec

# Parts of the core as the specs call them.
NATIVE_SO := $(BUILD)/spec_native.so
.PHONY: build-tested
build-tested: build $(NATIVE_SO)

$(NATIVE_SO): spec/native/native.c $(patsubst %,$(BUILD)/obj/core/%.o,json json_number bytes)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) $(SHARED) $(LDFLAGS) -o $@ $^ -lcrypto

# Packages come first, and may bring the very Lua that the next make looks for.
test-one: deps-test
	@$(MAKE) --no-print-directory run-specs LUA=$(LUA)
.PHONY: run-specs
run-specs: build-tested
	$(ENVIRONMENT) $(BUSTED)

# What follows runs the interpreter as it is and leaves out the specs in which no C of ours runs: of the emulator, whose
# libraries leak, of the spec support and of packaging. Leaks count as failures.
CHECKED := --exclude-pattern=emulator_ --exclude-pattern=support_ --exclude-pattern=packaging
CHECKED_BUSTED = $(LUA_BIN) spec/support/busted.lua --no-recursive --output=$(OUTPUT) $(CHECKED) $(SPECS)

# The sanitizer is inherited by every child, mktemp included, but leaks are looked for in the specs' own process only:
# its options are in a file of that process's number.
ASAN_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_FILE := $(CURDIR)/$(BUILD)/asan
test-asan: deps-test
	@$(MAKE) --no-print-directory build-tested FLAVOUR=asan HARDENING= CFLAGS="$(ASAN_FLAGS)"
	@$(MAKE) --no-print-directory run-asan FLAVOUR=asan
run-asan:
	@rm -f $(ASAN_FILE).*
	echo detect_leaks=1 >$(ASAN_FILE).$$$$ && exec env $(ENVIRONMENT) \
	    ASAN_OPTIONS=detect_leaks=0:include_if_exists=$(ASAN_FILE).%p \
	    LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" $(CHECKED_BUSTED)

# The engine with poll(2), as systems without epoll have it.
POLL_SPECS = $(wildcard spec/curl_*_spec.lua) spec/task_spec.lua spec/cancel_spec.lua
test-poll: deps-test
	@$(MAKE) --no-print-directory run-specs FLAVOUR=poll CPPFLAGS=-DWPS_LOOP_POLL SPECS="$(POLL_SPECS)"

VALGRIND := valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --trace-children=no
test-valgrind: deps-test
	@sh .ci/deps valgrind
	@$(MAKE) --no-print-directory build-tested
	$(ENVIRONMENT) $(VALGRIND) $(CHECKED_BUSTED)

include spec/bench/bench.mk

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
	    -llua5.4 -lcurl -lssl -lcrypto -lpthread -ldl

# The background engine in several Lua states at once: under ThreadSanitizer, under ASan, and as it is.
STRESS_HOSTS := build/stress/thread build/stress/address build/stress/plain
build/stress/thread: SANITIZER := -fsanitize=thread
build/stress/address: SANITIZER := -fsanitize=address,undefined
stress: deps-test
	@$(MAKE) --no-print-directory build $(STRESS_HOSTS) $(SLOW_SERVER)
	$(ENVIRONMENT) lua5.4 spec/stress/run.lua $(SLOW_SERVER) $(STRESS_HOSTS)

$(STRESS_HOSTS): $(wildcard csrc/*/*.[ch]) spec/stress/host.c
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) $(BASE) -O1 -g $(SANITIZER) $(shell pkg-config --cflags lua5.4) -o $@ \
	    $(filter %.c,$^) -llua5.4 -lcurl -lssl -lcrypto -lpthread -ldl

# Random responses, streams and documents against the HTTP/1.1 codec, the exchange and the reader of JSON, under ASan and
# UBSan.
FUZZERS := build/fuzz/http1_fuzz build/fuzz/exchange_fuzz build/fuzz/json_fuzz
FUZZ_SECONDS ?= 10
fuzz: deps-build $(FUZZERS)
	@for fuzzer in $(FUZZERS); do $$fuzzer $(FUZZ_SECONDS) || exit 1; done

# What the exchange stands on, without the rest of the core.
HTTP1 := $(addprefix csrc/core/,exchange.c http1.c http1_request.c headers.c bytes.c)
build/fuzz/http1_fuzz build/fuzz/exchange_fuzz: $(HTTP1)
build/fuzz/json_fuzz: $(addprefix csrc/core/,json.c json_number.c bytes.c)
$(FUZZERS): build/fuzz/%: spec/fuzz/%.c $(wildcard spec/fuzz/*.h csrc/core/*.h)
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) $(BASE) $(ASAN_FLAGS) -o $@ $(filter %.c,$^)

# The same responses through our exchange and through libcurl's own HTTP.
ORACLE := build/oracle/oracle
oracle: deps-test $(ORACLE)
	ORACLE_RESPONSES=100000 $(MAKE) --no-print-directory run-specs LUA=5.4 SPECS=spec/oracle_spec.lua

$(ORACLE): spec/oracle/oracle.c spec/fuzz/messages.h $(HTTP1) $(wildcard csrc/core/*.h)
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARNINGS) $(BASE) -O2 -o $@ $(filter %.c,$^) -lcurl

# node and npm come from Debian where the machine has none of its own.
interop:
	@{ command -v node && command -v npm; } >/dev/null || sh .ci/deps nodejs npm
	@sh .ci/deps $(EMULATOR_PACKAGES)
	lua5.4 spec/interop/run.lua

BROWSER_PACKAGES := chromium chromium-driver
picture:
	@$(MAKE) --no-print-directory deps-test LUA=5.4
	@$(call INSTALL_PACKAGES,$(BROWSER_PACKAGES))
	@$(MAKE) --no-print-directory run-picture LUA=5.4
.PHONY: run-picture
run-picture: build
	@$(ENVIRONMENT) lua5.4 spec/pictures/run.lua


# ---------------------------------------------------------------- what takes long, or needs more than Debian's C and Lua

# A clean root of a Debian release, with nothing but git and make, in which the last commit is cloned and tested.
.PHONY: test-debian12 test-debian13 test-i386 test-musl
test-debian12:
	sh spec/roots/run.sh bookworm "" "make demo && bash .ci/run"
test-debian13:
	sh spec/roots/run.sh trixie "" "make demo && bash .ci/run"
test-i386:
	sh spec/roots/run.sh bookworm i386 "make test LUA=5.4"

# csrc/core alone, on another C library. OpenSSL is for this machine's: what uses it is compiled against its headers and
# left out of the program.
MUSL_CORE := build/musl/core
MUSL_FLAGS = -std=c99 -O2 -static $(WARNINGS) -Werror $(BASE) -idirafter /usr/include/$(shell $(CC) -print-multiarch) \
             -idirafter /usr/include
WITH_OPENSSL := $(addprefix csrc/core/,events.c jwt.c)
test-musl:
	@sh .ci/deps musl-tools libssl-dev
	@$(MAKE) --no-print-directory $(MUSL_CORE)
	$(MUSL_CORE)

$(MUSL_CORE): spec/musl/core.c $(wildcard csrc/core/*.[ch])
	@mkdir -p $(@D)
	musl-gcc $(MUSL_FLAGS) -fsyntax-only $(WITH_OPENSSL)
	musl-gcc $(MUSL_FLAGS) -o $@ $(filter-out $(WITH_OPENSSL),$(filter %.c,$^))

# The vendor's clients, a browser, other hosts, another C library, clean roots: all of them, whatever fails on the way.
MORE := interop test-browser test-hosts test-editors test-musl test-debian12 test-debian13 test-i386
.PHONY: test-more test-browser test-hosts test-editors
test-more:
	@failed=; for target in $(MORE); do \
	    echo "---- make $$target" && $(MAKE) --no-print-directory $$target || failed="$$failed $$target"; \
	done; [ -z "$$failed" ] || { echo "Failed:$$failed" >&2; exit 1; }

test-browser:
	@$(call INSTALL_PACKAGES,$(BROWSER_PACKAGES))
	@$(MAKE) --no-print-directory test-one LUA=5.4 SPECS=spec/more/emulator_page_spec.lua

# With the lua-language-server that is on the PATH; without one nothing is tried.
test-editors:
	@$(MAKE) --no-print-directory test-one LUA=5.4 SPECS=spec/more/editors_spec.lua

HOST_PACKAGES := neovim prosody tarantool haproxy love knot-resolver apache2 lighttpd lighttpd-modules-lua
test-hosts:
	@$(call INSTALL_PACKAGES,$(HOST_PACKAGES))
	@$(MAKE) --no-print-directory test-one LUA=5.4 SPECS=spec/more/hosts_spec.lua

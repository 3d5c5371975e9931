/* torture.c - a Lua host that fails the nth allocation of the Lua state, of libcurl and of the library, on one counter.
 *
 *     torture SCRIPT ARGUMENT
 *
 * SCRIPT returns a function `prepare(argument)`, which returns a function `attempt()`. For every n, in a state of its
 * own, `prepare` runs undisturbed and `attempt` runs with its nth allocation failing: once, and then again with all
 * from the nth on failing, until `attempt` gets through without having met a failure. Every time it must either
 * return true or raise an error about memory, and afterwards every block must have been given back. */
#define WPS_TORTURE_HOST
#include "allocate.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

int luaopen_webpubsub_core(lua_State *L);
int luaopen_webpubsub_curl(lua_State *L);

/* Atomic, for the background engine allocates in its thread. */
static struct {
    bool armed;
    bool persistent; /* all from the nth on fail, not only that one */
    long countdown;
    long met;         /* failures dealt out */
    long outstanding; /* blocks not given back */
} state;

static bool must_fail(void)
{
    long left;

    if (!__atomic_load_n(&state.armed, __ATOMIC_SEQ_CST))
        return false;
    left = __atomic_sub_fetch(&state.countdown, 1, __ATOMIC_SEQ_CST);
    if (left > 0 || (left < 0 && !state.persistent))
        return false;
    __atomic_add_fetch(&state.met, 1, __ATOMIC_SEQ_CST);
    return true;
}

static void count(bool more, bool less)
{
    __atomic_add_fetch(&state.outstanding, (long)more - (long)less, __ATOMIC_SEQ_CST);
}

void *torture_malloc(size_t size)
{
    void *memory = must_fail() ? NULL : malloc(size);

    count(memory != NULL, false);
    return memory;
}

void *torture_calloc(size_t members, size_t size)
{
    void *memory = must_fail() ? NULL : calloc(members, size);

    count(memory != NULL, false);
    return memory;
}

void *torture_realloc(void *old, size_t size)
{
    void *memory = must_fail() ? NULL : realloc(old, size);

    count(memory != NULL && old == NULL, false);
    return memory;
}

char *torture_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = torture_malloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

void torture_free(void *memory)
{
    count(false, memory != NULL);
    free(memory);
}

/* Lua relies on shrinking never to fail. */
static void *lua_allocate(void *ignored, void *old, size_t old_size, size_t size)
{
    (void)ignored;
    if (size == 0) {
        torture_free(old);
        return NULL;
    }
    if (old && size <= old_size)
        return realloc(old, size);
    return torture_realloc(old, size);
}

static void open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_webpubsub_core);
    lua_setfield(L, -2, "webpubsub.core");
    lua_pushcfunction(L, luaopen_webpubsub_curl);
    lua_setfield(L, -2, "webpubsub.curl");
    lua_pop(L, 1);
}

/* Leaves the attempt on the stack. */
static bool prepare(lua_State *L, const char *script, const char *argument)
{
    open_libraries(L);
    if (luaL_dofile(L, script) == LUA_OK) {
        lua_pushstring(L, argument);
        if (lua_pcall(L, 1, 1, 0) == LUA_OK)
            return true;
    }
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return false;
}

/* libcurl reports an over-long header line with the same code as a lack of memory, so ours may speak of both. */
static bool is_memory_error(lua_State *L)
{
    bool found = strstr(luaL_tolstring(L, -1, NULL), "memory") != NULL;

    lua_pop(L, 1);
    return found;
}

/* Whether all was given back. libcurl may leave a thread behind that resolves a name and frees what it has by itself:
 * even for an IP address, where memory ran out as it was parsed. */
static bool is_balanced(long before)
{
    enum { STEPS = 200 };
    const struct timespec step = { 0, 10 * 1000 * 1000 };

    for (int i = 0; i < STEPS && __atomic_load_n(&state.outstanding, __ATOMIC_SEQ_CST) != before; i++)
        nanosleep(&step, NULL);
    return __atomic_load_n(&state.outstanding, __ATOMIC_SEQ_CST) == before;
}

/* One attempt in a state of its own; false: it did what it must not. */
static bool run(const char *script, const char *argument, long n, bool *got_through)
{
    long before = state.outstanding;
    lua_State *L = lua_newstate(lua_allocate, NULL);
    bool good = L && prepare(L, script, argument);
    int status;

    if (!good)
        return false;
    state.met = 0;
    state.countdown = n;
    __atomic_store_n(&state.armed, true, __ATOMIC_SEQ_CST);
    status = lua_pcall(L, 0, 1, 0);
    __atomic_store_n(&state.armed, false, __ATOMIC_SEQ_CST);
    *got_through = state.met == 0;
    good = status == LUA_OK ? lua_toboolean(L, -1) : is_memory_error(L);
    if (!good)
        fprintf(stderr, "allocation %ld: %s\n", n, status == LUA_OK ? "a wrong answer" : luaL_tolstring(L, -1, NULL));
    lua_close(L);
    if (!is_balanced(before)) {
        fprintf(stderr, "allocation %ld: %ld blocks leaked\n", n, state.outstanding - before);
        good = false;
    }
    return good;
}

/* Runs over every n; returns the number of bad outcomes, or -1 where nothing can be said. */
static long torture(const char *script, const char *argument, bool persistent)
{
    bool got_through = false;
    long bad = 0, n = 0;

    state.persistent = persistent;
    while (!got_through && bad < 20)
        bad += !run(script, argument, ++n, &got_through);
    printf("%s failing: %ld points, %ld bad\n", persistent ? "from then on" : "once", n - 1, bad);
    return bad;
}

int main(int argc, char **argv)
{
    const char *script = argc == 3 ? argv[1] : NULL, *argument = argc == 3 ? argv[2] : NULL;
    bool got_through;

    if (!script) {
        fprintf(stderr, "usage: torture SCRIPT ARGUMENT\n");
        return 2;
    }
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, torture_malloc, torture_free, torture_realloc, torture_strdup,
                             torture_calloc))
        return 2;
    /* undisturbed, and twice: what libraries keep for good is not counted as a leak */
    for (int i = 0; i < 2; i++)
        if (!run(script, argument, INT32_MAX, &got_through))
            fprintf(stderr, "(warming up)\n");
    return torture(script, argument, false) + torture(script, argument, true) ? 1 : 0;
}

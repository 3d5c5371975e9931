/* torture.c - a Lua host that fails the nth allocation of the Lua state, of libcurl and of the library, on one counter.
 *
 *     torture SCRIPT ARGUMENT
 *
 * SCRIPT returns a function `prepare(argument)`, which returns a function `attempt()`, and perhaps another, `again()`.
 * For every n, in a state of its own, `prepare` runs undisturbed and `attempt` runs with its nth allocation failing:
 * once, and then again with all from the nth on failing, until `attempt` gets through without having met a failure.
 * Every time it must either return true or raise an error about memory; `again`, undisturbed, must then return true,
 * whatever is left half done. Afterwards every block must have been given back, OpenSSL's too, such as its copies of
 * keys, and none that the library gave back may have had a token in it. */
#define WPS_TORTURE_HOST
#include "allocate.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <malloc.h>
#include <openssl/crypto.h>
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
    long openssl;     /* the same of OpenSSL's, which do not fail */
    long unwiped;     /* blocks that the library gave back with a token in them */
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

/* Filled with zeros, or somebody else's tokens would be found in it when it is given back. */
void *torture_malloc(size_t size)
{
    void *memory = must_fail() ? NULL : malloc(size);

    if (memory)
        memset(memory, 0, malloc_usable_size(memory));
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

void torture_free_wiped(void *memory, const char *file, int line)
{
    static const char token[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."; /* how each of ours begins */

    if (memory && memmem(memory, malloc_usable_size(memory), token, sizeof token - 1)) {
        __atomic_add_fetch(&state.unwiped, 1, __ATOMIC_SEQ_CST);
        fprintf(stderr, "%s:%d gives back memory with a token in it\n", file, line);
    }
    torture_free(memory);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    __atomic_add_fetch(&state.openssl, 1, __ATOMIC_SEQ_CST);
    return malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    __atomic_add_fetch(&state.openssl, old == NULL, __ATOMIC_SEQ_CST);
    return realloc(old, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    __atomic_sub_fetch(&state.openssl, memory != NULL, __ATOMIC_SEQ_CST);
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

/* Leaves the attempt, and what follows it or nil, on the stack. */
static bool prepare(lua_State *L, const char *script, const char *argument)
{
    open_libraries(L);
    if (luaL_dofile(L, script) == LUA_OK) {
        lua_pushstring(L, argument);
        if (lua_pcall(L, 1, 2, 0) == LUA_OK)
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

/* Was the attempt, whose outcome is on top of the stack, as it must be? */
static bool judge(lua_State *L, int status, long n)
{
    bool good = status == LUA_OK ? lua_toboolean(L, -1) : is_memory_error(L);

    if (!good)
        fprintf(stderr, "allocation %ld: %s\n", n, status == LUA_OK ? "a wrong answer" : luaL_tolstring(L, -1, NULL));
    return good;
}

/* Calls the function at `index`, where there is one. */
static bool go_on(lua_State *L, int index, long n)
{
    bool good = true;

    if (lua_isnil(L, index))
        return true;
    lua_pushvalue(L, index);
    good = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1);
    if (!good)
        fprintf(stderr, "after allocation %ld: %s\n", n, luaL_tolstring(L, -1, NULL));
    return good;
}

static bool judge_memory(long before, long openssl_before, long n)
{
    bool good = is_balanced(before);

    if (!good)
        fprintf(stderr, "allocation %ld: %ld blocks leaked\n", n, state.outstanding - before);
    if (state.openssl != openssl_before) {
        fprintf(stderr, "allocation %ld: %ld blocks of OpenSSL's leaked\n", n, state.openssl - openssl_before);
        good = false;
    }
    if (state.unwiped) {
        fprintf(stderr, "allocation %ld: %ld times\n", n, state.unwiped);
        good = false;
    }
    return good;
}

/* One attempt in a state of its own; false: it did what it must not. */
static bool run(const char *script, const char *argument, long n, bool *got_through)
{
    long before = state.outstanding, openssl_before = state.openssl;
    lua_State *L = lua_newstate(lua_allocate, NULL);
    bool good = L && prepare(L, script, argument);
    int status, again;

    if (!good)
        return false;
    again = lua_gettop(L);
    lua_pushvalue(L, again - 1);
    state.unwiped = 0;
    state.met = 0;
    state.countdown = n;
    __atomic_store_n(&state.armed, true, __ATOMIC_SEQ_CST);
    status = lua_pcall(L, 0, 1, 0);
    __atomic_store_n(&state.armed, false, __ATOMIC_SEQ_CST);
    *got_through = state.met == 0;
    good = judge(L, status, n);
    good = go_on(L, again, n) && good;
    lua_close(L);
    return judge_memory(before, openssl_before, n) && good;
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
    if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
        return 2;
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, torture_malloc, torture_free, torture_realloc, torture_strdup,
                             torture_calloc))
        return 2;
    /* undisturbed, and twice: what libraries keep for good is not counted as a leak */
    for (int i = 0; i < 2; i++)
        if (!run(script, argument, INT32_MAX, &got_through))
            fprintf(stderr, "(warming up)\n");
    return torture(script, argument, false) + torture(script, argument, true) ? 1 : 0;
}

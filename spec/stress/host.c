/* host.c - several Lua states in one process, each in a thread of its own and all running the same script.
 *
 *     host STATES SCRIPT ARGUMENT...      the script finds its arguments and the state's number, from 1, in `...`
 *
 * Linked in one piece with the library, so that the sanitizers see all of it. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_STATES = 16 };

int luaopen_webpubsub_core(lua_State *L);
int luaopen_webpubsub_curl(lua_State *L);

struct runner {
    pthread_t thread;
    int number;
    char **arguments; /* the script first; NULL ends them */
    bool failed;
};

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

static void *run(void *context)
{
    struct runner *runner = context;
    lua_State *L = luaL_newstate();
    int count = 1;

    if (!L)
        exit(1);
    open_libraries(L);
    runner->failed = luaL_loadfile(L, runner->arguments[0]) != LUA_OK;
    if (!runner->failed) {
        for (; runner->arguments[count]; count++)
            lua_pushstring(L, runner->arguments[count]);
        lua_pushinteger(L, runner->number);
        runner->failed = lua_pcall(L, count, 0, 0) != LUA_OK;
    }
    if (runner->failed)
        fprintf(stderr, "state %d: %s\n", runner->number, lua_tostring(L, -1));
    lua_close(L);
    return NULL;
}

int main(int argc, char **argv)
{
    struct runner runners[MAX_STATES] = { { .number = 0 } };
    int states = argc > 2 ? atoi(argv[1]) : 0;
    bool failed = false;

    if (states < 1 || states > MAX_STATES) {
        fprintf(stderr, "usage: host STATES SCRIPT ARGUMENT...\n");
        return 2;
    }
    for (int i = 0; i < states; i++) {
        runners[i].number = i + 1;
        runners[i].arguments = argv + 2;
        if (pthread_create(&runners[i].thread, NULL, run, &runners[i]))
            return 2;
    }
    for (int i = 0; i < states; i++) {
        pthread_join(runners[i].thread, NULL);
        failed = failed || runners[i].failed;
    }
    return failed;
}

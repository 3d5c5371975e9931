/* thread_time.c - require "thread_time"(): the processor time that the calling thread has used, in seconds. What others
 * take of the machine, and what a process's other threads do, is not in it. */
#define _POSIX_C_SOURCE 200809L

#include <lauxlib.h>
#include <time.h>

int luaopen_thread_time(lua_State *L);

static int thread_time(lua_State *L)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    lua_pushnumber(L, (double)time.tv_sec + (double)time.tv_nsec / 1e9);
    return 1;
}

int luaopen_thread_time(lua_State *L)
{
    lua_pushcfunction(L, thread_time);
    return 1;
}

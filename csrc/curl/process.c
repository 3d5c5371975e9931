/* curl/process.c - the background threads of this process: their start and their end, a fork and an exit. */
#include "curl/background_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* All that have a thread in this process. The lock is held for a few instructions, never while waiting. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wps_background *alive;

static void enlist(struct wps_background *background)
{
    pthread_mutex_lock(&lock);
    background->previous_alive = NULL;
    background->next_alive = alive;
    if (alive)
        alive->previous_alive = background;
    alive = background;
    pthread_mutex_unlock(&lock);
}

/* Takes that one out, or any where it is NULL. Whoever gets it has to stop its thread; NULL: somebody else has. */
static struct wps_background *delist(struct wps_background *wanted)
{
    struct wps_background *found;

    pthread_mutex_lock(&lock);
    for (found = alive; found && wanted && found != wanted;)
        found = found->next_alive;
    if (found) {
        *(found->previous_alive ? &found->previous_alive->next_alive : &alive) = found->next_alive;
        if (found->next_alive)
            found->next_alive->previous_alive = found->previous_alive;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* ------------------------------------------------------------------ fork */

static unsigned forks;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* The threads stay with the parent. */
static void after_fork_in_child(void)
{
    forks++;
    alive = NULL;
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

unsigned wps_process_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    return forks;
}

/* ------------------------------------------------------------------ start and end */

static void stop(struct wps_background *background)
{
    __atomic_store_n(&background->stopping, true, __ATOMIC_SEQ_CST);
    wps_background_wake(background);
    pthread_join(background->thread, NULL);
}

static void stop_all(void)
{
    struct wps_background *background = delist(NULL);

    while (background) {
        stop(background);
        background = delist(NULL);
    }
}

/* An exit does not close Lua states, and tears down libraries the threads are busy in. This is registered after they
 * have registered theirs, and so called before. */
static void watch_exit(void)
{
    atexit(stop_all);
}

/* The program's signals are not for the thread. */
static int create(struct wps_background *background)
{
    sigset_t all, before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&background->thread, NULL, wps_background_run, background);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* libcurl is initialised by now, and this module stays loaded: there is no job without a profile. */
enum wps_kind wps_thread_start(struct wps_background *background, struct wps_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int code;

    pthread_once(&once, watch_exit);
    code = create(background);
    if (code)
        return wps_fail(error, WPS_TRANSPORT, NULL, "failed", "the background thread could not be started: %s",
                        strerror(code));
    background->started = true;
    enlist(background);
    return WPS_OK;
}

bool wps_thread_stop(struct wps_background *background)
{
    if (!delist(background))
        return false;
    stop(background);
    return true;
}

/* curl/library.c - what there is once in a process. See library.h. */
#define _GNU_SOURCE /* dladdr() */
#include "curl/library.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if LIBCURL_VERSION_NUM < 0x074c00
#error "libcurl 7.76 or newer is needed"
#endif

#define SPARES_SIGPIPE 0x075800 /* the libcurl that writes with MSG_NOSIGNAL, whatever writes */

/* ------------------------------------------------------------------ libcurl and the clock */

static CURLcode initialised = CURLE_FAILED_INIT;
static bool spares_sigpipe; /* written once, by initialise() */

/* libcurl leaves a thread behind that waits for a slow name server, and has no clean way of being initialised twice.
 * Lua unloads this module when its state is closed; opened once more, module and libcurl stay. */
static void initialise(void)
{
    Dl_info self;

    if (dladdr(&initialised, &self))
        dlopen(self.dli_fname, RTLD_NOW | RTLD_LOCAL);
    initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    spares_sigpipe = curl_version_info(CURLVERSION_NOW)->version_num >= SPARES_SIGPIPE;
}

enum wps_kind wps_library_open(struct wps_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, initialise);
    if (initialised)
        return wps_fail(error, WPS_TRANSPORT, NULL, "failed", "libcurl could not be initialised");
    return WPS_OK;
}

const char *wps_library_version(void)
{
    return curl_version();
}

double wps_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int wps_milliseconds(double seconds)
{
    double ms = seconds * 1000;
    int whole = ms < INT_MAX - 1 ? (int)ms : INT_MAX - 1;

    return ms > 0 ? whole + (whole < ms) : 0;
}

/* ------------------------------------------------------------------ what follows is shared by all threads */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned forks;
static struct wps_thread *alive;
static unsigned char *registered; /* a bit for each descriptor */
static size_t registered_bytes;

/* ------------------------------------------------------------------ fork */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void close_registered(void)
{
    for (size_t i = 0; i < registered_bytes; i++) {
        for (int bit = 0; bit < CHAR_BIT; bit++)
            if (registered[i] & 1u << bit)
                close((int)(i * CHAR_BIT) + bit);
        registered[i] = 0;
    }
}

/* The threads stay with the parent. */
static void after_fork_in_child(void)
{
    forks++;
    alive = NULL;
    close_registered();
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

void wps_process_lock(void)
{
    wps_process_forks(); /* which are watched from now on */
    pthread_mutex_lock(&lock);
}

void wps_process_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ SIGPIPE */

void wps_sigpipe_hold(struct wps_sigpipe *guard)
{
    sigset_t pipe, pending;

    guard->guarded = !spares_sigpipe;
    if (!guard->guarded)
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &guard->before);
}

/* Takes the signal away that came meanwhile: it is this thread's. */
void wps_sigpipe_drop(const struct wps_sigpipe *guard)
{
    const struct timespec at_once = { 0, 0 };
    sigset_t pipe;

    if (!guard->guarded)
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    while (!guard->was_pending && sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR)
        continue;
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

/* ------------------------------------------------------------------ descriptors */

/* The lock is held. */
static bool enlarge(size_t bytes)
{
    unsigned char *larger = bytes > registered_bytes ? realloc(registered, bytes * 2) : registered;

    if (bytes <= registered_bytes)
        return true;
    if (!larger)
        return false;
    memset(larger + registered_bytes, 0, bytes * 2 - registered_bytes);
    registered = larger;
    registered_bytes = bytes * 2;
    return true;
}

bool wps_descriptor_register(int descriptor)
{
    size_t byte = (size_t)descriptor / CHAR_BIT;
    bool large_enough;

    wps_process_lock();
    large_enough = enlarge(byte + 1);
    if (large_enough)
        registered[byte] |= (unsigned char)(1u << descriptor % CHAR_BIT);
    wps_process_unlock();
    return large_enough;
}

/* Under the lock, or another thread could be given the number and register it in between. */
void wps_descriptor_close(int descriptor)
{
    size_t byte = (size_t)descriptor / CHAR_BIT;

    wps_process_lock();
    if (byte < registered_bytes)
        registered[byte] &= (unsigned char)~(1u << descriptor % CHAR_BIT);
    close(descriptor);
    wps_process_unlock();
}

bool wps_descriptors_exhausted(void)
{
    int probe = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool exhausted = probe < 0 && (errno == EMFILE || errno == ENFILE);

    if (probe >= 0)
        close(probe);
    return exhausted;
}

/* ------------------------------------------------------------------ threads */

static void enlist(struct wps_thread *thread)
{
    wps_process_lock();
    thread->previous = NULL;
    thread->next = alive;
    if (alive)
        alive->previous = thread;
    alive = thread;
    wps_process_unlock();
}

/* Takes that one out, or any where it is NULL. Whoever gets it has to end it; NULL: somebody else has. */
static struct wps_thread *delist(struct wps_thread *wanted)
{
    struct wps_thread *found;

    wps_process_lock();
    for (found = alive; found && wanted && found != wanted;)
        found = found->next;
    if (found) {
        *(found->previous ? &found->previous->next : &alive) = found->next;
        if (found->next)
            found->next->previous = found->previous;
    }
    wps_process_unlock();
    return found;
}

static void stop(struct wps_thread *thread)
{
    thread->end(thread);
    pthread_join(thread->id, NULL);
}

static void stop_all(void)
{
    struct wps_thread *thread = delist(NULL);

    while (thread) {
        stop(thread);
        thread = delist(NULL);
    }
}

/* libcurl is initialised by now, so this is registered after what its libraries have registered, and called before. */
static void watch_exit(void)
{
    atexit(stop_all);
}

enum wps_kind wps_thread_start(struct wps_thread *thread, void *(*run)(void *), void *context, struct wps_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all, before;
    int code;

    pthread_once(&once, watch_exit);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&thread->id, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code)
        return wps_fail(error, WPS_TRANSPORT, NULL, "failed", "the background thread could not be started: %s",
                        strerror(code));
    enlist(thread);
    return WPS_OK;
}

bool wps_thread_stop(struct wps_thread *thread)
{
    if (!delist(thread))
        return false;
    stop(thread);
    return true;
}

void wps_threads_relieve(void)
{
    wps_process_lock();
    for (struct wps_thread *thread = alive; thread; thread = thread->next)
        thread->relieve(thread);
    wps_process_unlock();
}

/* curl/library.h - what there is once in a process: libcurl, the steady clock, forks, descriptors and threads. */
#ifndef WPS_CURL_LIBRARY_H
#define WPS_CURL_LIBRARY_H

#include <pthread.h>
#include <signal.h>

#include "core/bytes.h"

/* Initialises libcurl, from whichever thread comes first. */
enum wps_kind wps_library_open(struct wps_error *error);
const char *wps_library_version(void);

/* Seconds of the steady clock. */
double wps_now(void);
/* For a wait of the system's: rounded up, at most some 24 days; nothing for what is past. */
int wps_milliseconds(double seconds);

/* Locks what the process has once, for a few instructions, and never while waiting: a fork waits for it. */
void wps_process_lock(void);
void wps_process_unlock(void);

/* How many forks lie between this process and the first one that asked; counted, for getpid() is a system call. */
unsigned wps_process_forks(void);

/* ------------------------------------------------------------------ SIGPIPE
 * A write to a connection that is gone must not end the program. Until 7.88 libcurl has OpenSSL write by itself, without
 * MSG_NOSIGNAL: its calls go between these two. */

struct wps_sigpipe {
    bool guarded, was_pending;
    sigset_t before;
};

void wps_sigpipe_hold(struct wps_sigpipe *guard);
void wps_sigpipe_drop(const struct wps_sigpipe *guard);

/* ------------------------------------------------------------------ descriptors
 * A child process closes those that it has inherited, and nothing else of what it has: to end a TLS session properly
 * would be to say goodbye in its parent's name. */

/* False: not enough memory, and the descriptor is still the caller's alone. */
bool wps_descriptor_register(int descriptor);
void wps_descriptor_close(int descriptor);
#define WPS_DESCRIPTORS_EXHAUSTED                                                                                      \
    "this process or system has no file descriptors left; raise the limit (ulimit -n), or lower max_connections"

/* Whether the system has none left, for this process or for all. */
bool wps_descriptors_exhausted(void);

/* ------------------------------------------------------------------ threads
 * Each is joined before the process ends, for an exit does not close Lua states and tears down libraries that the
 * threads are busy in. */

struct wps_thread {
    pthread_t id;
    void (*end)(struct wps_thread *thread);     /* asks it to end; both are called from any thread */
    void (*relieve)(struct wps_thread *thread); /* asks it to close what it holds for later only */
    struct wps_thread *previous, *next;     /* of those alive in this process */
};

/* The program's signals are not for the thread. */
enum wps_kind wps_thread_start(struct wps_thread *thread, void *(*run)(void *), void *context, struct wps_error *error);
/* Ends and joins it. False: the end of the process was quicker, and may be at it still. */
bool wps_thread_stop(struct wps_thread *thread);
/* There are no descriptors left: all threads are asked for relief. */
void wps_threads_relieve(void);

#endif

/* curl/background_private.h - what the program's end (curl/background.c) and the thread (curl/thread.c) share.
 *
 * Nothing is shared under a lock: at any time one side owns a job's exchange, and only handing it over is atomic.
 *
 *   program                                          thread
 *   fills the exchange in
 *   pushes job->submission into the inbox   ----->   takes the inbox; queues, launches, drives the exchange
 *                                                    sets WPS_JOB_DONE: the exchange is the program's again
 *   takes the outbox                        <-----   pushes job->submission into the outbox: so is the job
 *
 * A cancellation is a note as well, job->cancellation. The program sets WPS_JOB_CANCELLED and sends the note unless
 * the job was done before; the thread, setting WPS_JOB_DONE, sees whether there is one, and keeps the job until it has
 * it. So no note ever speaks of a job that is gone. */
#ifndef WPS_CURL_BACKGROUND_PRIVATE_H
#define WPS_CURL_BACKGROUND_PRIVATE_H

#include <pthread.h>

#include "curl/background.h"
#include "curl/engine_private.h"

enum {
    WPS_JOB_CANCELLED = 1, /* by the program */
    WPS_JOB_RELEASED = 2,  /* by the program: whoever has the job then frees it, after the cancellation */
    WPS_JOB_DONE = 4,      /* by the thread */
};

struct wps_lane;
struct wps_reactor;

struct wps_note {
    struct wps_note *next;
    struct wps_job *job;
};

struct wps_job {
    struct wps_exchange exchange;
    unsigned state; /* atomic; WPS_JOB_... */
    struct wps_note submission, cancellation;
    long long submitted; /* ms of the steady clock */

    /* the program's */
    struct wps_background *background; /* where it is pending; NULL: nowhere */
    struct wps_job *older, *newer;     /* of the same background */

    /* the thread's until the job is done, then the program's */
    struct wps_job_list *list;
    struct wps_job *previous, *next;

    /* the thread's */
    struct wps_lane *lane; /* NULL: in none yet, or not any more */
    long long launched;    /* ms of the steady clock */
    bool cancellation_taken;
};

struct wps_job_list {
    struct wps_job *first, *last;
    int length;
};

struct wps_background {
    /* shared; atomic */
    struct wps_note *inbox, *outbox; /* the newest first */
    bool asleep;                     /* the thread is, or is about to be */
    bool stopping;                   /* the thread must end */
    bool announced;                  /* `ready` is readable */

    /* shared; written while there is no thread */
    int wake;  /* eventfd: there is something for the thread; -1: not open */
    int ready; /* eventfd: there is something for the program; -1: not open */

    /* the program's */
    bool started;
    pthread_t thread;
    unsigned forks; /* that lay between the first process and this one when it was last looked at */
    struct wps_job *oldest, *newest; /* of the pending jobs */
    size_t pending;
    struct wps_job_list finished; /* those of them that were in the outbox */
    struct wps_background *previous_alive, *next_alive; /* in the process */

    /* the thread's */
    struct wps_reactor *reactor; /* NULL until it is needed */
    struct wps_lane *lanes;
};

enum wps_kind wps_thread_start(struct wps_background *background, struct wps_error *error);
/* False: the end of the process was quicker, and may be at it still. */
bool wps_thread_stop(struct wps_background *background);
/* The thread's main function. */
void *wps_background_run(void *background);

long long wps_steady_ms(void);

void wps_jobs_append(struct wps_job_list *list, struct wps_job *job);
/* Out of the list it is in. */
void wps_jobs_remove(struct wps_job *job);

/* A stack for any number of pushing threads; taking empties it, the oldest first. */
void wps_notes_push(struct wps_note **stack, struct wps_note *note);
struct wps_note *wps_notes_take(struct wps_note **stack);
/* Makes an eventfd readable; or not any more. */
void wps_event_set(int descriptor);
void wps_event_clear(int descriptor);
/* Each tells the other side that there is something for it. */
void wps_background_announce(struct wps_background *background);
void wps_background_wake(struct wps_background *background);

void wps_job_free(struct wps_job *job);

#endif

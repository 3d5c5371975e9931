/* curl/background_private.h - what the program's end (curl/background.c) and the thread (curl/thread.c) share.
 *
 * Nothing is shared under a lock: at any time one side owns a job's transfer, and only handing it over is atomic.
 *
 *   program                                          thread
 *   begins the exchange
 *   pushes job->submission into the inbox   ----->   takes the inbox; the transfer enters its loop
 *                                                    sets WPS_JOB_DONE: the transfer is the program's again
 *   takes the outbox                        <-----   pushes job->submission into the outbox: so is the job
 *
 * A cancellation is a note as well, job->cancellation. The program sets WPS_JOB_CANCELLED and sends the note unless
 * the job was done before; the thread, setting WPS_JOB_DONE, sees whether there is one, and keeps the job until it has
 * it. So no note ever speaks of a job that is gone. */
#ifndef WPS_CURL_BACKGROUND_PRIVATE_H
#define WPS_CURL_BACKGROUND_PRIVATE_H

#include <pthread.h>

#include "curl/background.h"
#include "curl/library.h"

enum {
    WPS_JOB_CANCELLED = 1, /* by the program */
    WPS_JOB_RELEASED = 2,  /* by the program: whoever has the job then frees it, after the cancellation */
    WPS_JOB_DONE = 4,      /* by the thread */
};

struct wps_note {
    struct wps_note *next;
    struct wps_job *job;
};

struct wps_job {
    struct wps_transfer transfer; /* the first, so that one is found by the other */
    unsigned state; /* atomic; WPS_JOB_... */
    struct wps_note submission, cancellation;

    /* the program's */
    struct wps_background *background; /* where it was submitted; NULL: nowhere, or that is closed */
    struct wps_job *older, *newer;     /* of the same background */
    bool pending;
    struct wps_job *previous, *next;   /* of those that are finished */
    bool listed;                       /* among them */
    int slot;                          /* a number that is the program's business alone */

    /* the thread's */
    bool cancellation_taken;
};

struct wps_background {
    /* shared; atomic */
    struct wps_note *inbox, *outbox; /* the newest first */
    bool asleep;                     /* the thread is, or is about to be */
    bool stopping;                   /* the thread must end */
    bool relieving;                  /* the thread must close what it can spare */
    bool announced;                  /* `ready` is readable */

    /* shared; written while there is no thread */
    int wake;  /* eventfd: there is something for the thread; -1: not open */
    int ready; /* eventfd: there is something for the program; -1: not open */

    /* the program's */
    bool started;
    struct wps_thread thread;
    unsigned forks; /* that lay between the first process and this one when it was last looked at */
    struct wps_job *oldest, *newest; /* of its jobs */
    size_t pending;
    struct wps_job *first_finished, *last_finished; /* the pending ones that were in the outbox */
    struct wps_job *spare; /* used ones, linked by `next` */
    int spare_count;

    /* the thread's while there is one */
    struct wps_loop *loop; /* NULL until it is needed */
};

/* The thread's main function. */
void *wps_background_run(void *background);
/* How a transfer of the thread's loop ends. */
void wps_background_finished(void *background, struct wps_transfer *transfer);

/* A stack for any number of pushing threads; taking empties it, the oldest first. */
void wps_notes_push(struct wps_note **stack, struct wps_note *note);
struct wps_note *wps_notes_take(struct wps_note **stack);
/* An eventfd; -1: not open, before and after. */
enum wps_kind wps_event_open(int *descriptor, struct wps_error *error);
void wps_event_close(int *descriptor);
/* Makes an eventfd readable; or not any more. */
void wps_event_set(int descriptor);
void wps_event_clear(int descriptor);
struct wps_background *wps_background_of(struct wps_thread *thread);
/* Each tells the other side that there is something for it. */
void wps_background_announce(struct wps_background *background);
void wps_background_wake(struct wps_background *background);

void wps_job_free(struct wps_job *job);

#endif

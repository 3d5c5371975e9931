/* curl/background.c - the background engine, from the program's side: jobs are handed in and come out. */
#include "curl/background_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_PENDING = 100000 }; /* jobs; each takes some kilobytes */

/* ------------------------------------------------------------------ descriptors */

static enum wps_kind open_event(int *descriptor, struct wps_error *error)
{
    if (*descriptor < 0)
        *descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (*descriptor < 0)
        return wps_fail(error, WPS_TRANSPORT, NULL, "failed", "the background engine has no descriptor: %s",
                        strerror(errno));
    return WPS_OK;
}

static void close_event(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static enum wps_kind open_events(struct wps_background *background, struct wps_error *error)
{
    bool was_closed = background->ready < 0;

    if (!open_event(&background->wake, error))
        open_event(&background->ready, error);
    if (!error->kind && was_closed && background->announced)
        wps_event_set(background->ready);
    return error->kind;
}

/* ------------------------------------------------------------------ pending jobs */

static void add_pending(struct wps_background *background, struct wps_job *job)
{
    job->background = background;
    job->newer = NULL;
    job->older = background->newest;
    *(background->newest ? &background->newest->newer : &background->oldest) = job;
    background->newest = job;
    background->pending++;
}

static void remove_pending(struct wps_job *job)
{
    struct wps_background *background = job->background;

    *(job->older ? &job->older->newer : &background->oldest) = job->newer;
    *(job->newer ? &job->newer->older : &background->newest) = job->older;
    background->pending--;
    job->background = NULL;
}

/* Finishes it without the thread. */
static void finish_here(struct wps_background *background, struct wps_job *job)
{
    wps_exchange_end(&job->exchange);
    __atomic_fetch_or(&job->state, WPS_JOB_DONE, __ATOMIC_SEQ_CST);
    wps_jobs_append(&background->finished, job);
    wps_background_announce(background);
}

static bool is_done(const struct wps_job *job)
{
    return __atomic_load_n(&job->state, __ATOMIC_SEQ_CST) & WPS_JOB_DONE;
}

/* ------------------------------------------------------------------ fork */

/* What was the thread's may be in any state: it is forgotten, down to its memory. */
static void forget_exchange(struct wps_job *job)
{
    const struct wps_profile *profile = job->exchange.profile;
    struct wps_exchange fresh = { .done = false };

    job->exchange = fresh;
    wps_fail(&job->exchange.error, WPS_TRANSPORT, NULL, "forked",
             "%s: the exchange was started before fork() and belongs to the parent process",
             wps_buffer_string(&profile->authority));
}

/* The first thing to do in every function. A child process has no thread, and shares its descriptors with its
 * parent. */
static void notice_fork(struct wps_background *background)
{
    static const struct wps_job_list none;

    if (background->forks == wps_process_forks())
        return;
    background->forks = wps_process_forks();
    close_event(&background->wake);
    close_event(&background->ready);
    background->started = background->stopping = background->asleep = background->announced = false;
    background->inbox = background->outbox = NULL;
    background->previous_alive = background->next_alive = NULL;
    background->reactor = NULL;
    background->lanes = NULL;
    background->finished = none;
    for (struct wps_job *job = background->oldest; job; job = job->newer) {
        if (!is_done(job))
            forget_exchange(job);
        finish_here(background, job);
    }
}

/* ------------------------------------------------------------------ what comes out */

/* Takes what has come out; the program does not want to see again what it has released. */
static void collect(struct wps_background *background)
{
    struct wps_note *note = wps_notes_take(&background->outbox);

    while (note) {
        struct wps_note *next = note->next;

        if (__atomic_load_n(&note->job->state, __ATOMIC_SEQ_CST) & WPS_JOB_RELEASED)
            wps_job_free(note->job);
        else
            wps_jobs_append(&background->finished, note->job);
        note = next;
    }
}

/* Whether a job is finished; where none is, `ready` is not readable (any more) either. The second look is for what
 * came out after the first and before it could be announced again. */
static bool any_finished(struct wps_background *background)
{
    if (!background->finished.first && __atomic_load_n(&background->announced, __ATOMIC_SEQ_CST)) {
        collect(background);
        if (!background->finished.first) {
            wps_event_clear(background->ready);
            __atomic_store_n(&background->announced, false, __ATOMIC_SEQ_CST);
            collect(background);
            if (background->finished.first)
                wps_background_announce(background);
        }
    }
    return background->finished.first;
}

/* ------------------------------------------------------------------ life */

struct wps_background *wps_background_create(struct wps_error *error)
{
    struct wps_background *background = calloc(1, sizeof *background);

    if (!background) {
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
        return NULL;
    }
    background->wake = background->ready = -1;
    background->forks = wps_process_forks();
    return background;
}

void wps_background_close(struct wps_background *background)
{
    bool ours;

    notice_fork(background);
    ours = !background->started || wps_thread_stop(background);
    while (wps_background_next(background))
        continue; /* all that was handed in has come out, and belongs to its holder alone from now on */
    if (ours) { /* else the end of the process was quicker, and may be at it still */
        close_event(&background->wake);
        close_event(&background->ready);
        free(background);
    }
}

/* ------------------------------------------------------------------ use */

static enum wps_kind hand_in(struct wps_background *background, struct wps_job *job, struct wps_error *error)
{
    if (background->pending > MAX_PENDING)
        return wps_fail(error, WPS_TRANSPORT, NULL, "busy", "too many calls are waiting (%d)", (int)MAX_PENDING);
    if (__atomic_load_n(&background->stopping, __ATOMIC_SEQ_CST))
        return wps_fail(error, WPS_TRANSPORT, NULL, "closed", "the process is about to end");
    if (!background->started && (open_events(background, error) || wps_thread_start(background, error)))
        return error->kind;
    wps_notes_push(&background->inbox, &job->submission);
    wps_background_wake(background);
    return WPS_OK;
}

void wps_background_submit(struct wps_background *background, struct wps_job *job)
{
    struct wps_error error = { .kind = WPS_OK };

    notice_fork(background);
    job->submitted = wps_steady_ms();
    add_pending(background, job);
    if (hand_in(background, job, &error)) {
        job->exchange.error = error;
        finish_here(background, job);
    }
}

struct wps_job *wps_background_next(struct wps_background *background)
{
    struct wps_job *job;

    notice_fork(background);
    if (!any_finished(background))
        return NULL;
    job = background->finished.first;
    wps_jobs_remove(job);
    remove_pending(job);
    return job;
}

size_t wps_background_pending(struct wps_background *background)
{
    notice_fork(background);
    return background->pending;
}

bool wps_background_wait(struct wps_background *background, double seconds)
{
    struct wps_error ignored = { .kind = WPS_OK };
    struct pollfd ready = { -1, POLLIN, 0 }; /* which only waits */

    notice_fork(background);
    if (!open_events(background, &ignored))
        ready.fd = background->ready;
    if (!any_finished(background))
        poll(&ready, 1, seconds > 0 ? (int)wps_milliseconds(seconds) : 0);
    return any_finished(background);
}

int wps_background_descriptor(struct wps_background *background, struct wps_error *error)
{
    notice_fork(background);
    return open_events(background, error) ? -1 : background->ready;
}

/* ------------------------------------------------------------------ job */

struct wps_job *wps_job_create(struct wps_profile *profile, const struct wps_exchange_request *request,
                               struct wps_error *error)
{
    struct wps_job *job = calloc(1, sizeof *job);

    if (!job) {
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
        return NULL;
    }
    job->submission.job = job->cancellation.job = job;
    if (wps_exchange_prepare(&job->exchange, profile, request)) {
        *error = job->exchange.error;
        wps_job_free(job);
        job = NULL;
    }
    return job;
}

void wps_job_free(struct wps_job *job)
{
    wps_exchange_free(&job->exchange);
    free(job);
}

struct wps_exchange *wps_job_exchange(struct wps_job *job)
{
    struct wps_error cancelled = { .kind = WPS_OK };
    unsigned state;

    if (job->background)
        notice_fork(job->background);
    state = __atomic_load_n(&job->state, __ATOMIC_SEQ_CST);
    if (!(state & WPS_JOB_DONE))
        return NULL;
    if (state & WPS_JOB_CANCELLED) { /* be it that it was complete before */
        wps_fail(&cancelled, WPS_CANCELLED, NULL, "cancelled", "the exchange was cancelled");
        job->exchange.error = cancelled;
    }
    return &job->exchange;
}

/* Sends the note where one is due: once, and while the thread has the job. */
static void mark(struct wps_background *background, struct wps_job *job, unsigned flags)
{
    unsigned before = __atomic_fetch_or(&job->state, flags, __ATOMIC_SEQ_CST);

    if (background && !(before & (WPS_JOB_CANCELLED | WPS_JOB_DONE))) {
        wps_notes_push(&background->inbox, &job->cancellation); /* and the job may be gone */
        wps_background_wake(background);
    }
}

void wps_job_cancel(struct wps_job *job)
{
    if (job->background)
        notice_fork(job->background);
    mark(job->background, job, WPS_JOB_CANCELLED);
}

void wps_job_release(struct wps_job *job)
{
    struct wps_background *background = job ? job->background : NULL;

    if (background) {
        notice_fork(background);
        if (is_done(job))
            collect(background);
        remove_pending(job);
        if (is_done(job) && job->list) {
            wps_jobs_remove(job);
            wps_job_free(job);
        } else {
            mark(background, job, WPS_JOB_RELEASED | WPS_JOB_CANCELLED);
        }
    } else if (job) {
        wps_job_free(job);
    }
}

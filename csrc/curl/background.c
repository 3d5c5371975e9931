/* curl/background.c - the background engine, from the program's side: jobs are handed in and come out. */
#include "curl/background_private.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_PENDING = 100000, /* jobs; each takes some kilobytes */
    MAX_SPARE = 64,       /* used ones that are kept with their memory */
};

static enum wps_kind open_events(struct wps_background *background, struct wps_error *error)
{
    bool was_closed = background->ready < 0;

    if (!wps_event_open(&background->wake, error))
        wps_event_open(&background->ready, error);
    if (!error->kind && was_closed && background->announced)
        wps_event_set(background->ready);
    return error->kind;
}

/* ------------------------------------------------------------------ jobs */

static void enlist(struct wps_background *background, struct wps_job *job)
{
    job->background = background;
    job->newer = NULL;
    job->older = background->newest;
    *(background->newest ? &background->newest->newer : &background->oldest) = job;
    background->newest = job;
    job->pending = true;
    background->pending++;
}

static void end_pending(struct wps_background *background, struct wps_job *job)
{
    background->pending -= job->pending;
    job->pending = false;
}

static void delist(struct wps_background *background, struct wps_job *job)
{
    end_pending(background, job);
    *(job->older ? &job->older->newer : &background->oldest) = job->newer;
    *(job->newer ? &job->newer->older : &background->newest) = job->older;
    job->background = NULL;
}

static void append_finished(struct wps_background *background, struct wps_job *job)
{
    job->listed = true;
    job->next = NULL;
    job->previous = background->last_finished;
    *(background->last_finished ? &background->last_finished->next : &background->first_finished) = job;
    background->last_finished = job;
}

static void remove_finished(struct wps_background *background, struct wps_job *job)
{
    *(job->previous ? &job->previous->next : &background->first_finished) = job->next;
    *(job->next ? &job->next->previous : &background->last_finished) = job->previous;
    job->listed = false;
}

/* Finishes it without the thread. */
static void finish_here(struct wps_background *background, struct wps_job *job)
{
    __atomic_fetch_or(&job->state, WPS_JOB_DONE, __ATOMIC_SEQ_CST);
    append_finished(background, job);
    wps_background_announce(background);
}

static bool is_done(const struct wps_job *job)
{
    return __atomic_load_n(&job->state, __ATOMIC_SEQ_CST) & WPS_JOB_DONE;
}

/* ------------------------------------------------------------------ fork */

/* What was the thread's may be in any state: it is forgotten, down to its memory. */
static void forget_transfer(struct wps_job *job)
{
    struct wps_profile *profile = job->transfer.profile;

    memset(&job->transfer, 0, sizeof job->transfer);
    job->transfer.profile = profile;
    wps_fail(&job->transfer.exchange.error, WPS_TRANSPORT, NULL, "forked",
             "%s: the exchange was started before fork() and belongs to the parent process",
             wps_buffer_string(&profile->authority));
}

/* The first thing to do in every function. A child process has no thread, and shares its descriptors with its
 * parent. */
static void notice_fork(struct wps_background *background)
{
    if (background->forks == wps_process_forks())
        return;
    background->forks = wps_process_forks();
    wps_event_close(&background->wake);
    wps_event_close(&background->ready);
    background->started = background->stopping = background->asleep = background->announced = false;
    background->relieving = false;
    background->inbox = background->outbox = NULL;
    background->loop = NULL;
    background->first_finished = background->last_finished = NULL;
    for (struct wps_job *job = background->oldest; job; job = job->newer) {
        if (!job->pending)
            continue;
        if (!is_done(job))
            forget_transfer(job);
        finish_here(background, job);
    }
}

/* ------------------------------------------------------------------ what comes out */

/* For the next one, with its memory. */
static void put_aside(struct wps_background *background, struct wps_job *job)
{
    if (background->spare_count == MAX_SPARE) {
        wps_job_free(job);
        return;
    }
    wps_transfer_recycle(&job->transfer);
    job->next = background->spare;
    background->spare = job;
    background->spare_count++;
}

/* Takes what has come out; the program does not want to see again what it has released. */
static void collect(struct wps_background *background)
{
    struct wps_note *note = wps_notes_take(&background->outbox);

    while (note) {
        struct wps_note *next = note->next;

        if (__atomic_load_n(&note->job->state, __ATOMIC_SEQ_CST) & WPS_JOB_RELEASED)
            put_aside(background, note->job);
        else
            append_finished(background, note->job);
        note = next;
    }
}

/* Whether a job is finished; where none is, `ready` is not readable (any more) either. The second look is for what
 * came out after the first and before it could be announced again. */
static bool any_finished(struct wps_background *background)
{
    if (!background->first_finished && __atomic_load_n(&background->announced, __ATOMIC_SEQ_CST)) {
        collect(background);
        if (!background->first_finished) {
            wps_event_clear(background->ready);
            __atomic_store_n(&background->announced, false, __ATOMIC_SEQ_CST);
            collect(background);
            if (background->first_finished)
                wps_background_announce(background);
        }
    }
    return background->first_finished;
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

static void free_spare(struct wps_background *background)
{
    while (background->spare) {
        struct wps_job *job = background->spare;

        background->spare = job->next;
        wps_job_free(job);
    }
}

void wps_background_close(struct wps_background *background)
{
    bool ours;

    notice_fork(background);
    ours = !background->started || wps_thread_stop(&background->thread);
    while (wps_background_next(background))
        continue; /* all that was handed in has come out, and belongs to its holder alone from now on */
    while (background->oldest)
        delist(background, background->oldest);
    if (ours) { /* else the end of the process was quicker, and may be at it still */
        wps_loop_destroy(background->loop);
        free_spare(background);
        wps_event_close(&background->wake);
        wps_event_close(&background->ready);
        free(background);
    }
}

/* ------------------------------------------------------------------ use */

static void ask_to_end(struct wps_thread *thread)
{
    struct wps_background *background = wps_background_of(thread);

    __atomic_store_n(&background->stopping, true, __ATOMIC_SEQ_CST);
    wps_background_wake(background);
}

static void ask_for_relief(struct wps_thread *thread)
{
    struct wps_background *background = wps_background_of(thread);

    __atomic_store_n(&background->relieving, true, __ATOMIC_SEQ_CST);
    wps_background_wake(background);
}

static enum wps_kind start(struct wps_background *background, struct wps_error *error)
{
    if (!open_events(background, error) && !background->loop)
        background->loop = wps_loop_create(background->wake, wps_background_finished, background, error);
    background->thread.end = ask_to_end;
    background->thread.relieve = ask_for_relief;
    if (!error->kind && !wps_thread_start(&background->thread, wps_background_run, background, error))
        background->started = true;
    return error->kind;
}

static enum wps_kind hand_in(struct wps_background *background, struct wps_job *job, struct wps_error *error)
{
    if (background->pending > MAX_PENDING)
        return wps_fail(error, WPS_TRANSPORT, NULL, "busy", "too many calls are waiting (%d)", (int)MAX_PENDING);
    if (__atomic_load_n(&background->stopping, __ATOMIC_SEQ_CST))
        return wps_fail(error, WPS_TRANSPORT, NULL, "closed", "the process is about to end");
    if (!background->started && start(background, error))
        return error->kind;
    wps_notes_push(&background->inbox, &job->submission);
    wps_background_wake(background);
    return WPS_OK;
}

void wps_background_submit(struct wps_background *background, struct wps_job *job)
{
    struct wps_error error = { .kind = WPS_OK };

    notice_fork(background);
    enlist(background, job);
    if (hand_in(background, job, &error)) {
        wps_transfer_fail(&job->transfer, &error);
        finish_here(background, job);
    }
}

struct wps_job *wps_background_next(struct wps_background *background)
{
    struct wps_job *job;

    notice_fork(background);
    if (!any_finished(background))
        return NULL;
    job = background->first_finished;
    remove_finished(background, job);
    end_pending(background, job);
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
        poll(&ready, 1, wps_milliseconds(seconds));
    return any_finished(background);
}

int wps_background_descriptor(struct wps_background *background, struct wps_error *error)
{
    notice_fork(background);
    return open_events(background, error) ? -1 : background->ready;
}

/* ------------------------------------------------------------------ job */

static struct wps_job *take_spare(struct wps_background *background)
{
    struct wps_job *job = background ? background->spare : NULL;

    if (!job)
        return calloc(1, sizeof *job);
    background->spare = job->next;
    background->spare_count--;
    job->state = 0;
    job->background = NULL;
    job->cancellation_taken = false;
    return job;
}

struct wps_job *wps_job_create(struct wps_background *background, struct wps_profile *profile,
                               struct wps_exchange_order *order, struct wps_error *error)
{
    struct wps_job *job = take_spare(background);

    if (!job) {
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
        return NULL;
    }
    job->submission.job = job->cancellation.job = job;
    if (wps_transfer_begin(&job->transfer, profile, order, wps_now())) {
        *error = job->transfer.exchange.error;
        wps_job_free(job);
        job = NULL;
    }
    return job;
}

void wps_job_set_slot(struct wps_job *job, int slot)
{
    job->slot = slot;
}

int wps_job_slot(const struct wps_job *job)
{
    return job->slot;
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
    if (state & WPS_JOB_CANCELLED) { /* even where it was complete before */
        wps_fail(&cancelled, WPS_CANCELLED, NULL, "cancelled", "the call was cancelled");
        job->transfer.exchange.error = cancelled;
    }
    return &job->transfer.exchange;
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
    bool pending = job && job->pending;

    if (!background) {
        if (job)
            wps_job_free(job);
        return;
    }
    notice_fork(background);
    if (pending && is_done(job))
        collect(background);
    delist(background, job);
    if (pending && !job->listed) {
        mark(background, job, WPS_JOB_RELEASED | WPS_JOB_CANCELLED);
        return;
    }
    if (job->listed)
        remove_finished(background, job);
    put_aside(background, job);
}

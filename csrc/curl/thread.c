/* curl/thread.c - the background engine, from its thread's side. */
#define _GNU_SOURCE /* pthread_setname_np() */
#include "curl/background_private.h"

#define LONGEST_REST 3600.0 /* seconds */

/* ------------------------------------------------------------------ the end of a job */

static void deliver(struct wps_background *background, struct wps_job *job)
{
    if (__atomic_load_n(&job->state, __ATOMIC_SEQ_CST) & WPS_JOB_RELEASED) {
        wps_job_free(job);
    } else {
        wps_notes_push(&background->outbox, &job->submission);
        wps_background_announce(background);
    }
}

/* From WPS_JOB_DONE on nothing of the job but the notes is ours; with a cancellation under way, the job itself is until
 * that has arrived. */
void wps_background_finished(void *context, struct wps_transfer *transfer)
{
    struct wps_job *job = (struct wps_job *)transfer;
    unsigned before = __atomic_fetch_or(&job->state, WPS_JOB_DONE, __ATOMIC_SEQ_CST);

    if (!(before & WPS_JOB_CANCELLED) || job->cancellation_taken)
        deliver(context, job);
}

/* ------------------------------------------------------------------ notes */

static bool is_stopping(const struct wps_background *background)
{
    return __atomic_load_n(&background->stopping, __ATOMIC_SEQ_CST);
}

static void take_submission(struct wps_background *background, struct wps_job *job)
{
    if (is_stopping(background)) {
        wps_exchange_cancel(&job->transfer.exchange);
        wps_background_finished(background, &job->transfer);
    } else {
        wps_loop_enter(background->loop, &job->transfer);
    }
}

static void take_cancellation(struct wps_background *background, struct wps_job *job)
{
    job->cancellation_taken = true;
    if (job->transfer.loop)
        wps_transfer_cancel(&job->transfer);
    else
        deliver(background, job);
}

static void take_notes(struct wps_background *background)
{
    struct wps_note *note = wps_notes_take(&background->inbox);

    while (note) {
        struct wps_note *next = note->next;

        if (note == &note->job->cancellation)
            take_cancellation(background, note->job);
        else
            take_submission(background, note->job);
        note = next;
    }
}

/* ------------------------------------------------------------------ running */

static bool has_something_to_do(const struct wps_background *background)
{
    return __atomic_load_n(&background->inbox, __ATOMIC_SEQ_CST) || is_stopping(background)
           || __atomic_load_n(&background->relieving, __ATOMIC_SEQ_CST);
}

/* Says that it sleeps before it looks for the last time: a note comes early enough to be seen, or late enough to set
 * the event. */
static void turn(struct wps_background *background)
{
    __atomic_store_n(&background->asleep, true, __ATOMIC_SEQ_CST);
    wps_loop_turn(background->loop, has_something_to_do(background) ? 0 : LONGEST_REST);
    __atomic_store_n(&background->asleep, false, __ATOMIC_SEQ_CST);
}

void *wps_background_run(void *context)
{
    struct wps_background *background = context;

    pthread_setname_np(pthread_self(), "webpubsub");
    while (!is_stopping(background)) {
        take_notes(background);
        if (__atomic_exchange_n(&background->relieving, false, __ATOMIC_SEQ_CST))
            wps_loop_relieve(background->loop);
        turn(background);
    }
    take_notes(background);
    wps_loop_destroy(background->loop);
    background->loop = NULL;
    return NULL;
}

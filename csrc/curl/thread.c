/* curl/thread.c - the background engine, from its thread's side: queue, launch, drive, hand back. */
#define _GNU_SOURCE /* pthread_setname_np() */
#include "curl/lane.h"
#include "curl/reactor.h"

#include <limits.h>
#include <poll.h>

enum {
    MAX_LAUNCHES = 16,       /* of a lane in one turn: the first must not wait until the last is connecting */
    EXPIRY_STEP_MS = 50,     /* between two searches of a queue */
    FOR_EVER = -1,           /* to poll() */
    LONGEST_WAIT_MS = 60000, /* in libcurl, which keeps timers of its own */
};

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

/* Its exchange is complete, or has its error. From WPS_JOB_DONE on nothing of it but the notes is ours; with a
 * cancellation under way, the job itself is until that has arrived. */
static void finish(struct wps_background *background, struct wps_job *job)
{
    unsigned before;

    if (job->lane)
        wps_lane_leave(job);
    wps_exchange_end(&job->exchange);
    wps_engine_release(job->exchange.engine); /* counted in this thread only */
    job->exchange.engine = NULL;
    before = __atomic_fetch_or(&job->state, WPS_JOB_DONE, __ATOMIC_SEQ_CST);
    if (!(before & WPS_JOB_CANCELLED) || job->cancellation_taken)
        deliver(background, job);
}

static void finish_cancelled(struct wps_background *background, struct wps_job *job)
{
    wps_fail(&job->exchange.error, WPS_CANCELLED, NULL, "cancelled", "the exchange was cancelled");
    finish(background, job);
}

/* ------------------------------------------------------------------ notes */

static void take_submission(struct wps_background *background, struct wps_job *job)
{
    struct wps_lane *lane = wps_lane_find(&background->lanes, job->exchange.profile);

    if (lane) {
        wps_lane_enter(lane, job);
    } else {
        wps_fail(&job->exchange.error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
        finish(background, job);
    }
}

static void take_cancellation(struct wps_background *background, struct wps_job *job)
{
    job->cancellation_taken = true;
    if (job->lane)
        finish_cancelled(background, job);
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

/* ------------------------------------------------------------------ the queues */

static void expire(struct wps_background *background, struct wps_job *job)
{
    wps_fail(&job->exchange.error, WPS_TIMEOUT, NULL, "attempt_timeout",
             "%s: not sent within %g s, for too many calls were waiting before it",
             wps_buffer_string(&job->exchange.profile->authority), (double)job->exchange.timeout / 1000);
    finish(background, job);
}

/* Each has a timeout of its own, so those that have run out can be anywhere in the queue. */
static void search_for_expired(struct wps_background *background, struct wps_lane *lane, long long now)
{
    long long earliest = LLONG_MAX;
    struct wps_job *next;

    if (now < lane->next_expiry)
        return;
    for (struct wps_job *job = lane->queue.first; job; job = next) {
        long long expiry = job->submitted + job->exchange.timeout;

        next = job->next;
        if (expiry <= now)
            expire(background, job);
        else if (expiry < earliest)
            earliest = expiry;
    }
    lane->next_expiry = earliest > now + EXPIRY_STEP_MS ? earliest : now + EXPIRY_STEP_MS;
}

static bool can_launch(const struct wps_background *background, long long now)
{
    const struct wps_lane *lane = background->lanes;

    while (lane && !wps_lane_can_run(lane, now))
        lane = lane->next;
    return lane;
}

/* libcurl's connections are the engine's, whichever lane opened them: there must be enough for all. */
static struct wps_engine *engine_for(struct wps_background *background, int connections, struct wps_error *error)
{
    if (!background->reactor)
        background->reactor = wps_reactor_create(connections, background->wake, error);
    else
        wps_engine_enlarge(background->reactor->engine, connections, error);
    return error->kind ? NULL : background->reactor->engine;
}

static void launch(struct wps_background *background, struct wps_job *job, int connections, long long now)
{
    struct wps_exchange *exchange = &job->exchange;
    struct wps_engine *engine;

    if (now - job->submitted >= exchange->timeout) {
        expire(background, job);
        return;
    }
    exchange->queued = (long)(now - job->submitted);
    wps_lane_run(job, now);
    engine = engine_for(background, connections, &exchange->error);
    if (!engine || wps_exchange_launch(exchange, engine))
        finish(background, job);
}

static void work_off(struct wps_background *background, long long now)
{
    int connections = wps_lanes_connections(background->lanes);

    for (struct wps_lane *lane = background->lanes; lane; lane = lane->next) {
        search_for_expired(background, lane, now);
        for (int i = 0; i < MAX_LAUNCHES && wps_lane_can_run(lane, now); i++)
            launch(background, lane->queue.first, connections, now);
    }
}

/* ------------------------------------------------------------------ driving */

static bool any_running(const struct wps_background *background)
{
    const struct wps_lane *lane = background->lanes;

    while (lane && !lane->running.first)
        lane = lane->next;
    return lane;
}

static void finish_running(struct wps_background *background, struct wps_lane *lane, CURLMcode code)
{
    struct wps_job *next;

    for (struct wps_job *job = lane->running.first; job; job = next) {
        next = job->next;
        if (code && !job->exchange.done)
            wps_engine_failure(code, &job->exchange.error);
        if (code || job->exchange.done)
            finish(background, job);
    }
}

/* After a failure the next exchange has everything new. */
static void drive(struct wps_background *background, int ms)
{
    CURLMcode code = wps_reactor_turn(background->reactor, ms);

    for (struct wps_lane *lane = background->lanes; lane; lane = lane->next)
        finish_running(background, lane, code);
    if (code) {
        wps_reactor_destroy(background->reactor);
        background->reactor = NULL;
    }
}

/* ms until the queues want to be looked at again, whatever happens */
static int longest_wait(const struct wps_background *background, long long now)
{
    long long longest = LONGEST_WAIT_MS;

    for (const struct wps_lane *lane = background->lanes; lane; lane = lane->next) {
        long long left = wps_lane_patience(lane, now);

        if (left < longest)
            longest = left;
    }
    return longest > 0 ? (int)longest : 0;
}

/* Without exchanges libcurl is not asked: it might fail, and this must not become a loop that never rests. */
static void wait(struct wps_background *background)
{
    struct pollfd wake = { background->wake, POLLIN, 0 };

    if (any_running(background))
        drive(background, longest_wait(background, wps_steady_ms()));
    else if (poll(&wake, 1, FOR_EVER) > 0)
        wps_event_clear(background->wake);
}

static bool is_stopping(const struct wps_background *background)
{
    return __atomic_load_n(&background->stopping, __ATOMIC_SEQ_CST);
}

/* Says that it sleeps before it looks at the inbox for the last time: a note comes early enough to be seen, or late
 * enough to set the event. */
static void rest(struct wps_background *background)
{
    __atomic_store_n(&background->asleep, true, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&background->inbox, __ATOMIC_SEQ_CST) && !is_stopping(background))
        wait(background);
    __atomic_store_n(&background->asleep, false, __ATOMIC_SEQ_CST);
}

static void shut_down(struct wps_background *background)
{
    take_notes(background);
    for (struct wps_lane *lane = background->lanes; lane; lane = lane->next) {
        while (lane->running.first)
            finish_cancelled(background, lane->running.first);
        while (lane->queue.first)
            finish_cancelled(background, lane->queue.first);
    }
    wps_lanes_sweep(&background->lanes);
    wps_reactor_destroy(background->reactor);
    background->reactor = NULL;
}

void *wps_background_run(void *context)
{
    struct wps_background *background = context;

    pthread_setname_np(pthread_self(), "webpubsub");
    while (!is_stopping(background)) {
        long long now = wps_steady_ms();

        take_notes(background);
        work_off(background, now);
        if (any_running(background))
            drive(background, 0);
        wps_lanes_sweep(&background->lanes);
        if (!can_launch(background, now))
            rest(background);
    }
    shut_down(background);
    return NULL;
}

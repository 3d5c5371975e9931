/* curl_thread.c - the background engine, from its thread's side: queue, launch, drive, hand back. */
#define _GNU_SOURCE /* pthread_setname_np() */
#include "curl_background_private.h"

#include <limits.h>
#include <poll.h>

enum {
    /* Exchanges in libcurl, whose list of those that wait is slow when it is long; and connections. Servers commonly
     * let an HTTP/2 connection carry as many. */
    MAX_RUNNING = 100,
    PILOT_MS = 1000,        /* see is_held_back() */
    EXPIRY_STEP_MS = 50,    /* between two searches of the queue */
    FOR_EVER = -1,          /* to poll() */
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

    wps_jobs_remove(job);
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
    long long expiry = job->submitted + job->exchange.timeout;

    wps_jobs_append(&background->queue, job);
    if (background->queue.length == 1 || expiry < background->next_expiry)
        background->next_expiry = expiry;
}

static void take_cancellation(struct wps_background *background, struct wps_job *job)
{
    job->cancellation_taken = true;
    if (job->list)
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

/* ------------------------------------------------------------------ the queue */

static void expire(struct wps_background *background, struct wps_job *job)
{
    wps_fail(&job->exchange.error, WPS_TIMEOUT, NULL, "attempt_timeout",
             "%s: not sent within %g s, for too many calls were waiting before it",
             wps_buffer_string(&job->exchange.profile->authority), (double)job->exchange.timeout / 1000);
    finish(background, job);
}

/* Each has a timeout of its own, so those that have run out can be anywhere in the queue. */
static void search_for_expired(struct wps_background *background, long long now)
{
    long long earliest = LLONG_MAX;
    struct wps_job *next;

    if (now < background->next_expiry)
        return;
    for (struct wps_job *job = background->queue.first; job; job = next) {
        long long expiry = job->submitted + job->exchange.timeout;

        next = job->next;
        if (expiry <= now)
            expire(background, job);
        else if (expiry < earliest)
            earliest = expiry;
    }
    background->next_expiry = earliest > now + EXPIRY_STEP_MS ? earliest : now + EXPIRY_STEP_MS;
}

/* Where a server may speak HTTP/2, one exchange goes ahead until its connection stands, for then the others can share
 * it: sent together they would open a connection each. Not for long, though: a server that is slow to connect to must
 * not make them fail one after the other. */
static bool is_held_back(const struct wps_background *background, const struct wps_job *job, long long now)
{
    const struct wps_profile *profile = job->exchange.profile;
    bool has_pilot = false;

    if (!wps_profile_multiplexes(profile))
        return false;
    for (const struct wps_job *other = background->running.first; other; other = other->next) {
        if (other->exchange.profile != profile)
            continue;
        if (other->exchange.sent || now - other->launched >= PILOT_MS)
            return false;
        has_pilot = true;
    }
    return has_pilot;
}

static bool can_launch(const struct wps_background *background, long long now)
{
    return background->queue.first && background->running.length < MAX_RUNNING
           && !is_held_back(background, background->queue.first, now);
}

static void launch(struct wps_background *background, struct wps_job *job, long long now)
{
    struct wps_exchange *exchange = &job->exchange;

    if (now - job->submitted >= exchange->timeout) {
        expire(background, job);
        return;
    }
    exchange->queued = (long)(now - job->submitted);
    job->launched = now;
    wps_jobs_remove(job);
    wps_jobs_append(&background->running, job);
    if (!background->engine)
        background->engine = wps_engine_create(MAX_RUNNING, &exchange->error);
    if (!background->engine || wps_exchange_launch(exchange, background->engine))
        finish(background, job);
}

/* ------------------------------------------------------------------ driving */

static void finish_running(struct wps_background *background, CURLMcode code)
{
    struct wps_job *next;

    for (struct wps_job *job = background->running.first; job; job = next) {
        next = job->next;
        if (code && !job->exchange.done)
            wps_engine_failure(code, &job->exchange.error);
        if (code || job->exchange.done)
            finish(background, job);
    }
}

static void drive(struct wps_background *background)
{
    if (background->running.first)
        finish_running(background, wps_engine_drive(background->engine));
}

/* ms until the queue wants to be looked at again, whatever happens */
static int longest_wait(const struct wps_background *background, long long now)
{
    long long left = LONGEST_WAIT_MS;

    if (background->queue.first) {
        if (background->next_expiry - now < left)
            left = background->next_expiry - now;
        if (background->running.length < MAX_RUNNING && PILOT_MS < left)
            left = PILOT_MS;
    }
    return left > 0 ? (int)left : 0;
}

/* Without exchanges libcurl is not asked: it might fail, and this must not become a loop that never rests. */
static void wait(struct wps_background *background)
{
    struct curl_waitfd wake = { background->wake, CURL_WAIT_POLLIN, 0 };
    struct pollfd alone = { background->wake, POLLIN, 0 };
    CURLMcode code;

    if (background->running.first) {
        code = curl_multi_poll(background->engine->multi, &wake, 1,
                               longest_wait(background, wps_steady_ms()), NULL);
        if (code)
            finish_running(background, code);
    } else {
        poll(&alone, 1, FOR_EVER);
    }
    if (wake.revents || alone.revents)
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
    while (background->running.first)
        finish_cancelled(background, background->running.first);
    while (background->queue.first)
        finish_cancelled(background, background->queue.first);
    wps_engine_release(background->engine);
    background->engine = NULL;
}

void *wps_background_run(void *context)
{
    struct wps_background *background = context;

    pthread_setname_np(pthread_self(), "webpubsub");
    while (!is_stopping(background)) {
        long long now = wps_steady_ms();

        take_notes(background);
        search_for_expired(background, now);
        while (can_launch(background, now))
            launch(background, background->queue.first, now);
        drive(background);
        if (!can_launch(background, now))
            rest(background);
    }
    shut_down(background);
    return NULL;
}

/* curl/lane.c - the thread's lanes: who waits, who runs, and whose turn it is. */
#include "curl/lane.h"

#include <limits.h>
#include <stdlib.h>

enum {
    SHARING = 100,   /* exchanges that libcurl lets one HTTP/2 connection carry at a time; many servers do, too */
    PILOT_MS = 1000, /* for which a connection is waited for */
};

/* ------------------------------------------------------------------ room */

/* Where a server may speak HTTP/2, one exchange goes ahead until its connection stands, for then others can share it:
 * sent together they would open a connection each. When they are as many as it can carry, the next one goes ahead. */
static int room_at_first(const struct wps_profile *profile)
{
    return wps_profile_multiplexes(profile) ? 0 : INT_MAX;
}

/* A server that is slow to connect to must not make them fail one after the other. */
static bool makes_room(const struct wps_job *pilot, long long now)
{
    return pilot->exchange.sent || now - pilot->launched >= PILOT_MS;
}

static void dismiss_pilot(struct wps_lane *lane, long long now)
{
    if (makes_room(lane->pilot, now))
        lane->room += SHARING;
    lane->pilot = NULL;
}

/* ------------------------------------------------------------------ lanes */

struct wps_lane *wps_lane_find(struct wps_lane **lanes, struct wps_profile *profile)
{
    struct wps_lane *lane = *lanes;

    while (lane && lane->profile != profile)
        lane = lane->next;
    if (!lane && (lane = calloc(1, sizeof *lane))) {
        lane->profile = wps_profile_hold(profile);
        lane->room = room_at_first(profile);
        lane->next = *lanes;
        *lanes = lane;
    }
    return lane;
}

/* The sum fits, for there are fewer lanes than jobs. */
int wps_lanes_connections(const struct wps_lane *lanes)
{
    int sum = 0;

    for (; lanes; lanes = lanes->next)
        sum += lanes->profile->max_connections;
    return sum;
}

void wps_lanes_sweep(struct wps_lane **lanes)
{
    while (*lanes) {
        struct wps_lane *lane = *lanes;

        if (lane->queue.first || lane->running.first) {
            lanes = &lane->next;
        } else {
            *lanes = lane->next;
            wps_profile_release(lane->profile);
            free(lane);
        }
    }
}

/* ------------------------------------------------------------------ a job's way */

void wps_lane_enter(struct wps_lane *lane, struct wps_job *job)
{
    long long expiry = job->submitted + job->exchange.timeout;

    job->lane = lane;
    wps_jobs_append(&lane->queue, job);
    if (lane->queue.length == 1 || expiry < lane->next_expiry)
        lane->next_expiry = expiry;
}

bool wps_lane_can_run(const struct wps_lane *lane, long long now)
{
    return lane->queue.first && lane->running.length < lane->profile->max_connections
           && (lane->running.length < lane->room || !lane->pilot || makes_room(lane->pilot, now));
}

void wps_lane_run(struct wps_job *job, long long now)
{
    struct wps_lane *lane = job->lane;

    if (lane->pilot && makes_room(lane->pilot, now))
        dismiss_pilot(lane, now);
    if (lane->running.length >= lane->room)
        lane->pilot = job;
    job->launched = now;
    wps_jobs_remove(job);
    wps_jobs_append(&lane->running, job);
}

void wps_lane_leave(struct wps_job *job)
{
    struct wps_lane *lane = job->lane;

    wps_jobs_remove(job);
    if (lane->pilot == job)
        dismiss_pilot(lane, job->launched);
    if (!lane->running.first) /* and nobody knows whether the connections still stand */
        lane->room = room_at_first(lane->profile);
    job->lane = NULL;
}

long long wps_lane_patience(const struct wps_lane *lane, long long now)
{
    long long left = LLONG_MAX;

    if (lane->queue.first) {
        left = lane->next_expiry - now;
        if (lane->pilot && lane->pilot->launched + PILOT_MS - now < left)
            left = lane->pilot->launched + PILOT_MS - now;
    }
    return left;
}

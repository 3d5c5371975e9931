/* curl/lane.h - the thread's lanes: each profile's exchanges queue and run in one of their own, so that a server that
 * does not answer holds up nobody else's. */
#ifndef WPS_CURL_LANE_H
#define WPS_CURL_LANE_H

#include "curl/background_private.h"

struct wps_lane {
    struct wps_lane *next;
    struct wps_profile *profile; /* counted */
    struct wps_job_list queue, running;
    long long next_expiry; /* when the queue is searched again for what has run out of time */
    int room;              /* how many may run without another connection's being waited for */
    struct wps_job *pilot; /* the running one whose connection is; NULL: none */
};

/* The profile's, made where there is none yet; NULL: not enough memory. */
struct wps_lane *wps_lane_find(struct wps_lane **lanes, struct wps_profile *profile);
/* How many connections all of them may have together. */
int wps_lanes_connections(const struct wps_lane *lanes);
/* Frees those without jobs. */
void wps_lanes_sweep(struct wps_lane **lanes);

/* A job's way: into the queue, from there to those that run, and out, from either. */
void wps_lane_enter(struct wps_lane *lane, struct wps_job *job);
bool wps_lane_can_run(const struct wps_lane *lane, long long now); /* the first of the queue, that is */
void wps_lane_run(struct wps_job *job, long long now);
void wps_lane_leave(struct wps_job *job);

/* ms until the queue wants to be looked at again, whatever happens; LLONG_MAX: never */
long long wps_lane_patience(const struct wps_lane *lane, long long now);

#endif

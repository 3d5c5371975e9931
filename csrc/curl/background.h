/* curl/background.h - the engine whose thread is one of its own: exchanges are handed in and come back finished.
 *
 *   background   the program's end of it
 *   job          a transfer on its way through the thread
 *
 * All functions are the program's: they are called from one thread of it at a time and never wait for the network,
 * wps_background_wait() excepted. */
#ifndef WPS_CURL_BACKGROUND_H
#define WPS_CURL_BACKGROUND_H

#include "curl/loop.h"

struct wps_background;
struct wps_job;

/* ------------------------------------------------------------------ background */

/* Its thread starts with the first job. After fork() the child's is a new one without a thread, and the jobs the
 * parent's thread has are in the child finished, as failed. */
struct wps_background *wps_background_create(struct wps_error *error);
/* Joins the thread. Jobs that are not finished end as WPS_CANCELLED, and all belong to those who hold them. */
void wps_background_close(struct wps_background *background);

/* Hands the job over. What goes wrong from here on, the job's result tells. */
void wps_background_submit(struct wps_background *background, struct wps_job *job);
/* The next finished job, or NULL. */
struct wps_job *wps_background_next(struct wps_background *background);
/* Jobs submitted, and neither taken with wps_background_next() nor released. */
size_t wps_background_pending(struct wps_background *background);
/* Waits until there is a finished job, for at most `seconds`; false: there is none. A signal ends the wait. */
bool wps_background_wait(struct wps_background *background, double seconds);
/* A descriptor that is readable while there are finished jobs, until wps_background_next() returns NULL. -1 and an
 * error where there is none to be had. It belongs to the background; a child process has another. */
int wps_background_descriptor(struct wps_background *background, struct wps_error *error);

/* ------------------------------------------------------------------ job */

/* Begins the exchange, see wps_transfer_begin(). The background, where it is given, may have a used job to spare. NULL
 * and an error where the request cannot be sent. */
struct wps_job *wps_job_create(struct wps_background *background, struct wps_profile *profile,
                               struct wps_exchange_order *order, struct wps_error *error);
/* A number by which the program knows the job again. */
void wps_job_set_slot(struct wps_job *job, int slot);
int wps_job_slot(const struct wps_job *job);
/* A finished job's exchange; NULL before. */
struct wps_exchange *wps_job_exchange(struct wps_job *job);
/* At whatever stage: from now on its end is WPS_CANCELLED. */
void wps_job_cancel(struct wps_job *job);
/* The program needs it no more: it is freed, after a cancellation where it is not finished. NULL is fine. */
void wps_job_release(struct wps_job *job);

#endif

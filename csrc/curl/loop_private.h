/* curl/loop_private.h - what the loop and the moves of its transfers share. */
#ifndef WPS_CURL_LOOP_PRIVATE_H
#define WPS_CURL_LOOP_PRIVATE_H

#include "curl/loop.h"
#include "curl/pool.h"

#define WPS_RELIEF_SECONDS 0.02 /* for others to close what they can spare */

enum { WPS_READ_BYTES = 16384 }; /* at a time: as much as a record of TLS holds */

struct wps_loop {
    struct wps_hub hub;
    struct wps_pool *pools; /* the last used first */
    struct wps_watch wake;
    void (*finished)(void *context, struct wps_transfer *transfer);
    void *context;
    unsigned forks;  /* wps_process_forks() of the process that made it */
    bool unfinished; /* more can be done at once */
    char data[WPS_READ_BYTES];
};

/* Each may be the end of the transfer, which then belongs to the loop's owner again. */
void wps_moves_connected(struct wps_transfer *transfer, bool kept);
void wps_moves_open(struct wps_transfer *transfer);
void wps_moves_unconnected(struct wps_transfer *transfer);
void wps_moves_ready(struct wps_connection *connection, unsigned events);
void wps_moves_due(void *transfer);
/* Has its timer ring when its exchange wants to know the time. */
void wps_moves_await(struct wps_transfer *transfer);
/* Its exchange is finished. */
void wps_moves_finish(struct wps_transfer *transfer);
void wps_moves_withdraw(struct wps_transfer *transfer);
enum wps_move wps_moves_fail_without_memory(struct wps_transfer *transfer);

#endif

/* curl/transfer.h - an exchange on its way through a loop. */
#ifndef WPS_CURL_TRANSFER_H
#define WPS_CURL_TRANSFER_H

#include "core/exchange.h"
#include "curl/profile.h"
#include "curl/timers.h"

struct wps_connection;
struct wps_loop;
struct wps_pool;
struct wps_transfer_list;

struct wps_transfer {
    struct wps_exchange exchange;
    struct wps_profile *profile; /* counted; NULL: there is no exchange */
    bool done;

    /* while it lasts */
    struct wps_loop *loop; /* NULL: not in one */
    struct wps_pool *pool;
    struct wps_connection *connection;
    struct wps_timer timer;
    bool relieved; /* descriptors were asked for on its behalf */
    struct wps_transfer_list *list;
    struct wps_transfer *previous, *next;
};

struct wps_transfer_list {
    struct wps_transfer *first, *last;
};

/* Begins the exchange at `now`; what the profile knows need not be in the order. WPS_OK, or why it cannot be sent:
 * WPS_ARGUMENT, WPS_NO_MEMORY. Anything in the order may go away when this returns. */
enum wps_kind wps_transfer_begin(struct wps_transfer *transfer, struct wps_profile *profile,
                                 struct wps_exchange_order *order, double now);
/* Of one that is in no loop: ends it for a reason of its owner's. */
void wps_transfer_fail(struct wps_transfer *transfer, const struct wps_error *error);
/* Of one that is in no loop: makes it all zero again but for its buffers' memory. */
void wps_transfer_recycle(struct wps_transfer *transfer);
/* Of one that is in no loop. */
void wps_transfer_free(struct wps_transfer *transfer);

void wps_transfers_append(struct wps_transfer_list *list, struct wps_transfer *transfer);
void wps_transfers_prepend(struct wps_transfer_list *list, struct wps_transfer *transfer);
/* Out of the list it is in. */
void wps_transfers_remove(struct wps_transfer *transfer);

#endif

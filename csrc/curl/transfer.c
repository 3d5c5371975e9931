/* curl/transfer.c - an exchange on its way through a loop: its beginning, its end, and the lists it is in meanwhile. */
#include "curl/transfer.h"

enum wps_kind wps_transfer_begin(struct wps_transfer *transfer, struct wps_profile *profile,
                                 struct wps_exchange_order *order, double now)
{
    enum wps_kind kind;

    wps_profile_complete(profile, order);
    transfer->profile = wps_profile_hold(profile);
    transfer->done = transfer->relieved = false;
    wps_exchange_begin(&transfer->exchange, order, now);
    kind = transfer->exchange.error.kind;
    if (kind) {
        wps_profile_release(transfer->profile);
        transfer->profile = NULL;
    }
    return kind;
}

void wps_transfer_fail(struct wps_transfer *transfer, const struct wps_error *error)
{
    wps_exchange_fail(&transfer->exchange, error->kind, error->code, error->message);
    transfer->done = true;
}

void wps_transfer_recycle(struct wps_transfer *transfer)
{
    wps_exchange_recycle(&transfer->exchange);
    wps_profile_release(transfer->profile);
    transfer->profile = NULL;
    transfer->done = false;
}

void wps_transfer_free(struct wps_transfer *transfer)
{
    wps_exchange_free(&transfer->exchange);
    wps_profile_release(transfer->profile);
    transfer->profile = NULL;
}

void wps_transfers_append(struct wps_transfer_list *list, struct wps_transfer *transfer)
{
    transfer->list = list;
    transfer->next = NULL;
    transfer->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = transfer;
    list->last = transfer;
}

void wps_transfers_prepend(struct wps_transfer_list *list, struct wps_transfer *transfer)
{
    transfer->list = list;
    transfer->previous = NULL;
    transfer->next = list->first;
    *(list->first ? &list->first->previous : &list->last) = transfer;
    list->first = transfer;
}

void wps_transfers_remove(struct wps_transfer *transfer)
{
    struct wps_transfer_list *list = transfer->list;

    *(transfer->previous ? &transfer->previous->next : &list->first) = transfer->next;
    *(transfer->next ? &transfer->next->previous : &list->last) = transfer->previous;
    transfer->list = NULL;
}

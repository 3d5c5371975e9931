/* events.h - is a request, which arrives at a server's own event handler, the service's? */
#ifndef WPS_EVENTS_H
#define WPS_EVENTS_H

#include "core/service.h"

/* Does one of the hashes in `signature`, the header ce-signature, fit this connection id under the signer's key? The
 * service writes "sha256=<HMAC in lower-case hexadecimal>", one for each of its keys, with commas between. Takes the
 * same time whether a hash is nearly right or not at all. */
bool wps_event_is_signed(struct wps_signer *signer, struct wps_slice signature, struct wps_slice connection);

#endif

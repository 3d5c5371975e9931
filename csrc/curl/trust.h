/* curl/trust.h - whose certificates are trusted. */
#ifndef WPS_CURL_TRUST_H
#define WPS_CURL_TRUST_H

#include "curl/profile.h"

/* Sets a CURL handle up to trust what the profile trusts, and nobody else; a CURLcode. */
int wps_trust_apply(struct wps_profile *profile, void *easy);
/* What the profile keeps for it; NULL is fine. */
void wps_trust_free(void *trust);

#endif

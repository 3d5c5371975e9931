/* curl/trust.h - whose certificates are trusted. */
#ifndef WPS_CURL_TRUST_H
#define WPS_CURL_TRUST_H

#include "curl/profile.h"

/* Sets a CURL handle up to trust what the profile trusts, and nobody else; a CURLcode. */
int wps_trust_apply(struct wps_profile *profile, void *easy);
/* Can one certificate be trusted by its thumbprint? Not where libcurl uses another TLS library. */
bool wps_trust_takes_thumbprints(void);
/* What the profile keeps for it; NULL is fine. */
void wps_trust_free(void *trust);

#endif

/* base64.h - bytes as text (RFC 4648). */
#ifndef WPS_BASE64_H
#define WPS_BASE64_H

#include "core/bytes.h"

void wps_base64(struct wps_buffer *buffer, const void *data, size_t length);    /* with padding */
void wps_base64url(struct wps_buffer *buffer, const void *data, size_t length); /* of tokens: without */
/* Appends what the text stands for: of both alphabets, with or without padding. False: it is not base64, or the buffer
 * has failed; what was decoded before it went wrong has been appended. */
bool wps_base64_decode(struct wps_buffer *buffer, struct wps_slice text);

#endif

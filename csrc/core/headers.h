/* headers.h - a header block as text: one "Name: value\r\n" a line. It is what goes over the wire and what came from it. */
#ifndef WPS_HEADERS_H
#define WPS_HEADERS_H

#include "core/bytes.h"

/* Takes the next line off `rest`; false at the end. Lines without a colon are skipped. */
bool wps_headers_next(struct wps_slice *rest, struct wps_slice *name, struct wps_slice *value);
/* One line, without its end; false: a blank before the colon, or a control byte, or no colon. The value is not trimmed. */
bool wps_headers_split(struct wps_slice line, struct wps_slice *name, struct wps_slice *value);
/* The first value under that name, or an absent slice. */
struct wps_slice wps_headers_find(struct wps_slice block, const char *name);
/* WPS_OK where a header with this name and value may be sent; CR, LF and NUL end a header early and are refused. */
enum wps_kind wps_headers_check(struct wps_slice name, struct wps_slice value, struct wps_error *error);
/* Both take what has passed wps_headers_check(). Set replaces or, with an absent value, removes. */
void wps_headers_add(struct wps_buffer *block, struct wps_slice name, struct wps_slice value);
void wps_headers_set(struct wps_buffer *block, struct wps_slice name, struct wps_slice value);

#endif

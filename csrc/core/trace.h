/* trace.h - the two headers of W3C Trace Context, checked by their form: a service drops what is malformed, and the trace
 * breaks there without a word. https://www.w3.org/TR/trace-context/ */
#ifndef WPS_TRACE_H
#define WPS_TRACE_H

#include "core/bytes.h"

enum wps_kind wps_traceparent_check(struct wps_slice value, struct wps_error *error);
enum wps_kind wps_tracestate_check(struct wps_slice value, struct wps_error *error);

#endif

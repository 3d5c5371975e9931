/* codes.h - THE table of error codes: what each kind of error and each code means, whether another attempt may help, and
 * what to do. Calls, help, reference and annotations read it. */
#ifndef WPS_CODES_H
#define WPS_CODES_H

#include "core/bytes.h"

struct wps_code {
    enum wps_kind kind; /* WPS_OK ends the list */
    bool retryable;     /* may the same request succeed a moment later, and be sent again? */
    const char *code;   /* NULL: the kind, with the codes that have no row: others choose them */
    const char *meaning;
    const char *advice; /* NULL: the meaning says it */
};

extern const struct wps_code wps_codes[];

/* The row of a code, or of its kind. */
const struct wps_code *wps_code_find(enum wps_kind kind, const char *code);

#endif

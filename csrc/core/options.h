/* options.h - THE table of options: what `new`, a call's context, `retry`, client_access_url, each, events.new and
 * the credentials may be given, and what handlers of events may answer.
 *
 * Checks, help, annotations, README and every transport read it, and nothing else says what an option is. */
#ifndef WPS_OPTIONS_H
#define WPS_OPTIONS_H

#include "core/bytes.h"

/* Where an option may stand. One that stands in several places means the same in each. */
enum wps_where {
    WPS_FOR_CLIENT = 1,      /* webpubsub.new */
    WPS_FOR_CALL = 2,        /* context */
    WPS_FOR_RETRY = 4,       /* retry */
    WPS_FOR_ACCESS = 8,      /* client_access_url */
    WPS_FOR_EACH = 16,       /* each */
    WPS_FOR_EVENTS = 32,     /* events.new */
    WPS_FOR_CONNECT = 64,    /* the answer to connect */
    WPS_FOR_MESSAGE = 128,   /* the answer to a user's event */
    WPS_FOR_MQTT = 256,      /* mqtt in the answer to connect */
    WPS_FOR_REJECTION = 512, /* mqtt in events.reject */
    WPS_FOR_PROPERTY = 1024, /* one of MQTT's user properties */
    WPS_FOR_SECRET = 2048, /* credential.client_secret, and so on */
    WPS_FOR_CERTIFICATE = 4096,
    WPS_FOR_WORKLOAD = 8192,
    WPS_FOR_MANAGED = 16384,
    WPS_FOR_PROGRAM = 32768, /* azure_cli and azure_developer_cli */
    WPS_FOR_DEFAULT = 65536,
    WPS_EVERYWHERE = 131071
};

/* What it may be; there may be several. */
enum wps_option_type {
    WPS_OPTION_STRING = 1,
    WPS_OPTION_FILLED = 2, /* a string that is not empty and has no NUL */
    WPS_OPTION_NUMBER = 4, /* from minimum to maximum */
    WPS_OPTION_WHOLE = 8,  /* a whole number in that range */
    WPS_OPTION_BOOLEAN = 16,
    WPS_OPTION_FALSE = 32,
    WPS_OPTION_FUNCTION = 64,
    WPS_OPTION_TABLE = 128,
    WPS_OPTION_ANY = 256
};

/* Where it has an effect; elsewhere it is refused, or does nothing where its doc says so. */
enum wps_world { WPS_ALL_WORLDS, WPS_OUTSIDE_NGINX, WPS_INSIDE_NGINX };

struct wps_option {
    const char *name; /* NULL ends a list */
    unsigned where;
    unsigned types;
    double minimum, maximum;
    const char *unit;    /* of a number: "s", "bytes" */
    const char *initial; /* the default, as a program would write it; NULL: none */
    const char *type;    /* for editors, where the types above do not say it all */
    enum wps_world world;
    const char *doc;
};

extern const struct wps_option wps_options[];

/* The name of the types, such as "string or false". */
void wps_option_describe(const struct wps_option *option, char *text, size_t size);

#endif

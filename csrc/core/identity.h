/* identity.h - tokens of Entra ID: the request that asks for one, for each place a program may run in, and its answer.
 *
 * This is the only place that knows the forms and the JSON of token requests. Secrets and assertions are in buffers,
 * which are wiped. */
#ifndef WPS_IDENTITY_H
#define WPS_IDENTITY_H

#include "core/certificate.h"
#include "core/service.h"

#define WPS_DEFAULT_AUTHORITY "https://login.microsoftonline.com"
#define WPS_DEFAULT_SCOPE "https://webpubsub.azure.com/.default"
#define WPS_IMDS_ENDPOINT "http://169.254.169.254"
#define WPS_ARC_KEYS "/var/opt/azcmagent/tokens"

enum { WPS_MAX_ARC_KEY = 4096 }; /* bytes of a key file */

/* Who is asked. The first two are Entra ID itself, the others managed identities. */
enum wps_source {
    WPS_CLIENT_SECRET,
    WPS_ASSERTION, /* signed with a certificate, or what a federated issuer has written to a file */
    WPS_SERVICE_FABRIC,
    WPS_APP_SERVICE, /* Functions and Container Apps, too */
    WPS_ARC,
    WPS_AZURE_ML,
    WPS_CLOUD_SHELL,
    WPS_IMDS /* virtual machines */
};

/* Which managed identity of several is meant. */
enum wps_principal { WPS_SYSTEM_ASSIGNED, WPS_BY_CLIENT_ID, WPS_BY_OBJECT_ID, WPS_BY_RESOURCE_ID };

struct wps_identity {
    enum wps_source source;
    enum wps_principal principal;
    struct wps_base place;       /* the authority, or a managed identity's endpoint */
    struct wps_buffer tenant;
    struct wps_buffer client_id; /* or whatever `principal` says that it is */
    struct wps_buffer scope;
    struct wps_buffer secret;    /* the client's, or the one with which an endpoint is asked */
    struct wps_certificate certificate;
    bool send_chain;
    bool trailing_slash; /* after the endpoint, whose server may insist on it */
    struct wps_limits limits;
};

/* What an identity is made from; absent slices are none, or the default. */
struct wps_identity_parts {
    enum wps_source source;
    enum wps_principal principal;
    struct wps_slice place, tenant, client_id, scope, secret;
    const char *place_name; /* of the option or variable that `place` is from, for errors */
};

const char *wps_source_name(enum wps_source source); /* for people: "App Service" */
bool wps_source_is_managed(enum wps_source source);
enum wps_kind wps_identity_set(struct wps_identity *identity, const struct wps_identity_parts *parts,
                               struct wps_error *error);
void wps_identity_free(struct wps_identity *identity);
/* Is its endpoint on this machine or its platform's, where no proxy leads to? */
bool wps_identity_is_near(const struct wps_identity *identity);
/* Appends the URL of the token endpoint, without its query. */
void wps_identity_url(const struct wps_identity *identity, struct wps_buffer *url);

/* Builds the request. `proof` is an assertion, or the key with which Arc is asked for the second time; absent: none.
 * `claims` is the JSON of a challenge that the token must answer, or absent. */
enum wps_kind wps_identity_request(const struct wps_identity *identity, struct wps_slice proof,
                                   struct wps_slice claims, struct wps_request *request, struct wps_error *error);

struct wps_token {
    struct wps_buffer text;
    double expires; /* seconds since the epoch */
    double refresh; /* when the next is best asked for; 0: it does not say */
};

/* Reads what has come back at `wall`: the token, or a WPS_CREDENTIAL error that tells why there is none. */
enum wps_kind wps_identity_answer(const struct wps_identity *identity, const struct wps_response *response,
                                  double wall, struct wps_token *token, struct wps_error *error);
void wps_token_free(struct wps_token *token);

/* A date as a program has written it: year, month, day, hour, minute, second. */
struct wps_program_time {
    int parts[6]; /* all 0: none */
    bool is_utc;  /* else it is this machine's local time */
};

/* Reads the JSON that `az` or `azd` has written. Where it has a date only, that is in `local`, and the caller, who knows
 * time zones, sets token->expires. */
enum wps_kind wps_program_answer(struct wps_slice output, double wall, struct wps_program_time *local,
                                 struct wps_token *token, struct wps_error *error);

/* The file whose text Arc wants to see, from its challenge. A server that could name any file would choose what is read
 * and sent to it: only the .key files in `folder` are allowed. */
enum wps_kind wps_arc_key_path(struct wps_slice headers, const char *folder, char *path, size_t size,
                               struct wps_error *error);

#endif

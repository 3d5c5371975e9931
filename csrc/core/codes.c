/* codes.c - the table of error codes. */
#include "core/codes.h"

#include <string.h>

/* Whether an attempt is made again depends on the code and never on a message: the words of libcurl and NGINX change. */
const struct wps_code wps_codes[] = {
    { WPS_ARGUMENT, false, NULL, "what the program gave is wrong; nothing was sent",
      "mend the program: err.argument names what is wrong, the message what would be right" },
    { WPS_ARGUMENT, false, "empty", "something is empty that must not be", NULL },
    { WPS_ARGUMENT, false, "invalid", "a value is out of range, malformed, or does not go with the others", NULL },
    { WPS_ARGUMENT, false, "mismatch", "a certificate and a key do not belong together", NULL },
    { WPS_ARGUMENT, false, "missing", "something that is required is not given", NULL },
    { WPS_ARGUMENT, false, "no_certificate", "a file holds no certificate", NULL },
    { WPS_ARGUMENT, false, "no_key", "a file holds no private key", NULL },
    { WPS_ARGUMENT, false, "phase", "NGINX cannot wait in this phase", "use client:defer, or another phase" },
    { WPS_ARGUMENT, false, "type", "a value is of another type", NULL },
    { WPS_ARGUMENT, false, "unfinished", "the result of a task that is not over",
      "ask task:done() first, or wait with task:await()" },
    { WPS_ARGUMENT, false, "unknown", "there is no such argument, option, operation or method",
      "the message names the nearest one" },
    { WPS_ARGUMENT, false, "unreadable", "a file cannot be read", NULL },
    { WPS_ARGUMENT, false, "unsupported", "this cannot be done where the program runs",
      "the message says what can be done there" },
    { WPS_ARGUMENT, false, "wrong", "a password does not open its file", NULL },

    { WPS_CREDENTIAL, false, NULL, "no token could be had; nothing was sent to the service",
      "other codes are those of the identity provider, such as invalid_client; the message has its words" },
    { WPS_CREDENTIAL, false, "arc_challenge", "Azure Arc asks for a proof that cannot be given",
      "run as a user who may read Azure Arc's files" },
    { WPS_CREDENTIAL, false, "claims", "the service asks for claims that this credential cannot bring",
      "sign in again, or use another credential" },
    { WPS_CREDENTIAL, false, "credential", "a credential function has failed, or returned no token and expiry", NULL },
    { WPS_CREDENTIAL, false, "expired", "the certificate is no longer valid", "renew it" },
    { WPS_CREDENTIAL, false, "file", "a file of the credential cannot be read", NULL },
    { WPS_CREDENTIAL, false, "malformed", "what should bring a token answered something else", NULL },
    { WPS_CREDENTIAL, false, "missing", "there is no key, or no certificate, to sign with",
      "give `key`, a connection string with AccessKey, or a credential" },
    { WPS_CREDENTIAL, false, "not_installed", "the program that would bring a token is not in PATH", NULL },
    { WPS_CREDENTIAL, false, "not_yet_valid", "the certificate is not valid yet",
      "check this machine's clock" },
    { WPS_CREDENTIAL, false, "program", "the program that would bring a token has failed", NULL },
    { WPS_CREDENTIAL, false, "proof", "a proof of identity is empty or has control bytes", NULL },
    { WPS_CREDENTIAL, false, "random", "OpenSSL has no random bytes", NULL },
    { WPS_CREDENTIAL, false, "refused", "the identity provider refuses, without saying why", NULL },
    { WPS_CREDENTIAL, false, "signing", "OpenSSL cannot sign", NULL },

    { WPS_TRANSPORT, true, NULL, "no response arrived; the service may have the request all the same",
      "other codes are those that the application's transport has named" },
    { WPS_TRANSPORT, true, "busy", "too many calls wait in this process", "raise pool_size or backlog, or call less" },
    { WPS_TRANSPORT, false, "certificate", "the server's certificate is not trusted, for another name, or expired",
      "set ca_file to the certificate of the CA that signed it; inside NGINX, lua_ssl_trusted_certificate" },
    { WPS_TRANSPORT, true, "closed", "the connection was closed before the whole response was there", NULL },
    { WPS_TRANSPORT, true, "connect", "no connection could be made",
      "check the endpoint, and that this machine may reach it" },
    { WPS_TRANSPORT, true, "descriptors", "the process has no file descriptors left",
      "raise its limit, or lower max_connections" },
    { WPS_TRANSPORT, true, "failed", "the exchange broke for another reason", NULL },
    { WPS_TRANSPORT, false, "forked", "the call was started before fork(): the parent process sends it", NULL },
    { WPS_TRANSPORT, true, "proxy", "the proxy could not be reached, or refuses",
      "check the proxy option or the proxy variables of the environment" },
    { WPS_TRANSPORT, true, "resolve", "the host's name could not be resolved",
      "check the endpoint's spelling and this machine's name service; inside NGINX, the directive resolver" },
    { WPS_TRANSPORT, true, "tls", "no TLS session could be agreed on",
      "check that the port speaks TLS 1.2 or newer, and whether it wants another client_cert" },

    { WPS_TIMEOUT, true, NULL, "time ran out; the service may have the request all the same", NULL },
    { WPS_TIMEOUT, true, "attempt_timeout", "no complete response within attempt_timeout", NULL },
    { WPS_TIMEOUT, true, "connect_timeout", "no connection within connect_timeout", NULL },
    { WPS_TIMEOUT, true, "deadline", "the call's timeout has passed, with all its attempts", NULL },
    { WPS_TIMEOUT, true, "queue_timeout", "no connection came free within the call's timeout",
      "raise max_connections, or call less" },

    { WPS_CANCELLED, false, NULL, "the program withdrew the call", NULL },
    { WPS_CANCELLED, false, "cancelled", "by task:cancel() or context.cancel", NULL },
    { WPS_CANCELLED, false, "exiting", "the NGINX worker shuts down", NULL },

    { WPS_PROTOCOL, false, NULL, "what arrived is not the HTTP or JSON that it should be",
      "look for a proxy or another server between the program and the service" },
    { WPS_PROTOCOL, false, "foreign_link", "a link to the next page leads elsewhere; it was not followed", NULL },
    { WPS_PROTOCOL, false, "malformed", "the response cannot be read", NULL },
    { WPS_PROTOCOL, false, "repeated_link", "a link to the next page leads to one that was listed already", NULL },
    { WPS_PROTOCOL, false, "too_large", "the response is longer than max_response_bytes or max_header_bytes", NULL },

    { WPS_SERVICE, false, NULL, "the service answered with an error: err.status, and as code its own",
      "retried by its status: the option retry.statuses; 401 and 403: check key, role and clock" },
    { .kind = WPS_OK },
};

const struct wps_code *wps_code_find(enum wps_kind kind, const char *code)
{
    const struct wps_code *general = NULL;

    for (const struct wps_code *row = wps_codes; row->kind; row++) {
        if (row->kind != kind)
            continue;
        if (!row->code)
            general = row;
        else if (strcmp(row->code, code) == 0)
            return row;
    }
    return general;
}

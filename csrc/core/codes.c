/* codes.c - the table of error codes. */
#include "core/codes.h"

#include <string.h>

/* Whether an attempt is made again depends on the code and never on a message: the words of libcurl and NGINX change. */
const struct wps_code wps_codes[] = {
    { WPS_ARGUMENT, NULL, false, "what the program gave is wrong; nothing was sent",
      "mend the program: err.argument names what is wrong, the message what would be right" },
    { WPS_ARGUMENT, "empty", false, "something is empty that must not be", NULL },
    { WPS_ARGUMENT, "invalid", false, "a value is out of range, malformed, or does not go with the others", NULL },
    { WPS_ARGUMENT, "mismatch", false, "a certificate and a key do not belong together", NULL },
    { WPS_ARGUMENT, "missing", false, "something that is required is not given", NULL },
    { WPS_ARGUMENT, "no_certificate", false, "a file holds no certificate", NULL },
    { WPS_ARGUMENT, "no_key", false, "a file holds no private key", NULL },
    { WPS_ARGUMENT, "phase", false, "NGINX cannot wait in this phase", "use client:defer, or another phase" },
    { WPS_ARGUMENT, "type", false, "a value is of another type", NULL },
    { WPS_ARGUMENT, "unfinished", false, "the result of a task that is not over",
      "ask task:done() first, or wait with task:await()" },
    { WPS_ARGUMENT, "unknown", false, "there is no such argument, option, operation or method",
      "the message names the nearest one" },
    { WPS_ARGUMENT, "unreadable", false, "a file cannot be read", NULL },
    { WPS_ARGUMENT, "unsupported", false, "this cannot be done where the program runs",
      "the message says what can be done there" },
    { WPS_ARGUMENT, "wrong", false, "a password does not open its file", NULL },

    { WPS_CREDENTIAL, NULL, false, "no token could be had; nothing was sent to the service",
      "other codes are those of the identity provider, such as invalid_client; the message has its words" },
    { WPS_CREDENTIAL, "arc_challenge", false, "Azure Arc asks for a proof that cannot be given",
      "run as a user who may read Azure Arc's files" },
    { WPS_CREDENTIAL, "claims", false, "the service asks for claims that this credential cannot bring",
      "sign in again, or use another credential" },
    { WPS_CREDENTIAL, "credential", false, "a credential function has failed, or returned no token and expiry", NULL },
    { WPS_CREDENTIAL, "expired", false, "the certificate is no longer valid", "renew it" },
    { WPS_CREDENTIAL, "file", false, "a file of the credential cannot be read", NULL },
    { WPS_CREDENTIAL, "malformed", false, "what should bring a token answered something else", NULL },
    { WPS_CREDENTIAL, "missing", false, "there is no key, or no certificate, to sign with",
      "give `key`, a connection string with AccessKey, or a credential" },
    { WPS_CREDENTIAL, "not_installed", false, "the program that would bring a token is not in PATH", NULL },
    { WPS_CREDENTIAL, "not_yet_valid", false, "the certificate is not valid yet",
      "check this machine's clock" },
    { WPS_CREDENTIAL, "program", false, "the program that would bring a token has failed", NULL },
    { WPS_CREDENTIAL, "proof", false, "a proof of identity is empty or has control bytes", NULL },
    { WPS_CREDENTIAL, "random", false, "OpenSSL has no random bytes", NULL },
    { WPS_CREDENTIAL, "refused", false, "the identity provider refuses, without saying why", NULL },
    { WPS_CREDENTIAL, "signing", false, "OpenSSL cannot sign", NULL },

    { WPS_TRANSPORT, NULL, true, "no response arrived; the service may have the request all the same",
      "other codes are those that the application's transport has named" },
    { WPS_TRANSPORT, "busy", true, "too many calls wait in this process", "raise pool_size or backlog, or call less" },
    { WPS_TRANSPORT, "certificate", false, "the server's certificate is not trusted, for another name, or expired",
      "set ca_file to the certificate of the CA that signed it; inside NGINX, lua_ssl_trusted_certificate" },
    { WPS_TRANSPORT, "closed", true, "the connection was closed before the whole response was there", NULL },
    { WPS_TRANSPORT, "connect", true, "no connection could be made",
      "check the endpoint, and that this machine may reach it" },
    { WPS_TRANSPORT, "descriptors", true, "the process has no file descriptors left",
      "raise its limit, or lower max_connections" },
    { WPS_TRANSPORT, "failed", true, "the exchange broke for another reason", NULL },
    { WPS_TRANSPORT, "forked", false, "the call was started before fork(): the parent process sends it", NULL },
    { WPS_TRANSPORT, "proxy", true, "the proxy could not be reached, or refuses",
      "check the proxy option or the proxy variables of the environment" },
    { WPS_TRANSPORT, "resolve", true, "the host's name could not be resolved",
      "check the endpoint's spelling and this machine's name service; inside NGINX, the directive resolver" },
    { WPS_TRANSPORT, "tls", true, "no TLS session could be agreed on",
      "check that the port speaks TLS 1.2 or newer, and whether it wants another client_cert" },

    { WPS_TIMEOUT, NULL, true, "time ran out; the service may have the request all the same", NULL },
    { WPS_TIMEOUT, "attempt_timeout", true, "no complete response within attempt_timeout", NULL },
    { WPS_TIMEOUT, "connect_timeout", true, "no connection within connect_timeout", NULL },
    { WPS_TIMEOUT, "deadline", true, "the call's timeout has passed, with all its attempts", NULL },
    { WPS_TIMEOUT, "queue_timeout", true, "no connection came free within the call's timeout",
      "raise max_connections, or call less" },

    { WPS_CANCELLED, NULL, false, "the program withdrew the call", NULL },
    { WPS_CANCELLED, "cancelled", false, "by task:cancel() or context.cancel", NULL },
    { WPS_CANCELLED, "exiting", false, "the NGINX worker shuts down", NULL },

    { WPS_PROTOCOL, NULL, false, "what arrived is not the HTTP or JSON that it should be",
      "look for a proxy or another server between the program and the service" },
    { WPS_PROTOCOL, "foreign_link", false, "a link to the next page leads elsewhere; it was not followed", NULL },
    { WPS_PROTOCOL, "malformed", false, "the response cannot be read", NULL },
    { WPS_PROTOCOL, "repeated_link", false, "a link to the next page leads to one that was listed already", NULL },
    { WPS_PROTOCOL, "too_large", false, "the response is longer than max_response_bytes or max_header_bytes", NULL },

    { WPS_SERVICE, NULL, false, "the service answered with an error: err.status, and as code its own",
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

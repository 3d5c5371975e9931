/* identity_answer.c - what comes back when a token was asked for. See identity.h. */
#include "core/identity.h"
#include "core/headers.h"
#include "core/json.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DESCRIPTION = 160 }; /* bytes of what a server says, in an error */
enum { LONGEST_LIFE = 10 * 366 * 86400 }; /* seconds; what seems to live longer is not in seconds */

static const struct wps_json_limits limits = { .bytes = 262144, .values = 4000, .depth = 16 };

void wps_token_free(struct wps_token *token)
{
    wps_buffer_free(&token->text);
    token->expires = token->refresh = 0;
}

/* ------------------------------------------------------------------ members */

/* What an answer may have, whoever it is from. Numbers are negative where they are missing. */
struct answer {
    struct wps_buffer token;
    double expires_in, expires_on, refresh_in, refresh_on;
    bool bad_time;
    char code[64], description[MAX_DESCRIPTION + 4];
    char trace[64], correlation[64];
};

static void free_answer(struct answer *answer)
{
    wps_buffer_free(&answer->token);
}

/* The last string of the reader, as far as there is room, in one line of printable text. */
static void take_text(const struct wps_json_reader *reader, char *out, size_t size)
{
    struct wps_buffer text = { .maximum = limits.bytes };
    size_t length = 0;

    wps_json_text(reader, &text);
    while (length < text.length && length < size - 1 && text.data[length] != '\r' && text.data[length] != '\n') {
        struct wps_slice byte = { text.data + length, 1 };
        out[length] = text.data[length];
        if (wps_slice_has_control(byte))
            out[length] = ' ';
        length++;
    }
    if (length < text.length) /* not in the middle of a character */
        while (length && ((unsigned char)text.data[length] & 0xc0) == 0x80)
            length--;
    out[length] = '\0';
    wps_buffer_free(&text);
}

static void take_code(const struct wps_json_reader *reader, char *out, size_t size)
{
    take_text(reader, out, size);
    if (!wps_slice_is_token(wps_slice_of(out)))
        out[0] = '\0';
}

/* A count of seconds, as a number or as a string of digits. */
static double take_seconds(const struct wps_json_reader *reader, enum wps_json_event event, bool *bad)
{
    char text[32] = "";
    struct wps_slice digits = reader->raw;
    double seconds = -1;

    if (event == WPS_JSON_NULL)
        return -1;
    if (event == WPS_JSON_STRING && reader->raw.length < sizeof text) {
        digits.length = wps_json_unescape(reader, text);
        digits.data = text;
        digits = wps_slice_trim(digits);
    }
    if ((event != WPS_JSON_NUMBER && event != WPS_JSON_STRING) || !wps_json_double(digits, &seconds) || seconds < 0) {
        *bad = true;
        return -1;
    }
    return seconds;
}

enum member {
    ACCESS_TOKEN, EXPIRES_IN, EXPIRES_ON, REFRESH_IN, REFRESH_ON, ERROR, DESCRIPTION, TRACE_ID, CORRELATION_ID, CODE,
    MESSAGE
};
static const char *const names[] = {
    [ACCESS_TOKEN] = "access_token", [EXPIRES_IN] = "expires_in", [EXPIRES_ON] = "expires_on",
    [REFRESH_IN] = "refresh_in", [REFRESH_ON] = "refresh_on", [ERROR] = "error",
    [DESCRIPTION] = "error_description", [TRACE_ID] = "trace_id", [CORRELATION_ID] = "correlation_id",
    [CODE] = "code", [MESSAGE] = "message", NULL,
};

/* { "error": { "code": ..., "message": ... } }, as Azure ML has it. */
static void read_inner_error(struct wps_json_reader *reader, struct answer *answer)
{
    static const char *const inner[] = { "code", "message", NULL };
    unsigned seen = 0;
    int member;

    while ((member = wps_json_member(reader, inner, &seen)) >= 0) {
        enum wps_json_event event = wps_json_next(reader);

        if (event == WPS_JSON_STRING && member == 0)
            take_code(reader, answer->code, sizeof answer->code);
        else if (event == WPS_JSON_STRING)
            take_text(reader, answer->description, MAX_DESCRIPTION);
        wps_json_skip(reader);
    }
}

static void read_member(struct wps_json_reader *reader, enum member member, struct answer *answer)
{
    enum wps_json_event event = wps_json_next(reader);

    if (member == EXPIRES_IN)
        answer->expires_in = take_seconds(reader, event, &answer->bad_time);
    else if (member == EXPIRES_ON)
        answer->expires_on = take_seconds(reader, event, &answer->bad_time);
    else if (member == REFRESH_IN)
        answer->refresh_in = take_seconds(reader, event, &(bool){ false });
    else if (member == REFRESH_ON)
        answer->refresh_on = take_seconds(reader, event, &(bool){ false });
    else if (member == ERROR && event == WPS_JSON_OBJECT)
        read_inner_error(reader, answer);
    else if (event != WPS_JSON_STRING)
        wps_json_skip(reader);
    else if (member == ACCESS_TOKEN)
        wps_json_text(reader, &answer->token);
    else if (member == ERROR || (member == CODE && !*answer->code))
        take_code(reader, answer->code, sizeof answer->code);
    else if (member == DESCRIPTION || (member == MESSAGE && !*answer->description))
        take_text(reader, answer->description, MAX_DESCRIPTION);
    else if (member == TRACE_ID)
        take_code(reader, answer->trace, sizeof answer->trace);
    else if (member == CORRELATION_ID)
        take_code(reader, answer->correlation, sizeof answer->correlation);
}

/* Returns NULL, or why this is not the JSON it should be. */
static const char *read_answer(struct wps_slice body, struct answer *answer)
{
    struct wps_json_reader reader;
    unsigned seen = 0;
    int member;

    answer->expires_in = answer->expires_on = answer->refresh_in = answer->refresh_on = -1;
    answer->token.maximum = limits.bytes;
    wps_json_begin(&reader, body, &limits);
    if (wps_json_next(&reader) != WPS_JSON_OBJECT)
        return reader.problem ? reader.problem : "it is not an object";
    while ((member = wps_json_member(&reader, names, &seen)) >= 0)
        read_member(&reader, (enum member)member, answer);
    return wps_json_end(&reader) ? NULL : reader.problem;
}

/* ------------------------------------------------------------------ tokens */

static bool is_bearer(struct wps_slice token)
{
    for (size_t i = 0; i < token.length; i++)
        if (token.data[i] <= ' ' || token.data[i] >= 0x7f)
            return false;
    return token.length > 0;
}

/* `there` is the time by the clock that expires_on goes by; what has been read is moved to that of this machine. */
static enum wps_kind take_token(struct answer *answer, double wall, double there, const char *who,
                                struct wps_token *token, struct wps_error *error)
{
    struct wps_slice text = { answer->token.data, answer->token.length };
    double life = answer->expires_in >= 0 ? answer->expires_in : answer->expires_on - there;

    if (answer->token.failed)
        return wps_buffer_check(&answer->token, error, "the token");
    if (!is_bearer(text))
        return wps_fail(error, WPS_CREDENTIAL, NULL, "malformed", "%s answered without a token", who);
    if (answer->expires_in < 0 && answer->expires_on < 0)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "malformed", "%s did not say when its token expires%s", who,
                        answer->bad_time ? " in seconds" : "");
    if (life <= 0 || life > LONGEST_LIFE)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "malformed", "%s", "");
    wps_token_free(token);
    token->text = answer->token;
    memset(&answer->token, 0, sizeof answer->token);
    token->expires = wall + life;
    if (answer->refresh_in >= 0 && answer->refresh_in < life)
        token->refresh = wall + answer->refresh_in;
    else if (answer->refresh_on >= 0 && answer->refresh_on - there < life)
        token->refresh = wall + (answer->refresh_on > there ? answer->refresh_on - there : 0);
    return WPS_OK;
}

static enum wps_kind accept(struct answer *answer, double wall, double there, const char *who, struct wps_token *token,
                            struct wps_error *error)
{
    enum wps_kind failed = take_token(answer, wall, there, who, token, error);

    if (failed == WPS_CREDENTIAL && !*error->message)
        snprintf(error->message, sizeof error->message, "%s answered with a token that %s", who,
                 answer->expires_in > 0 || answer->expires_on > there ? "seems to be good for more than ten years"
                                                                      : "has expired already");
    return failed;
}

/* ------------------------------------------------------------------ errors */

static bool mentions(const char *text, const struct wps_buffer *secret)
{
    return secret->length >= 4 && strstr(text, wps_buffer_string(secret)) != NULL;
}

static enum wps_kind refuse(const struct wps_identity *identity, const struct answer *answer, int status,
                            struct wps_error *error)
{
    const char *text = mentions(answer->description, &identity->secret) ? "" : answer->description;
    const char *reason = wps_status_text(status);
    size_t length;

    wps_fail(error, WPS_CREDENTIAL, NULL, *answer->code ? answer->code : "refused", "%s answered %d%s%s%s%s%s%s",
             wps_source_name(identity->source), status, *reason ? " " : "", reason, *answer->code ? ", " : "",
             answer->code, *text ? ": " : "", text);
    length = strlen(error->message);
    if (*answer->trace || *answer->correlation)
        snprintf(error->message + length, sizeof error->message - length, " (trace_id %s, correlation_id %s)",
                 *answer->trace ? answer->trace : "none", *answer->correlation ? answer->correlation : "none");
    return error->kind;
}

enum wps_kind wps_identity_answer(const struct wps_identity *identity, const struct wps_response *response,
                                  double wall, struct wps_token *token, struct wps_error *error)
{
    struct wps_slice headers = { response->headers.data, response->headers.length };
    struct wps_slice body = { wps_buffer_string(&response->body), response->body.length };
    const char *who = wps_source_name(identity->source);
    double date = wps_response_date(headers);
    struct answer answer = { .code = "" };
    const char *problem = read_answer(body, &answer);
    enum wps_kind failed;
    char why[160];

    if (response->status < 200 || response->status > 299) {
        if (problem) {
            memset(answer.code, 0, sizeof answer.code);
            memset(answer.description, 0, sizeof answer.description);
        }
        failed = refuse(identity, &answer, response->status, error);
    } else if (problem) {
        wps_body_complaint(headers, problem, why, sizeof why);
        failed = wps_fail(error, WPS_CREDENTIAL, NULL, "malformed",
                          "what %s answered is not the JSON it should be: %s", who, why);
    } else {
        failed = accept(&answer, wall, date >= 0 ? date : wall, who, token, error);
    }
    free_answer(&answer);
    return failed;
}

/* ------------------------------------------------------------------ programs */

/* "2026-11-26 15:04:05.000000" of az and "2026-11-26T15:04:05Z" of azd; absent: neither. */
static bool split_date(const char *text, int parts[6], bool *is_utc)
{
    int end = 0;
    char mark = ' ';

    if (sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &parts[0], &parts[1], &parts[2], &mark, &parts[3], &parts[4],
               &parts[5], &end) != 7 || (mark != ' ' && mark != 'T'))
        return false;
    text += end;
    if (*text == '.')
        text += 1 + strspn(text + 1, "0123456789");
    *is_utc = strcmp(text, "Z") == 0 || strcmp(text, "+00:00") == 0;
    return *is_utc || *text == '\0';
}

enum program_member { PROGRAM_TOKEN, PROGRAM_LOWER, PROGRAM_EXPIRES_ON, PROGRAM_LOCAL };
static const char *const program_names[] = {
    [PROGRAM_TOKEN] = "accessToken", [PROGRAM_LOWER] = "token", [PROGRAM_EXPIRES_ON] = "expires_on",
    [PROGRAM_LOCAL] = "expiresOn", NULL,
};

enum wps_kind wps_program_answer(struct wps_slice output, double wall, struct wps_program_time *local,
                                 struct wps_token *token, struct wps_error *error)
{
    struct wps_json_reader reader;
    struct answer answer = { .expires_in = -1, .expires_on = -1, .refresh_in = -1, .refresh_on = -1 };
    char date[48] = "";
    unsigned seen = 0;
    int member;
    bool valid;
    enum wps_kind failed;

    answer.token.maximum = limits.bytes;
    wps_json_begin(&reader, output, &limits);
    valid = wps_json_next(&reader) == WPS_JSON_OBJECT;
    while (valid && (member = wps_json_member(&reader, program_names, &seen)) >= 0) {
        enum wps_json_event event = wps_json_next(&reader);

        if (member == PROGRAM_EXPIRES_ON)
            answer.expires_on = take_seconds(&reader, event, &answer.bad_time);
        else if (event == WPS_JSON_STRING && member == PROGRAM_LOCAL)
            take_text(&reader, date, sizeof date);
        else if (event == WPS_JSON_STRING && !answer.token.length)
            wps_json_text(&reader, &answer.token);
        else
            wps_json_skip(&reader);
    }
    memset(local, 0, sizeof *local);
    if (!valid || !wps_json_end(&reader))
        failed = wps_fail(error, WPS_CREDENTIAL, NULL, "malformed",
                          "what the program wrote is not the JSON it should be");
    else if (answer.expires_on < 0 && split_date(date, local->parts, &local->is_utc))
        failed = WPS_OK;
    else
        failed = accept(&answer, wall, wall, "the program", token, error);
    if (!failed && !token->text.length) {
        token->text = answer.token;
        memset(&answer.token, 0, sizeof answer.token);
    }
    free_answer(&answer);
    return failed;
}

/* ------------------------------------------------------------------ Arc */

enum wps_kind wps_arc_key_path(struct wps_slice headers, const char *folder, char *path, size_t size,
                               struct wps_error *error)
{
    static const char suffix[] = ".key";
    struct wps_slice challenge = wps_headers_find(headers, "WWW-Authenticate");
    struct wps_slice scheme = { challenge.data, challenge.length < 6 ? challenge.length : 6 };
    struct wps_slice realm = wps_challenge(headers, "realm"), name = realm;
    size_t length = strlen(folder);
    bool valid;

    if (!wps_slice_is(scheme, "Basic ") || !realm.length)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "arc_challenge",
                        "Azure Arc answered 401 without the name of its key file");
    valid = realm.length < size && realm.length > length + sizeof suffix && memcmp(realm.data, folder, length) == 0
            && realm.data[length] == '/';
    if (valid) {
        name.data += length + 1;
        name.length -= length + 1;
        valid = name.data[0] != '.' && memcmp(name.data + name.length - (sizeof suffix - 1), suffix,
                                              sizeof suffix - 1) == 0;
    }
    for (size_t i = 0; valid && i < name.length; i++) {
        char byte = wps_lower(name.data[i]);
        valid = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || (byte && strchr("-_.", byte));
    }
    if (!valid)
        return wps_fail(error, WPS_CREDENTIAL, NULL, "arc_challenge",
                        "Azure Arc names a key file that is not a .key file in %s; it was not read", folder);
    memcpy(path, realm.data, realm.length);
    path[realm.length] = '\0';
    return WPS_OK;
}

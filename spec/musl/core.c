/* The core on another C library: one pass over what depends on the C library (printf and scanf of numbers, characters,
 * memory) and over the road of a call. There is no OpenSSL for it here, so jwt.c and events.c are compiled but not
 * linked: no token is signed, and calls get one that was made elsewhere. The rest of the core is covered by the suite,
 * on the C library of this machine. */
#include "core/base64.h"
#include "core/exchange.h"
#include "core/json.h"
#include "core/options.h"
#include "core/service.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static int passed, failed;

static void check(bool ok, const char *what, const char *found)
{
    *(ok ? &passed : &failed) += 1;
    if (!ok)
        printf("not ok: %s: %s\n", what, found);
}

static void check_text(const char *expected, const char *found)
{
    check(strcmp(expected, found) == 0, expected, found);
}

/* Takes the place of jwt.c's, whose OpenSSL is built for another C library. */
enum wps_kind wps_jwt_sign_request(struct wps_signer *signer, struct wps_slice audience, int64_t now,
                                   struct wps_buffer *token, struct wps_error *error)
{
    (void)signer, (void)audience, (void)now, (void)token;
    return wps_fail(error, WPS_CREDENTIAL, NULL, "unsigned", "this program signs nothing");
}

/* ------------------------------------------------------------------ numbers and texts */

static void numbers(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0.1, "0.1" },
        { 1e21, "1e+21" },
        { 9007199254740992.0, "9007199254740992" },
        { 5e-324, "4.94065645841247e-324" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { -2.5, "-2.5" },
    };
    struct wps_buffer out = { 0 };
    double back = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wps_buffer_truncate(&out, 0);
        wps_json_number(&out, cases[i].value);
        check_text(cases[i].text, wps_buffer_string(&out));
        check(wps_json_double(wps_slice_of(cases[i].text), &back) && back == cases[i].value, "reads back",
              cases[i].text);
    }
    wps_buffer_truncate(&out, 0);
    wps_buffer_integer(&out, INT64_MIN);
    wps_buffer_integer(&out, INT64_MAX);
    check_text("-92233720368547758089223372036854775807", wps_buffer_string(&out));
    wps_buffer_truncate(&out, 0);
    wps_escape(&out, wps_slice_of("a b/ä~"));
    check_text("a%20b%2F%C3%A4~", wps_buffer_string(&out));
    wps_buffer_truncate(&out, 0);
    wps_base64(&out, "\0\xff\x10", 3);
    check_text("AP8Q", wps_buffer_string(&out));
    wps_buffer_free(&out);
}

static void failures(void)
{
    struct wps_error error = { 0 };

    wps_fail(&error, WPS_ARGUMENT, "hub", "invalid", "%.3s of %d, %zu and %g", "chats", -7, (size_t)-1, 0.25);
    check(strncmp(error.message, "cha of -7, ", 11) == 0 && strstr(error.message, " and 0.25"), "a message",
          error.message);
    wps_fail(&error, WPS_TIMEOUT, NULL, "late", "not heard");
    check_text("invalid", error.code);
    check(wps_hub_check(wps_slice_of("1hub"), &(struct wps_error){ 0 }) == WPS_ARGUMENT, "a bad hub", "taken");
}

/* What a Retry-After date means, which is read with sscanf. */
static void dates(void)
{
    struct wps_slice headers = wps_slice_of("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n");
    char text[32];

    snprintf(text, sizeof text, "%.0f", wps_retry_after(headers, 1445412475.0));
    check_text("5", text);
}

static void options(void)
{
    char type[64];

    for (const struct wps_option *option = wps_options; option->name; option++) {
        wps_option_describe(option, type, sizeof type);
        check(type[0] != '\0' || option->type, option->name, "no type");
    }
}

/* ------------------------------------------------------------------ a call and its exchange */

static void answer(struct wps_call *call, const char *text, double now)
{
    struct wps_exchange exchange = { 0 };
    struct wps_exchange_order order = {
        .request = {
            .method = wps_slice_of(call->request.operation->method),
            .target = { call->request.target.data, call->request.target.length },
            .host = wps_slice_of("contoso.webpubsub.azure.com"),
            .headers = { call->request.headers.data, call->request.headers.length },
        },
        .authority = wps_slice_of("contoso.webpubsub.azure.com:443"),
        .patience = call->patience,
        .connect_seconds = 5,
        .seconds = call->seconds,
    };
    enum wps_move move = wps_exchange_begin(&exchange, &order, now);

    check(move == WPS_CONNECT, "a connection is asked for", "no");
    wps_exchange_opening(&exchange, now);
    move = wps_exchange_connected(&exchange, false, now);
    while (move == WPS_WRITE)
        move = wps_exchange_wrote(&exchange, 7 < wps_exchange_outgoing(&exchange).length
                                                 ? 7
                                                 : wps_exchange_outgoing(&exchange).length);
    for (; *text && move == WPS_READ; text++)
        move = wps_exchange_received(&exchange, text, 1);
    check(move == WPS_FINISHED && exchange.error.kind == WPS_OK, "an exchange", exchange.error.message);
    call->response.status = exchange.http.status;
    wps_http1_take(&exchange.http, &call->response.headers, &call->response.body);
    wps_exchange_free(&exchange);
}

static void call(void)
{
    const struct wps_operation *operation = wps_operation_find("close_user_connections");
    struct wps_endpoint endpoint = { 0 };
    struct wps_error error = { 0 };
    struct wps_call call = { .limits = wps_default_limits };

    wps_base_parse(&endpoint.service, wps_slice_of("https://Contoso.webpubsub.azure.com:443/"), 0, "endpoint", &error);
    wps_request_begin(&call.request, operation);
    for (int i = 0; i < WPS_MAX_PARAMETERS && operation->parameters[i]; i++)
        if (operation->parameters[i]->required)
            wps_request_text(&call.request, i, 0, wps_slice_of("al ice"), &error);
    wps_request_finish(&call.request, &endpoint, wps_slice_of("chat"), &error);
    check(error.kind == WPS_OK, "a request", error.message);
    check_text("/api/hubs/chat/users/al%20ice/:closeConnections?api-version=" WPS_API_VERSION,
               wps_buffer_string(&call.request.target));

    check(wps_call_begin(&call, 100) == WPS_TOKEN, "a token first", "no");
    check(wps_call_token(&call, 100, wps_slice_of("t.o.k")) == WPS_SEND, "then it is sent", "no");
    answer(&call, "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n", 100);
    check_text("busy", wps_buffer_string(&call.response.body));
    check(wps_call_response(&call, 101, 0, 0.5, WPS_VERDICT_DEFAULT) == WPS_WAIT, "503 is tried again", "no");
    check(wps_call_resume(&call, 101 + call.seconds) == WPS_TOKEN, "with a token", "no");
    check(wps_call_token(&call, 104, wps_slice_of("t.o.k")) == WPS_SEND, "and sent", "no");
    answer(&call, "HTTP/1.1 204 No Content\r\n\r\n", 104);
    check(wps_call_response(&call, 105, 0, 0.5, WPS_VERDICT_DEFAULT) == WPS_DONE && call.error.kind == WPS_OK, "done",
          call.error.message);
    wps_call_free(&call);
    wps_base_free(&endpoint.service);
    wps_base_free(&endpoint.proxy);
}

int main(void)
{
    setlocale(LC_ALL, "");
    numbers();
    failures();
    dates();
    options();
    call();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}

/* curl/engine.c - exchanges over one libcurl multi handle: its connections and its pool of easy handles. */
#define _GNU_SOURCE /* dladdr() */
#include "curl/engine_private.h"

#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ process */

static CURLcode initialised = CURLE_FAILED_INIT;

/* libcurl leaves a thread behind that waits for a slow name server, and has no clean way of being initialised twice.
 * Lua unloads this module when its state is closed; opened once more, module and libcurl stay. */
static void initialise(void)
{
    Dl_info self;

    if (dladdr(&initialised, &self))
        dlopen(self.dli_fname, RTLD_NOW | RTLD_LOCAL);
    initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
}

CURLcode wps_curl_initialise(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, initialise);
    return initialised;
}

const char *wps_curl_version(void)
{
    return curl_version();
}

long wps_milliseconds(double seconds)
{
    double ms = ceil(seconds * 1000);

    return ms < 1 ? 1 : ms < INT_MAX ? (long)ms : INT_MAX;
}

/* ------------------------------------------------------------------ easy handles */

void wps_handle_destroy(struct wps_handle *handle)
{
    curl_easy_cleanup(handle->easy);
    wps_profile_release(handle->profile);
    free(handle->nodes);
    free(handle);
}

static CURLcode handle_create(struct wps_profile *profile, struct wps_handle **created)
{
    struct wps_handle *handle = calloc(1, sizeof *handle);
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (handle) {
        handle->profile = wps_profile_hold(profile);
        handle->easy = curl_easy_init();
        if (handle->easy)
            code = wps_handle_set_up(handle);
        if (code)
            wps_handle_destroy(handle);
        else
            *created = handle;
    }
    return code;
}

CURLcode wps_engine_take(struct wps_engine *engine, struct wps_profile *profile, struct wps_handle **taken)
{
    struct wps_handle **link = &engine->idle;

    while (*link && (*link)->profile != profile)
        link = &(*link)->next;
    if (!*link)
        return handle_create(profile, taken);
    *taken = *link;
    *link = (*taken)->next;
    engine->idle_count--;
    return CURLE_OK;
}

/* Beyond the maximum, the handle that has been idle the longest goes. */
void wps_engine_give_back(struct wps_engine *engine, struct wps_handle *handle)
{
    struct wps_handle **link = &engine->idle;

    handle->next = engine->idle;
    engine->idle = handle;
    if (++engine->idle_count > engine->connections) {
        while ((*link)->next)
            link = &(*link)->next;
        wps_handle_destroy(*link);
        *link = NULL;
        engine->idle_count--;
    }
}

/* ------------------------------------------------------------------ engine */

enum wps_kind wps_engine_failure(CURLMcode code, struct wps_error *error)
{
    return wps_fail(error, code == CURLM_OUT_OF_MEMORY ? WPS_NO_MEMORY : WPS_TRANSPORT, NULL, "failed", "libcurl: %s",
                    curl_multi_strerror(code));
}

/* libcurl's own idea of how many connections to keep, four times the handles of the moment, closes them as soon as a
 * burst is over. */
static CURLMcode set_connections(struct wps_engine *engine, int connections)
{
    CURLMcode code = curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS, (long)connections);

    if (!code)
        code = curl_multi_setopt(engine->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
    if (!code)
        engine->connections = connections;
    return code;
}

struct wps_engine *wps_engine_create(int connections, struct wps_error *error)
{
    struct wps_engine *engine = NULL;
    CURLMcode code;

    if (wps_curl_initialise())
        wps_fail(error, WPS_TRANSPORT, NULL, "failed", "libcurl could not be initialised");
    else if (!(engine = calloc(1, sizeof *engine)))
        wps_fail(error, WPS_NO_MEMORY, NULL, "memory", "not enough memory");
    if (!engine)
        return NULL;
    engine->references = 1;
    engine->forks = wps_process_forks();
    engine->multi = curl_multi_init();
    code = engine->multi ? set_connections(engine, connections) : CURLM_OUT_OF_MEMORY;
    if (code) {
        wps_engine_failure(code, error);
        curl_multi_cleanup(engine->multi);
        free(engine);
        engine = NULL;
    }
    return engine;
}

enum wps_kind wps_engine_enlarge(struct wps_engine *engine, int connections, struct wps_error *error)
{
    CURLMcode code = connections > engine->connections ? set_connections(engine, connections) : CURLM_OK;

    return code ? wps_engine_failure(code, error) : WPS_OK;
}

struct wps_engine *wps_engine_hold(struct wps_engine *engine)
{
    engine->references++;
    return engine;
}

bool wps_engine_inherited(const struct wps_engine *engine)
{
    return engine->forks != wps_process_forks();
}

/* What a child process has inherited is left alone, down to its memory. */
void wps_engine_release(struct wps_engine *engine)
{
    if (!engine || --engine->references > 0 || wps_engine_inherited(engine))
        return;
    while (engine->idle) {
        struct wps_handle *handle = engine->idle;
        engine->idle = handle->next;
        wps_handle_destroy(handle);
    }
    curl_multi_cleanup(engine->multi);
    free(engine);
}

void wps_engine_collect(struct wps_engine *engine)
{
    int queued;
    CURLMsg *message;

    while ((message = curl_multi_info_read(engine->multi, &queued))) {
        struct wps_handle *handle;
        CURLcode result = message->data.result;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle);
        wps_exchange_complete(handle->exchange, result);
    }
}

CURLMcode wps_engine_drive(struct wps_engine *engine)
{
    int running;
    CURLMcode code = curl_multi_perform(engine->multi, &running);

    wps_engine_collect(engine);
    return code;
}

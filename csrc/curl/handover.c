/* curl/handover.c - how the program and its background thread hand jobs to each other and wake each other. */
#include "curl/background_private.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ------------------------------------------------------------------ notes and events */

/* As everything is taken at once, a note cannot come back unseen between the two looks at the top. */
void wps_notes_push(struct wps_note **stack, struct wps_note *note)
{
    note->next = __atomic_load_n(stack, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(stack, &note->next, note, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        continue;
}

struct wps_note *wps_notes_take(struct wps_note **stack)
{
    struct wps_note *newest = __atomic_exchange_n(stack, NULL, __ATOMIC_SEQ_CST);
    struct wps_note *oldest = NULL;

    while (newest) {
        struct wps_note *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* Not among the registered descriptors: a child process closes them by itself. */
enum wps_kind wps_event_open(int *descriptor, struct wps_error *error)
{
    if (*descriptor < 0)
        *descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (*descriptor < 0 && (errno == EMFILE || errno == ENFILE))
        return wps_fail(error, WPS_TRANSPORT, NULL, "descriptors", "%s", WPS_DESCRIPTORS_EXHAUSTED);
    if (*descriptor < 0)
        return wps_fail(error, WPS_TRANSPORT, NULL, "failed", "the background engine has no descriptor: %s",
                        strerror(errno));
    return WPS_OK;
}

void wps_event_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* Neither waits: the descriptors are non-blocking, and a counter that is full is readable, too. */
void wps_event_set(int descriptor)
{
    uint64_t one = 1;
    ssize_t written = write(descriptor, &one, sizeof one);

    (void)written;
}

void wps_event_clear(int descriptor)
{
    uint64_t count;
    ssize_t length = read(descriptor, &count, sizeof count);

    (void)length;
}

/* `thread` is a member of it. */
struct wps_background *wps_background_of(struct wps_thread *thread)
{
    return (struct wps_background *)(void *)((char *)thread - offsetof(struct wps_background, thread));
}

void wps_background_announce(struct wps_background *background)
{
    if (!__atomic_exchange_n(&background->announced, true, __ATOMIC_SEQ_CST))
        wps_event_set(background->ready);
}

void wps_background_wake(struct wps_background *background)
{
    if (__atomic_exchange_n(&background->asleep, false, __ATOMIC_SEQ_CST))
        wps_event_set(background->wake);
}

/* By whichever side has it last. */
void wps_job_free(struct wps_job *job)
{
    wps_transfer_free(&job->transfer);
    free(job);
}

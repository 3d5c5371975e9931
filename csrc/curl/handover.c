/* curl/handover.c - how the program and its background thread hand jobs to each other and wake each other. */
#include "curl/background_private.h"

#include <stdint.h>
#include <time.h>
#include <unistd.h>

long long wps_steady_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ lists */

void wps_jobs_append(struct wps_job_list *list, struct wps_job *job)
{
    job->list = list;
    job->next = NULL;
    job->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = job;
    list->last = job;
    list->length++;
}

void wps_jobs_remove(struct wps_job *job)
{
    struct wps_job_list *list = job->list;

    *(job->previous ? &job->previous->next : &list->first) = job->next;
    *(job->next ? &job->next->previous : &list->last) = job->previous;
    list->length--;
    job->list = NULL;
}

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

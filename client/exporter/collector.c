/* SPDX-License-Identifier: Apache-2.0 */
#include "client/exporter/collector.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/monitor.h"
#include "client/metrics/families.h"
#include "membroker.h"
#include "proto/base/size.h"

/* For so long an answer is used again, and a failure: a storm of scrapes must not become one of requests. */
enum { FRESH_MS = 100, FAILED_MS = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_wanted_now = PTHREAD_COND_INITIALIZER;
static bool is_wanted;
static struct collection newest;
static uint64_t finished_at; /* 0: there is none yet */

uint64_t collector_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NANOSECONDS_PER_MILLISECOND;
}

void collection_free(struct collection *collection)
{
    free(collection->text[EXPOSITION_OPENMETRICS]);
    free(collection->text[EXPOSITION_PROMETHEUS]);
    free(collection->reason);
    *collection = (struct collection){0};
}

/* ---- asking ---- */

struct asking {
    struct monitor *monitor;
    uint64_t deadline;
};

static uint32_t time_left(const struct asking *asking)
{
    return (uint32_t)size_max(1, size_subtract_floored(asking->deadline, collector_now()));
}

static int ask(void *data, struct request *request, const struct reply **ret)
{
    struct asking *asking = data;
    return monitor_call(asking->monitor, request, time_left(asking), ret);
}

/* A connection for each collection: one that is kept would have to be watched, and costs the broker as much. */
static int collect(const struct collector_options *options, struct gathered *ret)
{
    struct asking asking = {.deadline = collector_now() + options->timeout_ms};
    int result = monitor_open(options->socket, time_left(&asking), &asking.monitor);
    if (result == 0) {
        result = gather(ask, &asking, options->users, ret);
        (void)monitor_close(asking.monitor);
    }
    return result;
}

static struct collection collection_new(const struct collector_options *options)
{
    struct collection collection = {0};
    struct gathered gathered;
    if (collect(options, &gathered) < 0) {
        collection.reason = strdup(mb_last_error());
        return collection;
    }
    for (enum exposition_format format = EXPOSITION_OPENMETRICS; format <= EXPOSITION_PROMETHEUS; format++) {
        collection.text[format] = families_to_text(&gathered, format, &collection.length[format]);
    }
    gather_free(&gathered);
    return collection;
}

void collector_run(const struct collector_options *options, void (*on_done)(void))
{
    for (;;) {
        (void)pthread_mutex_lock(&lock);
        while (!is_wanted) {
            (void)pthread_cond_wait(&is_wanted_now, &lock);
        }
        (void)pthread_mutex_unlock(&lock);
        struct collection collection = collection_new(options);
        (void)pthread_mutex_lock(&lock);
        collection_free(&newest);
        newest = collection;
        finished_at = collector_now();
        is_wanted = false;
        (void)pthread_mutex_unlock(&lock);
        on_done();
    }
}

/* ---- answering ---- */

void collector_want(void)
{
    (void)pthread_mutex_lock(&lock);
    is_wanted = true;
    (void)pthread_cond_signal(&is_wanted_now);
    (void)pthread_mutex_unlock(&lock);
}

static char *copy(const char *text, size_t length)
{
    char *copied = malloc(length + 1);
    return copied ? memcpy(copied, text, length + 1) : NULL;
}

static char *copy_newest(enum exposition_format format, size_t *ret_length, bool *ret_failed)
{
    const char *text = newest.text[format];
    const char *reason = newest.reason ? newest.reason : "out of memory";
    *ret_failed = !text;
    *ret_length = text ? newest.length[format] : strlen(reason);
    return copy(text ? text : reason, *ret_length);
}

char *collector_answer(uint64_t arrived, enum exposition_format format, size_t *ret_length, bool *ret_failed)
{
    (void)pthread_mutex_lock(&lock);
    bool has_text = newest.text[format];
    bool is_recent = finished_at && finished_at + (has_text ? FRESH_MS : FAILED_MS) > arrived;
    char *answer = is_recent ? copy_newest(format, ret_length, ret_failed) : NULL;
    (void)pthread_mutex_unlock(&lock);
    return answer;
}

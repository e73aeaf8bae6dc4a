/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that waits, and the one that looks after signals. */
#include "client/python/src/waiting.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "client/python/src/gil.h"

enum { LOOK_NS = 50000000, SECOND_NS = 1000000000 };

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const struct waiting_call *call;
    pthread_t worker;
    PyObject *watch; /* NULL: there was no look yet, or nothing is shown */
    mb_wait *wait;   /* of the worker; NULL: it does not wait in the library now */
    int result;
    bool is_done;
    bool is_cancelled; /* the present wait, and each further one of this call */
    bool was_closed;   /* the client, at the beginning: its handlers of arrays may still allocate */
};

/* What shows a wait may make arrays itself; their waits show nothing. */
static _Thread_local bool is_showing;

static void *begun(mb_wait *wait, void *argument)
{
    struct waiting *waiting = argument;
    (void)pthread_mutex_lock(&waiting->lock);
    waiting->wait = wait;
    bool is_cancelled = waiting->is_cancelled;
    (void)pthread_mutex_unlock(&waiting->lock);
    if (is_cancelled) {
        mb_wait_cancel(wait);
    }
    return waiting;
}

static void ended(void *argument, void *unused)
{
    struct waiting *waiting = argument;
    (void)unused;
    (void)pthread_mutex_lock(&waiting->lock);
    waiting->wait = NULL;
    (void)pthread_mutex_unlock(&waiting->lock);
}

/* The lock keeps the library from forgetting the wait meanwhile. */
static void cancel(struct waiting *waiting)
{
    (void)pthread_mutex_lock(&waiting->lock);
    waiting->is_cancelled = true;
    if (waiting->wait) {
        mb_wait_cancel(waiting->wait);
    }
    (void)pthread_mutex_unlock(&waiting->lock);
}

static void *run(void *argument)
{
    struct waiting *waiting = argument;
    const mb_wait_watch watch = {begun, ended, waiting};
    (void)mb_watch_waits(&watch); /* fails if memory is so short that the work fails, too */
    int result = waiting->call->work(waiting->call->argument);
    (void)mb_watch_waits(NULL);
    (void)pthread_mutex_lock(&waiting->lock);
    waiting->result = result;
    waiting->is_done = true;
    (void)pthread_cond_signal(&waiting->changed);
    (void)pthread_mutex_unlock(&waiting->lock);
    return NULL;
}

static struct timespec now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

/* Whether the work ended within the time between two looks. */
static bool wait_a_moment(struct waiting *waiting)
{
    struct timespec until = now();
    until.tv_nsec += LOOK_NS;
    if (until.tv_nsec >= SECOND_NS) {
        until.tv_sec++;
        until.tv_nsec -= SECOND_NS;
    }
    (void)pthread_mutex_lock(&waiting->lock);
    while (!waiting->is_done && pthread_cond_timedwait(&waiting->changed, &waiting->lock, &until) != ETIMEDOUT) {
    }
    bool is_done = waiting->is_done;
    (void)pthread_mutex_unlock(&waiting->lock);
    return is_done;
}

/* False: an exception is set. */
static bool show(struct waiting *waiting, double seconds)
{
    const struct waiting_call *call = waiting->call;
    if (!call->progress || is_showing) {
        return true;
    }
    is_showing = true;
    if (!waiting->watch) {
        waiting->watch =
            PyObject_CallFunction(call->progress, "KK", (unsigned long long)mb_client_session(call->owner->client),
                                  (unsigned long long)call->bytes);
    }
    PyObject *result = waiting->watch ? PyObject_CallFunction(waiting->watch, "d", seconds) : NULL;
    Py_XDECREF(result);
    is_showing = false;
    return result;
}

/* Its exception is raised unless the wait has ended with another one. */
static void end_watch(struct waiting *waiting, enum waiting_end *end)
{
    PyObject *type, *value, *traceback;
    if (!waiting->watch) {
        return;
    }
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *result = PyObject_CallMethod(waiting->watch, "end", NULL);
    if (!result && *end == WAITING_DONE) {
        *end = WAITING_RAISED;
    } else {
        PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(result);
    Py_CLEAR(waiting->watch);
}

/* With the interpreter's lock. */
static enum waiting_end look(struct waiting *waiting, const struct timespec *start)
{
    struct timespec time = now();
    double seconds = (double)(time.tv_sec - start->tv_sec) + (double)(time.tv_nsec - start->tv_nsec) / SECOND_NS;
    return PyErr_CheckSignals() < 0 || !show(waiting, seconds) ? WAITING_RAISED : WAITING_DONE;
}

static enum waiting_end look_after(struct waiting *waiting)
{
    const struct timespec start = now();
    struct owner *owner = waiting->call->owner;
    enum waiting_end end = WAITING_DONE;
    PyThreadState *thread = PyEval_SaveThread();
    while (!wait_a_moment(waiting)) {
        if (end == WAITING_DONE) {
            PyEval_RestoreThread(thread);
            bool is_closed = !waiting->was_closed && atomic_load(&owner->is_closed);
            end = is_closed ? WAITING_CLOSED : look(waiting, &start);
            thread = PyEval_SaveThread();
        }
        if (end != WAITING_DONE) {
            cancel(waiting);
        }
    }
    PyEval_RestoreThread(thread);
    return end;
}

/*
 * When the interpreter ends, it ends each thread that asks for its lock. The worker uses the stack of this one, so it
 * ends first.
 */
static void end_worker(void *argument)
{
    struct waiting *waiting = argument;
    while (!wait_a_moment(waiting)) {
        cancel(waiting);
    }
    (void)pthread_join(waiting->worker, NULL);
}

static enum waiting_end look_after_to_the_end(struct waiting *waiting)
{
    enum waiting_end end;
    pthread_cleanup_push(end_worker, waiting);
    end = look_after(waiting);
    pthread_cleanup_pop(0);
    (void)pthread_join(waiting->worker, NULL);
    return end;
}

int waiting_run(const struct waiting_call *call, enum waiting_end *ret_end)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .call = call};
    waiting.was_closed = atomic_load(&call->owner->is_closed);
    pthread_condattr_t attributes;
    owner_ref(call->owner); /* also beyond the end of this thread, if the interpreter ends it */
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&waiting.changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int error = pthread_create(&waiting.worker, NULL, run, &waiting);
    *ret_end = error ? WAITING_DONE : look_after_to_the_end(&waiting);
    (void)pthread_cond_destroy(&waiting.changed);
    end_watch(&waiting, ret_end);
    owner_unref(call->owner);
    return error ? -error : waiting.result;
}

uint64_t waiting_now_ms(void)
{
    struct timespec time = now();
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint32_t waiting_left_ms(uint64_t deadline_ms)
{
    uint64_t time = waiting_now_ms();
    return deadline_ms > time ? (uint32_t)(deadline_ms - time) : 1;
}

bool waiting_succeeded(enum waiting_end end, int result, const struct failure *failure)
{
    if (end == WAITING_CLOSED) {
        (void)errors_raise_closed();
    } else if (end == WAITING_DONE && result < 0) {
        (void)errors_raise(failure);
    }
    return end == WAITING_DONE && result == 0;
}

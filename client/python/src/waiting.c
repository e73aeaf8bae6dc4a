/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that waits, and the one that looks after signals. */
#include "client/python/src/waiting.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "client/python/src/gil.h"

static PyObject *progress_of_allocations;

enum { LOOK_NS = 50000000, SECOND_NS = 1000000000 };

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    waiting_work *work;
    void *argument;
    int result;
    bool is_done;
    bool was_closed; /* the client, at the beginning: its handlers of arrays may still allocate */
};

static void *run(void *argument)
{
    struct waiting *waiting = argument;
    int result = waiting->work(waiting->argument);
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

/* With the interpreter's lock. */
static enum waiting_end look(PyObject *progress, const struct timespec *start)
{
    struct timespec time = now();
    double seconds = (double)(time.tv_sec - start->tv_sec) + (double)(time.tv_nsec - start->tv_nsec) / SECOND_NS;
    if (PyErr_CheckSignals() < 0) {
        return WAITING_RAISED;
    }
    PyObject *result = progress ? PyObject_CallFunction(progress, "d", seconds) : NULL;
    Py_XDECREF(result);
    return !progress || result ? WAITING_DONE : WAITING_RAISED;
}

/* One wait of another call may be cancelled by mistake, but never one that begins after this. */
static enum waiting_end look_after(struct waiting *waiting, struct owner *owner, PyObject *progress)
{
    const struct timespec start = now();
    enum waiting_end end = WAITING_DONE;
    PyThreadState *thread = PyEval_SaveThread();
    while (!wait_a_moment(waiting)) {
        if (end == WAITING_DONE) {
            PyEval_RestoreThread(thread);
            bool is_closed = !waiting->was_closed && atomic_load(&owner->is_closed);
            end = is_closed ? WAITING_CLOSED : look(progress, &start);
            thread = PyEval_SaveThread();
        }
        if (end != WAITING_DONE) {
            mb_cancel_waits(owner->client);
        }
    }
    PyEval_RestoreThread(thread);
    return end;
}

int waiting_run(struct owner *owner, waiting_work *work, void *argument, PyObject *progress, enum waiting_end *ret_end)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = work, .argument = argument};
    waiting.was_closed = atomic_load(&owner->is_closed);
    pthread_condattr_t attributes;
    pthread_t thread;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&waiting.changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int error = 0;
    do { /* again if the interruption of another call cancelled this one, too */
        waiting.is_done = false;
        *ret_end = WAITING_DONE;
        error = pthread_create(&thread, NULL, run, &waiting);
        if (error == 0) {
            *ret_end = look_after(&waiting, owner, progress);
            (void)pthread_join(thread, NULL);
        }
    } while (error == 0 && waiting.result == -ECANCELED && *ret_end == WAITING_DONE);
    (void)pthread_cond_destroy(&waiting.changed);
    return error ? -error : waiting.result;
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

PyObject *waiting_set_progress(PyObject *module, PyObject *callable)
{
    (void)module;
    PyObject *before = progress_of_allocations;
    progress_of_allocations = callable == Py_None ? NULL : callable;
    Py_XINCREF(progress_of_allocations);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

PyObject *waiting_progress(void)
{
    return progress_of_allocations;
}

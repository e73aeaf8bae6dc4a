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

/* With the interpreter's lock. False: an exception is set. */
static bool look(PyObject *progress, const struct timespec *start)
{
    struct timespec time = now();
    double seconds = (double)(time.tv_sec - start->tv_sec) + (double)(time.tv_nsec - start->tv_nsec) / SECOND_NS;
    if (PyErr_CheckSignals() < 0) {
        return false;
    }
    PyObject *result = progress ? PyObject_CallFunction(progress, "d", seconds) : NULL;
    Py_XDECREF(result);
    return !progress || result;
}

/* One wait of another call may be cancelled by mistake, but never one that begins after this. */
static bool look_after(struct waiting *waiting, struct owner *owner, PyObject *progress)
{
    const struct timespec start = now();
    bool is_interrupted = false;
    PyThreadState *thread = PyEval_SaveThread();
    while (!wait_a_moment(waiting)) {
        if (!is_interrupted) {
            PyEval_RestoreThread(thread);
            is_interrupted = !look(progress, &start);
            thread = PyEval_SaveThread();
        }
        if (is_interrupted) {
            mb_cancel_waits(owner->client);
        }
    }
    PyEval_RestoreThread(thread);
    return is_interrupted;
}

int waiting_run(struct owner *owner, waiting_work *work, void *argument, PyObject *progress, bool *ret_interrupted)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = work, .argument = argument};
    pthread_condattr_t attributes;
    pthread_t thread;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&waiting.changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int error = 0;
    do { /* again if the interruption of another call cancelled this one, too */
        waiting.is_done = false;
        *ret_interrupted = false;
        error = pthread_create(&thread, NULL, run, &waiting);
        if (error == 0) {
            *ret_interrupted = look_after(&waiting, owner, progress);
            (void)pthread_join(thread, NULL);
        }
    } while (error == 0 && waiting.result == -ECANCELED && !*ret_interrupted);
    (void)pthread_cond_destroy(&waiting.changed);
    return error ? -error : waiting.result;
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

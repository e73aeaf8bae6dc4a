/* SPDX-License-Identifier: Apache-2.0 */
/* From the library's events and from SIGBUS to exceptions. */
#include "client/python/src/losses.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/python/src/errors.h"
#include "client/python/src/inherited.h"

enum { THREADS_MAX = 64, WAIT_MS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct failure newest; /* the sentence of the loss that was noted last */
static unsigned lost_leases;  /* since the last exception */
static bool is_any_told;      /* there was an exception */
static _Atomic bool is_stopped, is_asked_for, is_touched;
static _Atomic unsigned long threads[THREADS_MAX]; /* that touched lost memory; 0: free */
static unsigned long main_thread;
static struct sigaction previous;
static bool is_hooked;
static bool (*could_notice)(void);

/* ---- raising ---- */

/* In all threads but the main one, whose exception comes at once. With the interpreter's lock. */
static void raise_in_threads(PyObject *type)
{
    for (int i = 0; i < THREADS_MAX; i++) {
        unsigned long thread = atomic_exchange(&threads[i], 0);
        if (thread && thread != main_thread) {
            (void)PyThreadState_SetAsyncExc(thread, type);
        }
    }
}

/* The thread that touched the memory may be faster than the event. With the interpreter's lock. */
static void wait_for_event(void)
{
    PyThreadState *thread = PyEval_SaveThread();
    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < WAIT_MS && !lost_leases && !is_any_told; i++) {
        const struct timespec moment = {.tv_nsec = 1000000};
        (void)pthread_mutex_unlock(&lock);
        (void)nanosleep(&moment, NULL);
        (void)pthread_mutex_lock(&lock);
    }
    (void)pthread_mutex_unlock(&lock);
    PyEval_RestoreThread(thread);
}

/* False: there is nothing to tell. If lost memory is touched again, it is told again. */
static bool compose(struct failure *ret, bool touched)
{
    (void)pthread_mutex_lock(&lock);
    unsigned count = lost_leases;
    bool any = count > 0 || (touched && is_any_told);
    *ret = newest;
    lost_leases = 0;
    is_any_told = is_any_told || any;
    (void)pthread_mutex_unlock(&lock);
    size_t used = strlen(ret->sentence);
    if (count > 1) {
        (void)snprintf(ret->sentence + used, sizeof ret->sentence - used, " (and %u more leases)", count - 1);
    }
    return any;
}

/* A pending call: the main thread runs it between two instructions. */
static int raise_loss(void *argument)
{
    struct failure failure;
    (void)argument;
    atomic_store(&is_asked_for, false);
    bool touched = atomic_exchange(&is_touched, false);
    if (touched) {
        wait_for_event();
    }
    if (!compose(&failure, touched)) {
        return 0;
    }
    (void)errors_raise(&failure);
    PyObject *type = PyErr_Occurred();
    if (type) {
        raise_in_threads(type);
    }
    return -1;
}

static void ask(void)
{
    if (!atomic_load(&is_stopped) && !atomic_exchange(&is_asked_for, true) && Py_AddPendingCall(raise_loss, NULL) < 0) {
        atomic_store(&is_asked_for, false); /* the queue is full; the next event asks again */
    }
}

/*
 * Until 3.12 a pending call of another thread waits until the main thread has dropped the interpreter's lock once. This
 * thread asks for the lock, so that it does.
 */
static void *nudge(void *unused)
{
    (void)unused;
    if (!atomic_load(&is_stopped)) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyGILState_Release(state);
    }
    return NULL;
}

static void nudge_main_thread(void)
{
    pthread_t thread;
    if (!atomic_load(&is_stopped) && pthread_create(&thread, NULL, nudge, NULL) == 0) {
        (void)pthread_detach(thread);
    }
}

/* ---- the library's events ---- */

static void note(mb_lease *lease, mb_end_reason reason)
{
    (void)pthread_mutex_lock(&lock);
    newest.code = -ESTALE;
    newest.session = 0;
    (void)snprintf(newest.sentence, sizeof newest.sentence,
                   "lease %llu of %llu bytes is lost: %s; the content of its arrays is gone",
                   (unsigned long long)mb_lease_id(lease), (unsigned long long)mb_lease_bytes(lease),
                   mb_end_reason_text(reason));
    lost_leases++;
    (void)pthread_mutex_unlock(&lock);
}

void losses_on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == MB_EVENT_LEASE_LOST && could_notice()) {
        note(event->lease, event->reason);
        ask();
        nudge_main_thread();
    }
}

/* ---- SIGBUS ---- */

static void remember_thread(void)
{
    unsigned long self = (unsigned long)pthread_self(); /* as Python's thread identifiers */
    for (int i = 0; i < THREADS_MAX; i++) {
        unsigned long none = 0;
        if (atomic_load(&threads[i]) == self || atomic_compare_exchange_strong(&threads[i], &none, self)) {
            return;
        }
    }
}

static void note_parents_loss(void)
{
    newest.code = -ESTALE;
    (void)stpcpy(newest.sentence,
                 "a lease of the parent process has ended; the arrays that this child inherited are gone");
    lost_leases = 1;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool is_fault = info->si_code > 0;
    if (is_fault && inherited_cover((uintptr_t)info->si_addr)) {
        note_parents_loss();
    } else if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    }
    if (is_fault) {
        remember_thread();
        atomic_store(&is_touched, true);
        ask();
    }
    errno = saved;
}

void losses_hook(void)
{
    struct sigaction current;
    const struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    bool is_there = sigaction(SIGBUS, NULL, &current) == 0 && (current.sa_flags & SA_SIGINFO);
    if (is_there && current.sa_sigaction != on_bus_error && sigaction(SIGBUS, &action, NULL) == 0) {
        previous = current;
        is_hooked = true;
    }
}

void losses_unhook(void)
{
    struct sigaction current;
    if (is_hooked && sigaction(SIGBUS, NULL, &current) == 0 && current.sa_sigaction == on_bus_error) {
        (void)sigaction(SIGBUS, &previous, NULL);
        is_hooked = false;
    }
}

/* ---- beginning and end ---- */

void losses_init(bool (*is_any_in_use)(void))
{
    could_notice = is_any_in_use;
    main_thread = (unsigned long)pthread_self();
}

void losses_stop(void)
{
    atomic_store(&is_stopped, true);
}

void losses_forget(void)
{
    (void)pthread_mutex_init(&lock, NULL);
    main_thread = (unsigned long)pthread_self();
    lost_leases = 0;
    for (int i = 0; i < THREADS_MAX; i++) {
        atomic_store(&threads[i], 0);
    }
}

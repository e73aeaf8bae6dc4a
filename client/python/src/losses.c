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
#include "client/python/src/gil.h"
#include "client/python/src/inherited.h"

enum { THREADS_MAX = 64, WAIT_MS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct failure newest; /* the sentence of the loss that was noted last */
static unsigned lost_leases;  /* since the last exception */
static bool is_any_told;      /* there was an exception */
static _Atomic bool is_stopped, is_asked_for, is_touched;
static _Atomic unsigned long threads[THREADS_MAX]; /* that touched lost memory; 0: free */
static bool (*could_notice)(void);

/* ---- raising ---- */

/* With the interpreter's lock. */
static void raise_in_threads(PyObject *type)
{
    for (int i = 0; i < THREADS_MAX; i++) {
        unsigned long thread = atomic_exchange(&threads[i], 0);
        if (thread) {
            (void)PyThreadState_SetAsyncExc(thread, type);
        }
    }
}

/* Raises the exception that is set in the other threads: as a class, so the class has the sentence. It stays set. */
static void raise_elsewhere(const char *sentence)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *own = type ? PyObject_CallFunction((PyObject *)&PyType_Type, "s(O){ssss}", "LeaseLost", type, "sentence",
                                                 sentence, "__module__", "membroker")
                         : NULL;
    PyErr_Clear();
    if (type) {
        raise_in_threads(own ? own : type);
    }
    Py_XDECREF(own);
    PyErr_Restore(type, value, traceback);
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
    raise_elsewhere(failure.sentence);
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

static void note(const mb_lease *lease)
{
    (void)pthread_mutex_lock(&lock);
    newest.code = mb_lease_check(lease);
    (void)snprintf(newest.sentence, sizeof newest.sentence, "%s; the content of its arrays (%llu bytes) is gone",
                   mb_last_error(), (unsigned long long)mb_lease_bytes(lease));
    lost_leases++;
    (void)pthread_mutex_unlock(&lock);
}

void losses_on_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    if (event->type == MB_EVENT_LEASE_LOST && could_notice()) {
        losses_hook();
        note(event->lease);
        ask();
        nudge_main_thread();
    }
}

/* ---- SIGBUS ---- */

/* But for the main thread, whose exception comes at once. Any thread may have imported the module. */
static void remember_thread(void)
{
    if (gil_is_main_thread()) {
        return;
    }
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

/* ---- the handler of SIGBUS, which stays before the library's and the program's ---- */

enum { OTHERS_MAX = 8 };
static struct sigaction guard; /* the library's, since the first connection; it calls what was there before */
static struct sigaction others[OTHERS_MAX];
static _Atomic unsigned other_count; /* the newest is the program's */
static _Atomic bool has_guard;
static pthread_mutex_t hooking = PTHREAD_MUTEX_INITIALIZER; /* held while a thread connects */

/* A handler that does not learn the address can't mend a fault: if it returns, the default action follows. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    unsigned count = atomic_load(&other_count);
    const struct sigaction *other = count ? &others[(count - 1) % OTHERS_MAX] : &guard;
    if (other->sa_flags & SA_SIGINFO) {
        other->sa_sigaction(number, info, context);
        return;
    }
    bool is_fault = info->si_code > 0, is_default = other->sa_handler == SIG_DFL;
    if (!is_default && other->sa_handler != SIG_IGN) {
        other->sa_handler(number);
    }
    if (is_fault || is_default) {
        (void)signal(number, SIG_DFL);
    }
    if (!is_fault && is_default) {
        (void)raise(number);
    }
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool is_inherited = info->si_code > 0 && inherited_cover((uintptr_t)info->si_addr);
    bool is_lease = !is_inherited && info->si_code > 0 && mb_lease_from_address(info->si_addr);
    if (is_inherited) {
        note_parents_loss();
    } else if (is_lease) {
        guard.sa_sigaction(number, info, context);
    } else {
        pass_on(number, info, context);
    }
    if (is_inherited || is_lease) {
        remember_thread();
        atomic_store(&is_touched, true);
        ask();
    }
    errno = saved;
}

static bool is_of(const struct sigaction *action, void (*handler)(int number, siginfo_t *info, void *context))
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == handler;
}

/* With the lock. */
static void remember_other(const struct sigaction *current)
{
    if (!is_of(current, on_bus_error) && !is_of(current, guard.sa_sigaction)) {
        unsigned count = atomic_load(&other_count);
        others[count % OTHERS_MAX] = *current;
        atomic_store(&other_count, count + 1);
    }
}

/* With the lock. */
static void hook(void)
{
    const struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction current;
    if (sigaction(SIGBUS, NULL, &current) == 0 && !is_of(&current, on_bus_error)) {
        remember_other(&current);
        (void)sigaction(SIGBUS, &action, NULL);
    }
}

void losses_before_connecting(void)
{
    struct sigaction current;
    (void)pthread_mutex_lock(&hooking);
    if (atomic_load(&has_guard) && sigaction(SIGBUS, NULL, &current) == 0) {
        remember_other(&current);
        (void)sigaction(SIGBUS, &guard, NULL);
    }
}

void losses_after_connecting(bool is_connected)
{
    if (!atomic_load(&has_guard) && is_connected && sigaction(SIGBUS, NULL, &guard) == 0) {
        atomic_store(&has_guard, guard.sa_flags & SA_SIGINFO);
    }
    if (atomic_load(&has_guard)) {
        hook();
    }
    (void)pthread_mutex_unlock(&hooking);
}

void losses_hook(void)
{
    if (atomic_load(&has_guard) && pthread_mutex_trylock(&hooking) == 0) {
        hook();
        (void)pthread_mutex_unlock(&hooking);
    }
}

/* ---- beginning and end ---- */

void losses_init(bool (*is_any_in_use)(void))
{
    could_notice = is_any_in_use;
}

void losses_stop(void)
{
    atomic_store(&is_stopped, true);
}

void losses_forget(void)
{
    (void)pthread_mutex_init(&lock, NULL);
    (void)pthread_mutex_init(&hooking, NULL);
    losses_hook(); /* another thread of the parent may have been connecting */
    lost_leases = 0;
    for (int i = 0; i < THREADS_MAX; i++) {
        atomic_store(&threads[i], 0);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The handler of SIGBUS: what it does with a lost lease, and how it passes on what is not its own. */
#include "client/bus_error.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"
#include "client/guard.h"
#include "client/loss.h"

enum { LINE_BYTES = 512 };

/* ---- passing on: as if there were no handler of ours ---- */

struct handler {
    struct sigaction before;
    atomic_bool is_spent; /* SA_RESETHAND, and it was called */
};

static bool has_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) || (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static bool still_has_handler(struct handler *handler)
{
    return has_handler(&handler->before) && !atomic_load(&handler->is_spent);
}

/* The handler runs with the signals blocked that the kernel would block for it. The kernel restores the mask. */
static void block_as_before(const struct sigaction *before, const ucontext_t *context)
{
    sigset_t mask;
    (void)sigorset(&mask, &context->uc_sigmask, &before->sa_mask);
    if (!(before->sa_flags & SA_NODEFER)) {
        (void)sigaddset(&mask, SIGBUS);
    }
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* The access failed: such a signal can't be ignored. */
static bool is_forced(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
}

/*
 * Not by running the instruction again: if it succeeded this time, the process would be left without a handler. Only
 * the first process of a container survives this, since no signal but the kernel's own kills it.
 */
static void die(siginfo_t *info)
{
    struct sigaction ours, by_default = {.sa_handler = SIG_DFL};
    sigset_t mask;
    (void)sigaction(SIGBUS, &by_default, &ours);
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, info);
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGBUS);
    (void)pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    if (!is_forced(info)) {
        (void)sigaction(SIGBUS, &ours, NULL);
    }
}

static void pass_on(struct handler *handler, int number, siginfo_t *info, void *context)
{
    const struct sigaction *before = &handler->before;
    bool may_call =
        has_handler(before) && !((before->sa_flags & (int)SA_RESETHAND) && atomic_exchange(&handler->is_spent, true));
    if (may_call) {
        block_as_before(before, context);
    }
    if (may_call && (before->sa_flags & SA_SIGINFO)) {
        before->sa_sigaction(number, info, context);
    } else if (may_call) {
        before->sa_handler(number);
    } else if (before->sa_handler != SIG_IGN || is_forced(info)) {
        die(info);
    }
}

/* ---- the handlers: two, so that a handler that was installed after the first may call it ---- */

enum { HANDLERS = 2 };
static struct handler handlers[HANDLERS];
static int installed;

static const char without_guard[] =
    ". This program touched its memory, which is SIGBUS; with MB_CLIENT_GUARD it finds zeros there\n";

/* Whether the access now succeeds. If not because a lease is lost, *ret_end is the end of the sentence in `line`. */
static bool mend(uintptr_t address, char *line, char **ret_end)
{
    mb_lease *lease;
    struct guard_entry *entry = guard_hold(address, &lease);
    if (!entry) {
        return guard_was_left(address);
    }
    bool is_lost = mb_lease_end_reason(lease) != MB_END_NONE || lease_note_fault(lease);
    bool done = is_lost && (lease->client->options.flags & MB_CLIENT_GUARD) && guard_cover(entry);
    if (is_lost && !done) {
        *ret_end =
            line + loss_sentence(lease, mb_lease_end_reason(lease), "membroker: ", without_guard, line, LINE_BYTES);
    }
    guard_release(entry);
    return done;
}

static void handle(struct handler *handler, int number, siginfo_t *info, void *context)
{
    int saved = errno;
    char line[LINE_BYTES], *end = line;
    if (info->si_code != BUS_ADRERR || !mend((uintptr_t)info->si_addr, line, &end)) {
        if (end > line && !still_has_handler(handler)) {
            (void)!write(STDERR_FILENO, line, (size_t)(end - line));
        }
        pass_on(handler, number, info, context);
    }
    errno = saved;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    handle(&handlers[0], number, info, context);
}

static void on_bus_error_again(int number, siginfo_t *info, void *context)
{
    handle(&handlers[1], number, info, context);
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) &&
           (action->sa_sigaction == on_bus_error || action->sa_sigaction == on_bus_error_again);
}

/* With the lock held. No other handler runs while an entry of the guard is held. */
static int install(bool guards)
{
    struct sigaction current, action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaction(SIGBUS, NULL, &current) < 0) {
        return -errno;
    }
    bool is_needed = guards || !has_handler(&current);
    if (is_ours(&current) || !is_needed || installed == HANDLERS) {
        return 0;
    }
    action.sa_sigaction = installed == 0 ? on_bus_error : on_bus_error_again;
    action.sa_flags |= current.sa_flags & SA_RESTART;
    (void)sigfillset(&action.sa_mask);
    handlers[installed].before = current;
    if (sigaction(SIGBUS, &action, NULL) < 0) {
        return -errno;
    }
    installed++;
    return 0;
}

int bus_error_install(bool guards)
{
    guard_lock();
    int result = install(guards);
    guard_unlock();
    return result < 0 ? error_set(result, "a handler for SIGBUS could not be installed") : 0;
}

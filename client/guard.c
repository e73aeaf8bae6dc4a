/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of mappings, and its two users: the SIGBUS handler, and fork(). The handler may run at any time in any
 * thread, so the table only grows, and a half-written entry looks empty: its start is written last.
 */
#include "client/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"

enum { ENTRIES_PER_CHUNK = 64, LINE_BYTES = 512 };

struct guard_entry {
    _Atomic uintptr_t start; /* 0: empty */
    _Atomic uint64_t bytes;
    mb_lease *_Atomic lease;
    struct guard_entry *next_empty; /* the handler reads neither this nor the next */
    bool is_settled;                /* a fork has nothing to do */
};

struct chunk {
    struct guard_entry entries[ENTRIES_PER_CHUNK];
    struct chunk *_Atomic next; /* made before this one */
};

static struct chunk *_Atomic newest;
static struct guard_entry *empty;
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

static const struct guard_entry *find(uintptr_t address)
{
    for (struct chunk *chunk = atomic_load(&newest); chunk; chunk = atomic_load(&chunk->next)) {
        for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
            uintptr_t start = atomic_load(&chunk->entries[i].start);
            if (start && address >= start && address - start < atomic_load(&chunk->entries[i].bytes)) {
                return &chunk->entries[i];
            }
        }
    }
    return NULL;
}

mb_lease *mb_lease_from_address(const void *address)
{
    const struct guard_entry *entry = find((uintptr_t)address);
    return entry ? atomic_load(&entry->lease) : NULL;
}

/* The entry of the lost lease that has this address; NULL: no lost lease has it. */
static const struct guard_entry *find_lost(uintptr_t address)
{
    const struct guard_entry *entry = find(address);
    mb_lease *lease = entry ? atomic_load(&entry->lease) : NULL;
    bool is_lost = lease && (mb_lease_end_reason(lease) != MB_END_NONE || lease_note_fault(lease));
    return is_lost ? entry : NULL;
}

/* Puts private zero pages over the whole lost range. */
static bool cover(const struct guard_entry *entry)
{
    void *start = (void *)atomic_load(&entry->start);
    return mmap(start, atomic_load(&entry->bytes), PROT_READ | PROT_WRITE,
                MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

/* ---- the message of a program without the guard: only what a signal's handler may call ---- */

static char *append(char *at, const char *end, const char *text)
{
    while (at < end && *text) {
        *at++ = *text++;
    }
    return at;
}

static char *append_number(char *at, const char *end, uint64_t number)
{
    char digits[21];
    size_t i = sizeof digits - 1;
    digits[i] = '\0';
    do {
        digits[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return append(at, end, &digits[i]);
}

static void explain(const mb_lease *lease)
{
    char line[LINE_BYTES], *at = line;
    const char *end = line + sizeof line;
    at = append(at, end, "membroker: lease ");
    at = append_number(at, end, lease->id);
    if (lease->name[0]) {
        at = append(at, end, " (");
        at = append(at, end, lease->name);
        at = append(at, end, ")");
    }
    at = append(at, end, " is lost: ");
    at = append(at, end, mb_end_reason_text(mb_lease_end_reason(lease)));
    at = append(at, end,
                ". This program touched its memory, which is SIGBUS; with MB_CLIENT_GUARD it finds zeros there\n");
    (void)!write(STDERR_FILENO, line, (size_t)(at - line));
}

/* ---- the handlers: two, so that a handler that was installed after the first may call it ---- */

enum { HANDLERS = 2 };
static struct sigaction previous[HANDLERS];
static int installed;

static bool has_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) || (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* If there was no handler before ours, the instruction runs again and takes the default action. */
static void chain(const struct sigaction *before, int number, siginfo_t *info, void *context)
{
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(number, info, context);
    } else if (has_handler(before)) {
        before->sa_handler(number);
    } else {
        (void)signal(SIGBUS, SIG_DFL);
        if (info->si_code <= 0) {
            (void)raise(SIGBUS); /* another process sent it: no instruction runs again */
        }
    }
}

static void handle(const struct sigaction *before, int number, siginfo_t *info, void *context)
{
    int saved = errno;
    const struct guard_entry *entry = info->si_code <= 0 ? NULL : find_lost((uintptr_t)info->si_addr);
    const mb_lease *lease = entry ? atomic_load(&entry->lease) : NULL;
    bool is_guarded = lease && (lease->client->options.flags & MB_CLIENT_GUARD);
    if (!is_guarded || !cover(entry)) {
        if (lease && !has_handler(before)) {
            explain(lease);
        }
        chain(before, number, info, context);
    }
    errno = saved;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    handle(&previous[0], number, info, context);
}

static void on_bus_error_again(int number, siginfo_t *info, void *context)
{
    handle(&previous[1], number, info, context);
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) &&
           (action->sa_sigaction == on_bus_error || action->sa_sigaction == on_bus_error_again);
}

/* With the lock held. */
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
    previous[installed] = current;
    if (sigaction(SIGBUS, &action, NULL) < 0) {
        return -errno;
    }
    installed++;
    return 0;
}

/* ---- forks: telling the kernel at the fork saves a system call for each mapping of a program that never forks ---- */

static pthread_rwlock_t forking = PTHREAD_RWLOCK_INITIALIZER;
static bool watches_forks;

static void keep_from_children(uintptr_t address, uint64_t bytes)
{
    (void)madvise((void *)address, bytes, MADV_DONTFORK);
}

static void keep_all_from_children(void)
{
    for (struct chunk *chunk = atomic_load(&newest); chunk; chunk = atomic_load(&chunk->next)) {
        for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
            struct guard_entry *entry = &chunk->entries[i];
            uintptr_t start = atomic_load(&entry->start);
            if (start && !entry->is_settled) {
                keep_from_children(start, atomic_load(&entry->bytes));
                entry->is_settled = true;
            }
        }
    }
}

static void before_fork(void)
{
    (void)pthread_rwlock_wrlock(&forking);
    (void)pthread_mutex_lock(&writers);
    keep_all_from_children();
}

static void after_fork(void)
{
    (void)pthread_mutex_unlock(&writers);
    (void)pthread_rwlock_unlock(&forking);
}

/* The child's only thread is not the one that took the locks, and a reader of the parent's may have been waiting. */
static void after_fork_in_child(void)
{
    (void)pthread_mutex_init(&writers, NULL);
    (void)pthread_rwlock_init(&forking, NULL);
}

void guard_begin(void)
{
    (void)pthread_rwlock_rdlock(&forking);
}

void guard_end(void)
{
    (void)pthread_rwlock_unlock(&forking);
}

/* ---- the table ---- */

static void add_chunk(void)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk) {
        return;
    }
    for (int i = ENTRIES_PER_CHUNK - 1; i >= 0; i--) {
        chunk->entries[i].next_empty = empty;
        empty = &chunk->entries[i];
    }
    atomic_store(&chunk->next, atomic_load(&newest));
    atomic_store(&newest, chunk);
}

struct guard_entry *guard_add(void *address, uint64_t bytes, mb_lease *lease)
{
    (void)pthread_mutex_lock(&writers);
    if (!empty) {
        add_chunk();
    }
    struct guard_entry *entry = empty;
    bool is_shared = lease->client->options.flags & MB_CLIENT_SHARE_WITH_CHILDREN;
    if (!is_shared && !(entry && watches_forks)) {
        keep_from_children((uintptr_t)address, bytes);
    }
    if (entry) {
        empty = entry->next_empty;
        entry->is_settled = is_shared || !watches_forks;
        atomic_store(&entry->lease, lease);
        atomic_store(&entry->bytes, bytes);
        atomic_store(&entry->start, (uintptr_t)address);
    }
    (void)pthread_mutex_unlock(&writers);
    return entry;
}

void guard_remove(struct guard_entry *entry)
{
    if (!entry) {
        return;
    }
    (void)pthread_mutex_lock(&writers);
    atomic_store(&entry->start, 0);
    atomic_store(&entry->lease, NULL);
    entry->next_empty = empty;
    empty = entry;
    (void)pthread_mutex_unlock(&writers);
}

/* ---- both ---- */

int guard_install(bool guards)
{
    (void)pthread_mutex_lock(&writers);
    watches_forks = watches_forks || pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0;
    int result = install(guards);
    (void)pthread_mutex_unlock(&writers);
    return result < 0 ? error_set(result, "a handler for SIGBUS could not be installed") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SIGBUS handler and its table. The handler may run at any instant in any thread, so the table only grows, and an
 * entry's fields are published in an order that makes a half-written one look empty.
 */
#include "client/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "client/client.h"
#include "client/error.h"

enum { ENTRIES_PER_CHUNK = 64 };

struct entry {
    _Atomic uintptr_t start; /* 0: empty */
    _Atomic uint64_t bytes;
    mb_lease *_Atomic lease;
};

struct chunk {
    struct entry entries[ENTRIES_PER_CHUNK];
    struct chunk *_Atomic next;
};

static struct chunk first;
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous;
static bool installed;

static const struct entry *find(uintptr_t address)
{
    for (struct chunk *chunk = &first; chunk; chunk = atomic_load(&chunk->next)) {
        for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
            uintptr_t start = atomic_load(&chunk->entries[i].start);
            if (start && address >= start && address - start < atomic_load(&chunk->entries[i].bytes)) {
                return &chunk->entries[i];
            }
        }
    }
    return NULL;
}

/* Puts private zero pages over the whole lost range. False: the address is none of a lost lease's. */
static bool cover(uintptr_t address)
{
    const struct entry *entry = find(address);
    mb_lease *lease = entry ? atomic_load(&entry->lease) : NULL;
    if (!lease || (mb_lease_end_reason(lease) == MB_END_NONE && !lease_note_fault(lease))) {
        return false;
    }
    void *start = (void *)atomic_load(&entry->start);
    return mmap(start, atomic_load(&entry->bytes), PROT_READ | PROT_WRITE,
                MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

/* Without a handler before ours: the default action comes when the instruction is run again. */
static void chain(int number, siginfo_t *info, void *context)
{
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
        (void)signal(SIGBUS, SIG_DFL);
        if (info->si_code <= 0) {
            (void)raise(SIGBUS); /* sent by somebody: no instruction will be run again */
        }
    } else {
        previous.sa_handler(number);
    }
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    if (info->si_code <= 0 || !cover((uintptr_t)info->si_addr)) {
        chain(number, info, context);
    }
    errno = saved;
}

int guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int result = 0;
    (void)pthread_mutex_lock(&writers);
    if (!installed) {
        if (sigaction(SIGBUS, &action, &previous) < 0) {
            result = error_set(-errno, "the guard's handler for SIGBUS could not be installed");
        }
        installed = result == 0;
    }
    (void)pthread_mutex_unlock(&writers);
    return result;
}

static void fill(struct entry *entry, void *address, uint64_t bytes, mb_lease *lease)
{
    atomic_store(&entry->lease, lease);
    atomic_store(&entry->bytes, bytes);
    atomic_store(&entry->start, (uintptr_t)address);
}

/* An empty entry, in a new chunk if need be; NULL when memory is short. */
static struct entry *find_empty(void)
{
    struct chunk *chunk = &first;
    for (;;) {
        for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
            if (!atomic_load(&chunk->entries[i].start)) {
                return &chunk->entries[i];
            }
        }
        if (!atomic_load(&chunk->next)) {
            atomic_store(&chunk->next, calloc(1, sizeof *chunk));
        }
        chunk = atomic_load(&chunk->next);
        if (!chunk) {
            return NULL;
        }
    }
}

int guard_add(void *address, uint64_t bytes, mb_lease *lease)
{
    (void)pthread_mutex_lock(&writers);
    struct entry *entry = find_empty();
    if (entry) {
        fill(entry, address, bytes, lease);
    }
    (void)pthread_mutex_unlock(&writers);
    return entry ? 0 : -ENOMEM;
}

void guard_remove(const void *address)
{
    (void)pthread_mutex_lock(&writers);
    for (struct chunk *chunk = &first; chunk; chunk = atomic_load(&chunk->next)) {
        for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
            if (atomic_load(&chunk->entries[i].start) == (uintptr_t)address) {
                atomic_store(&chunk->entries[i].start, 0);
                atomic_store(&chunk->entries[i].lease, NULL);
            }
        }
    }
    (void)pthread_mutex_unlock(&writers);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of mappings. The handler of SIGBUS may run at any time in any thread, so the table only grows, and a
 * half-written entry looks empty: its start is written last. A handler counts itself while it uses an entry, and what
 * takes the entry away waits for it.
 */
#include "client/guard.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <time.h>

#include "client/client.h"
#include "client/clock.h"

enum {
    ENTRIES_PER_CHUNK = 64,
    LEFT_MS = 1000, /* far more than a thread takes from its fault to the handler */
    RETRIES =
        1 << 16, /* of accesses to zeros that can't fail; more than threads that were on their way to the handler */
};

enum cover { LEASED, COVERING, COVERED };

struct guard_entry {
    _Atomic uintptr_t start; /* 0: empty */
    _Atomic uint64_t bytes;
    mb_lease *_Atomic lease; /* NULL: the range was left to the program */
    _Atomic unsigned handlers;
    _Atomic enum cover cover;
    _Atomic unsigned retries; /* since the range has zeros */
    bool is_settled;          /* a fork has nothing to do; the handler reads neither this nor the next */
    uint64_t left_at;         /* ms */
    STAILQ_ENTRY(guard_entry) in_list;
};

struct chunk {
    struct guard_entry entries[ENTRIES_PER_CHUNK];
    struct chunk *_Atomic next; /* made before this one */
};

STAILQ_HEAD(entries, guard_entry);

static struct chunk *_Atomic newest;
static struct entries empty = STAILQ_HEAD_INITIALIZER(empty), left = STAILQ_HEAD_INITIALIZER(left);
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

void guard_lock(void)
{
    (void)pthread_mutex_lock(&writers);
}

void guard_unlock(void)
{
    (void)pthread_mutex_unlock(&writers);
}

/* ---- looking ---- */

static bool has(struct guard_entry *entry, uintptr_t address)
{
    uintptr_t start = atomic_load(&entry->start);
    return start && address >= start && address - start < atomic_load(&entry->bytes);
}

/* A range that was left may be part of a newer mapping, if the program unmapped it. */
static struct guard_entry *find(uintptr_t address, bool is_left)
{
    for (struct chunk *chunk = atomic_load(&newest); chunk; chunk = atomic_load(&chunk->next)) {
        for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
            struct guard_entry *entry = &chunk->entries[i];
            if (has(entry, address) && !atomic_load(&entry->lease) == is_left) {
                return entry;
            }
        }
    }
    return NULL;
}

mb_lease *mb_lease_from_address(const void *address)
{
    struct guard_entry *entry = find((uintptr_t)address, false);
    return entry ? atomic_load(&entry->lease) : NULL;
}

struct guard_entry *guard_hold(uintptr_t address, mb_lease **ret_lease)
{
    struct guard_entry *entry = find(address, false);
    if (!entry) {
        return NULL;
    }
    atomic_fetch_add(&entry->handlers, 1);
    *ret_lease = atomic_load(&entry->lease);
    if (*ret_lease && has(entry, address)) {
        return entry;
    }
    guard_release(entry);
    return NULL;
}

void guard_release(struct guard_entry *entry)
{
    atomic_fetch_sub(&entry->handlers, 1);
}

/* ---- zeros ---- */

/* A fault on zeros is one from before, or none of ours: the access may be tried again, but not forever. */
static bool may_retry(struct guard_entry *entry)
{
    return atomic_fetch_add(&entry->retries, 1) < RETRIES;
}

/* What could only be read can only be read. The handler has counted itself, so the lease stays. */
static bool map_zeros(struct guard_entry *entry)
{
    void *start = (void *)atomic_load(&entry->start);
    const mb_lease *lease = atomic_load(&entry->lease);
    int protection = lease && lease->is_read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    bool done = mmap(start, atomic_load(&entry->bytes), protection,
                     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
    atomic_store(&entry->cover, done ? COVERED : LEASED);
    return done;
}

/* Once, since a thread whose access failed earlier may already write to the zeros. */
bool guard_cover(struct guard_entry *entry)
{
    enum cover cover = LEASED;
    if (atomic_compare_exchange_strong(&entry->cover, &cover, COVERING)) {
        return map_zeros(entry);
    }
    if (cover == COVERING) {
        (void)poll(NULL, 0, 1);
        return true;
    }
    return may_retry(entry);
}

bool guard_was_left(uintptr_t address)
{
    struct guard_entry *entry = find(address, true);
    return entry && may_retry(entry);
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
    guard_lock();
    keep_all_from_children();
}

static void after_fork(void)
{
    guard_unlock();
    (void)pthread_rwlock_unlock(&forking);
}

static bool is_shared(const mb_lease *lease)
{
    return lease->client->options.flags & MB_CLIENT_SHARE_WITH_CHILDREN;
}

/*
 * The handlers that ran in other threads of the parent do not run here. And what the parent has mapped is absent: a
 * mapping of the child's own may take its place.
 */
static void become_child(struct guard_entry *entry)
{
    const mb_lease *lease = atomic_load(&entry->lease);
    enum cover covering = COVERING;
    atomic_store(&entry->handlers, 0);
    (void)atomic_compare_exchange_strong(&entry->cover, &covering, LEASED);
    if (lease && !is_shared(lease)) {
        atomic_store(&entry->start, 0);
    }
}

/* The child's only thread is not the one that took the locks, and a reader of the parent's may have been waiting. */
static void after_fork_in_child(void)
{
    (void)pthread_mutex_init(&writers, NULL);
    (void)pthread_rwlock_init(&forking, NULL);
    for (struct chunk *chunk = atomic_load(&newest); chunk; chunk = atomic_load(&chunk->next)) {
        for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
            become_child(&chunk->entries[i]);
        }
    }
}

/* When the library is loaded: the child of a fork that began before this runs may find the locks taken for ever. */
__attribute__((constructor)) static void guard_watch_forks(void)
{
    watches_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0;
}

void guard_begin(void)
{
    (void)pthread_rwlock_rdlock(&forking);
}

void guard_end(void)
{
    (void)pthread_rwlock_unlock(&forking);
}

/* ---- changing ---- */

static void add_chunk(void)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk) {
        return;
    }
    for (int i = 0; i < ENTRIES_PER_CHUNK; i++) {
        STAILQ_INSERT_TAIL(&empty, &chunk->entries[i], in_list);
    }
    atomic_store(&chunk->next, atomic_load(&newest));
    atomic_store(&newest, chunk);
}

/* With the lock held. */
static struct guard_entry *take(struct entries *list)
{
    struct guard_entry *entry = STAILQ_FIRST(list);
    if (entry) {
        STAILQ_REMOVE_HEAD(list, in_list);
        atomic_store(&entry->start, 0);
    }
    return entry;
}

static struct guard_entry *take_empty(void)
{
    const struct guard_entry *oldest = STAILQ_FIRST(&left);
    if (STAILQ_EMPTY(&empty) && oldest && clock_milliseconds() - oldest->left_at > LEFT_MS) {
        return take(&left);
    }
    if (STAILQ_EMPTY(&empty)) {
        add_chunk();
    }
    return take(&empty);
}

/* A new mapping is to be kept from children: at once, or at the fork. With the lock held. */
static void settle(struct guard_entry *entry, void *address, uint64_t bytes, const mb_lease *lease)
{
    if (!is_shared(lease) && !(entry && watches_forks)) {
        keep_from_children((uintptr_t)address, bytes);
    }
    if (entry) {
        entry->is_settled = is_shared(lease) || !watches_forks;
    }
}

struct guard_entry *guard_add(void *address, uint64_t bytes, mb_lease *lease)
{
    guard_lock();
    struct guard_entry *entry = take_empty();
    settle(entry, address, bytes, lease);
    if (entry) {
        atomic_store(&entry->cover, LEASED);
        atomic_store(&entry->retries, 0);
        atomic_store(&entry->lease, lease);
        atomic_store(&entry->bytes, bytes);
        atomic_store(&entry->start, (uintptr_t)address);
    }
    guard_unlock();
    return entry;
}

/* No handler waits for anything that this thread has. */
static void wait_for_handlers(struct guard_entry *entry)
{
    const struct timespec pause = {.tv_nsec = 100000};
    while (atomic_load(&entry->handlers) > 0) {
        (void)nanosleep(&pause, NULL);
    }
}

/* A handler that covers the old mapping is waited for, so that its zeros are not taken for those of the new one. */
void guard_note_replaced(struct guard_entry *entry, void *address, uint64_t bytes, const mb_lease *lease)
{
    if (entry) {
        wait_for_handlers(entry);
        atomic_store(&entry->retries, 0);
        atomic_store(&entry->cover, LEASED);
    }
    guard_lock();
    settle(entry, address, bytes, lease);
    guard_unlock();
}

static void put(struct entries *list, struct guard_entry *entry)
{
    guard_lock();
    entry->is_settled = true;
    STAILQ_INSERT_TAIL(list, entry, in_list);
    guard_unlock();
}

void guard_remove(struct guard_entry *entry)
{
    if (entry) {
        atomic_store(&entry->lease, NULL);
        wait_for_handlers(entry);
        atomic_store(&entry->start, 0);
        put(&empty, entry);
    }
}

void guard_leave(struct guard_entry *entry)
{
    if (entry) {
        atomic_store(&entry->retries, 0);
        atomic_store(&entry->lease, NULL);
        wait_for_handlers(entry);
        entry->left_at = clock_milliseconds();
        put(&left, entry);
    }
}

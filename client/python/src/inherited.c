/* SPDX-License-Identifier: Apache-2.0 */
/* Copying at the first write, in a handler of SIGSEGV. */
#include "client/python/src/inherited.h"

#include <errno.h>
#include <inttypes.h>
#include <membroker.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How much one write copies. A mapping of huge pages can't be divided below one page. */
enum { COPIED_BYTES = 65536, HUGE_PAGE_BYTES = 2 << 20, PIECES_MAX = 8192 };

struct range {
    uintptr_t start, end;
    size_t piece_bytes;
    unsigned char *is_copied; /* one for each piece; NULL: the parent could not write to it either */
    char *copies;             /* where the copies are made; NULL: there is none yet */
    struct range *next;
};

static struct range *ranges;
static struct sigaction previous;
static atomic_flag copying = ATOMIC_FLAG_INIT;

static struct range *find(uintptr_t address)
{
    struct range *range = ranges;
    while (range && !(address >= range->start && address < range->end)) {
        range = range->next;
    }
    return range;
}

bool inherited_has(const void *address)
{
    return find((uintptr_t)address) != NULL;
}

/* ---- one write ---- */

/*
 * All copies of a range are made in one mapping, each as far from its start as the piece is from the range's. So the
 * kernel joins those that become neighbours; a process may have 65,530 mappings. Without huge pages, which hold more.
 */
static char *copies_of(struct range *range)
{
    size_t bytes = range->end - range->start;
    if (!range->copies) {
        void *copies = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (copies != MAP_FAILED) {
            (void)madvise(copies, bytes, MADV_NOHUGEPAGE);
            range->copies = copies;
        }
    }
    return range->copies;
}

/* Other threads see the piece or its copy, and nothing between. */
static bool map_copy(struct range *range, uintptr_t start, size_t bytes)
{
    char *copies = copies_of(range);
    if (!copies) {
        return false;
    }
    void *piece = (void *)start, *copy = copies + (start - range->start);
    memcpy(copy, piece, bytes);
    return mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, piece) != MAP_FAILED;
}

/* Another thread may have been faster. */
static bool copy_piece(struct range *range, uintptr_t address)
{
    size_t index = (address - range->start) / range->piece_bytes;
    uintptr_t start = range->start + index * range->piece_bytes;
    size_t bytes = range->end - start < range->piece_bytes ? range->end - start : range->piece_bytes;
    while (atomic_flag_test_and_set(&copying)) {
    }
    bool done = range->is_copied[index] || map_copy(range, start, bytes);
    range->is_copied[index] = done;
    atomic_flag_clear(&copying);
    return done;
}

/*
 * The fault is not ours. The previous handler may restore this one and raise the signal again, as Python's faulthandler
 * does: the second time the default action ends the process.
 */
static void pass_on(int number, siginfo_t *info, void *context)
{
    static _Atomic pid_t telling;
    pid_t self = gettid();
    bool is_told = atomic_load(&telling) == self;
    if (is_told || previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
        (void)signal(SIGSEGV, SIG_DFL); /* the instruction runs again */
        return;
    }
    atomic_store(&telling, self);
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else {
        previous.sa_handler(number);
    }
    atomic_store(&telling, 0);
}

static void on_write(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    struct range *range = info->si_code == SEGV_ACCERR ? find((uintptr_t)info->si_addr) : NULL;
    if (!range || !range->is_copied || !copy_piece(range, (uintptr_t)info->si_addr)) {
        pass_on(number, info, context);
    }
    errno = saved;
}

/* ---- the parent's lease has ended ---- */

bool inherited_cover(uintptr_t address)
{
    struct range *range = find(address);
    return range && mmap((void *)range->start, range->end - range->start, PROT_READ | PROT_WRITE,
                         MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

/* ---- the beginning ---- */

static struct range *new_range(uintptr_t start, uintptr_t end, size_t piece_bytes, bool is_writable)
{
    struct range *range = calloc(1, sizeof *range);
    if (!range || !is_writable) {
        return range;
    }
    range->is_copied = calloc((end - start) / piece_bytes + 1, 1);
    if (!range->is_copied || mprotect((void *)start, end - start, PROT_READ) < 0) {
        free(range->is_copied);
        free(range);
        return NULL;
    }
    return range;
}

static void add(uintptr_t start, uintptr_t end, size_t piece_bytes, bool is_writable)
{
    struct range *range = new_range(start, end, piece_bytes, is_writable);
    if (!range) {
        (void)munmap((void *)start, end - start); /* rather a signal than a write into the parent's memory */
        return;
    }
    range->start = start;
    range->end = end;
    range->piece_bytes = piece_bytes;
    range->next = ranges;
    ranges = range;
}

/* So few that no order of writes makes too many mappings. */
static size_t piece_bytes(size_t range_bytes, bool is_huge)
{
    size_t bytes = is_huge ? HUGE_PAGE_BYTES : COPIED_BYTES;
    while (range_bytes / bytes > PIECES_MAX) {
        bytes *= 2;
    }
    return bytes;
}

/* Shared, and a lease's: the program may have mapped files of its own. Published blocks can only be read. */
static void add_segment(const char *line)
{
    uintptr_t start, end;
    char mode[5];
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, mode) != 3) {
        return;
    }
    bool is_writable = strcmp(mode, "rw-s") == 0;
    if (!is_writable && (strcmp(mode, "r--s") != 0 || find(start))) { /* the parent may have inherited it itself */
        return;
    }
    const mb_lease *lease = mb_lease_from_address((const void *)start);
    if (lease) {
        add(start, end, piece_bytes(end - start, mb_lease_has_huge_pages(lease)), is_writable);
    }
}

/* A child of a child has the handler already. */
void inherited_watch(void)
{
    struct sigaction current;
    const struct sigaction action = {.sa_sigaction = on_write, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    bool is_there =
        sigaction(SIGSEGV, NULL, &current) == 0 && (current.sa_flags & SA_SIGINFO) && current.sa_sigaction == on_write;
    if (ranges && !is_there) {
        previous = current; /* before a fault of another thread can need it */
        (void)sigaction(SIGSEGV, &action, NULL);
    }
}

void inherited_begin(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && getline(&line, &room, maps) >= 0) {
        add_segment(line);
    }
    free(line);
    if (maps) {
        (void)fclose(maps);
    }
    inherited_watch();
}

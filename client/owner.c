/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses calls on a client that was inherited by a fork. */
#include "client/owner.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"

/*
 * A page that the kernel gives to a child as zeros, whatever made the child: a handler of pthread_atfork() does not
 * run in a child of clone(). It has the process's number, or 0. NULL: the kernel has no such pages.
 */
static _Atomic pid_t *known;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_page(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return;
    }
    if (madvise(page, bytes, MADV_WIPEONFORK) < 0) {
        (void)munmap(page, bytes);
        return;
    }
    known = page;
}

pid_t owner_process(void)
{
    (void)pthread_once(&once, make_page);
    pid_t process = known ? atomic_load_explicit(known, memory_order_relaxed) : 0;
    if (process) {
        return process;
    }
    process = getpid();
    if (known) {
        atomic_store_explicit(known, process, memory_order_relaxed);
    }
    return process;
}

bool owner_is_here(const mb_client *client)
{
    return client->owner == owner_process();
}

int owner_check(const mb_client *client)
{
    if (owner_is_here(client)) {
        return 0;
    }
    return error_set(-EPERM,
                     "this client belongs to process %d, from which this one was forked; connect again in the child",
                     (int)client->owner);
}

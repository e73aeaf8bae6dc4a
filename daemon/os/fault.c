/* SPDX-License-Identifier: Apache-2.0 */
/* Dying at a point, and what else a test has the daemon do. */
#include "daemon/os/fault.h"

#ifdef MEMBROKER_FAULTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void fault_point(void)
{
    static atomic_ulong passed;
    const char *wanted = getenv("MEMBROKER_FAULT");
    if (wanted && atomic_fetch_add(&passed, 1) + 1 == strtoul(wanted, NULL, 10)) {
        (void)raise(SIGKILL);
    }
}

void fault_in_worker(const char *point)
{
    static const char *const kinds[] = {"", "-again"};
    const char *directory = getenv("MEMBROKER_WORKER_FAULTS");
    for (size_t i = 0; directory && i < sizeof kinds / sizeof *kinds; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s%s", directory, point, kinds[i]);
        if (unlink(path) == 0) {
            (void)raise(SIGKILL);
        }
    }
}

void fault_hold_worker(const char *point)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    const char *directory = getenv("MEMBROKER_WORKER_FAULTS");
    char wanted[256], held[256];
    if (!directory) {
        return;
    }
    (void)snprintf(wanted, sizeof wanted, "%s/%s-hold", directory, point);
    (void)snprintf(held, sizeof held, "%s/%s-held", directory, point);
    for (bool waits = rename(wanted, held) == 0; waits; waits = access(held, F_OK) == 0) {
        (void)nanosleep(&pause, NULL);
    }
}

void fault_unless(bool rule_is_kept)
{
    if (!rule_is_kept) {
        abort();
    }
}

void fault_leak(int fd)
{
    static atomic_ulong leaked;
    const char *wanted = getenv("MEMBROKER_FAULT_LEAK");
    if (wanted && atomic_fetch_add(&leaked, 1) < strtoul(wanted, NULL, 10)) {
        (void)fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
}

void fault_pause_audit(void)
{
    const char *wanted = getenv("MEMBROKER_FAULT_AUDIT_MS");
    struct timespec pause = {.tv_nsec = wanted ? strtol(wanted, NULL, 10) * 1000000 : 0};
    (void)nanosleep(&pause, NULL);
}

#else

/* ISO C wants a declaration in every file */
typedef int fault_points_are_not_compiled_in;

#endif

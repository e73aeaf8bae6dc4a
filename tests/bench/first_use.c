/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first use of BYTES costs, by the way they are got, in milliseconds: from the broker's warm pool, by mmap, by
 * malloc, and as a fresh memfd. From asking until one byte of each page is written. Usage: first_use BYTES
 */
#include <membroker.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/monitor.h"
#include "proto/base/cleanup.h"
#include "tests/bench/measure.h"

static size_t bytes;

static void write_pages(char *memory)
{
    volatile char *written = memory;
    for (size_t at = 0; at < bytes; at += 4096)
        written[at] = 1;
}

static void use_mapping(const char *name, bool shared)
{
    double begun = clock_ms();
    cleanup(fd_closep) int fd = shared ? memfd_create("first_use", MFD_CLOEXEC) : -1;
    if (shared && ftruncate(fd, (off_t)bytes) < 0)
        measure_fail_errno("memfd");
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    write_pages(memory);
    figure_print(name, clock_ms() - begun);
    (void)munmap(memory, bytes);
}

static void use_malloc(void)
{
    double begun = clock_ms();
    char *memory = malloc(bytes);
    if (!memory)
        measure_fail_errno("malloc");
    write_pages(memory);
    figure_print("malloc", clock_ms() - begun);
    free(memory);
}

/* The pool fills while the machine has nothing better to do. */
static void await_pool(struct monitor *monitor)
{
    const struct reply *reply;
    struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; i < 1500; i++) {
        struct request status = {.kind = REQUEST_STATUS};
        if (monitor_call(monitor, &status, &reply) < 0)
            measure_fail("status", mb_last_error());
        if (reply->status.pooled_bytes >= bytes)
            return;
        (void)nanosleep(&pause, NULL);
    }
    measure_fail("first_use", "the pool does not fill");
}

static void use_pool(mb_client *client)
{
    mb_lease *lease;
    void *memory;
    double begun = clock_ms();
    if (mb_acquire(client, bytes, NULL, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    double acquired = clock_ms();
    if (mb_map(lease, 0, &memory, NULL) < 0)
        measure_fail("mb_map", mb_last_error());
    double mapped = clock_ms();
    write_pages(memory);
    double end = clock_ms();
    figure_print("pool", end - begun);
    figure_print("pool_acquire", acquired - begun);
    figure_print("pool_map", mapped - acquired);
    figure_print("pool_write", end - mapped);
    if (mb_lease_charge(lease) != MB_CHARGE_BROKER)
        measure_fail("first_use", "it did not come from the pool");
    (void)mb_release(lease);
}

int main(int argc, char **argv)
{
    struct monitor *monitor;
    mb_client *client;
    bytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (bytes == 0)
        measure_fail("first_use", "it takes a number of bytes");
    if (mb_connect(NULL, &client) < 0 || monitor_open(NULL, &monitor) < 0)
        measure_fail("connect", mb_last_error());
    await_pool(monitor); /* it is at rest then, and filled again when all is measured */
    use_mapping("mmap", false);
    use_malloc();
    use_mapping("memfd", true);
    use_pool(client);
    mb_disconnect(client);
    monitor_close(monitor);
    return 0;
}

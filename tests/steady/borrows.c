/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acquires, maps and releases 64 KiB again and again. The steady rounds stand between two marks on standard error, for
 * check-steady to look at with strace. It prints how many of the steady leases are the one that was released
 * before. Usage: borrows FLAGS (of the client) [LEASE_FLAGS]
 */
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 300, FIRST_STEADY = 100 };

static void mark(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* Counts it if it is the lease that was released before. */
static int borrow(mb_client *client, const mb_lease_options *options, int *again)
{
    static uint64_t last;
    mb_lease *lease;
    void *memory;
    int result = mb_acquire(client, 65536, options, &lease);
    if (result == 0) {
        *again += mb_lease_id(lease) == last;
        last = mb_lease_id(lease);
        result = mb_map(lease, 0, &memory, NULL);
    }
    return result < 0 ? result : mb_release(lease);
}

int main(int argc, char **argv)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_lease_options lease = MB_LEASE_OPTIONS_INIT;
    mb_client *client;
    int again = 0;
    options.flags = argc >= 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    lease.flags = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    int result = mb_connect(&options, &client);
    for (int i = 0; i < ROUNDS && result == 0; i++) {
        if (i == FIRST_STEADY) {
            again = 0;
            mark("steady begins\n");
        }
        result = borrow(client, &lease, &again);
    }
    mark("steady ends\n");
    if (result < 0) {
        (void)fprintf(stderr, "borrows: %s\n", mb_last_error());
        return 1;
    }
    mb_disconnect(client);
    (void)printf("%d\n", again);
    return 0;
}

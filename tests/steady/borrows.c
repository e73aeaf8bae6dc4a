/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acquires, maps and releases 64 KiB again and again. The steady rounds stand between two marks on standard error, for
 * check-steady to look at with strace. Usage: borrows FLAGS (of the client)
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

static int borrow(mb_client *client)
{
    mb_lease *lease;
    void *memory;
    int result = mb_acquire(client, 65536, NULL, &lease);
    if (result == 0) {
        result = mb_map(lease, 0, &memory, NULL);
    }
    return result < 0 ? result : mb_release(lease);
}

int main(int argc, char **argv)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    options.flags = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    int result = mb_connect(&options, &client);
    for (int i = 0; i < ROUNDS && result == 0; i++) {
        if (i == FIRST_STEADY) {
            mark("steady begins\n");
        }
        result = borrow(client);
    }
    mark("steady ends\n");
    if (result < 0) {
        (void)fprintf(stderr, "borrows: %s\n", mb_last_error());
        return 1;
    }
    mb_disconnect(client);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connects and disconnects again and again. The steady rounds stand between two marks on standard error, for
 * check-steady to look at with strace. Usage: connects FLAGS (of the client)
 */
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 60, FIRST_STEADY = 10 };

static void mark(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

int main(int argc, char **argv)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.flags = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    for (int i = 0; i < ROUNDS; i++) {
        mb_client *client;
        if (i == FIRST_STEADY) {
            mark("steady begins\n");
        }
        if (mb_connect(&options, &client) < 0) {
            (void)fprintf(stderr, "connects: %s\n", mb_last_error());
            return 1;
        }
        mb_disconnect(client);
    }
    mark("steady ends\n");
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes a block, and attaches and closes it again and again. The steady rounds stand between two marks on standard
 * error, for check-steady to look at with strace. Usage: attaches FLAGS (of the client) [ROUNDS]
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

static int publish(mb_client *client)
{
    mb_block *block;
    int result = mb_block_create(client, 4096, NULL, &block);
    return result < 0 ? result : mb_block_publish(block, "steady");
}

static int attach(mb_client *client)
{
    mb_view *view;
    int result = mb_attach(client, "steady", 0, &view);
    return result < 0 ? result : mb_view_close(view);
}

int main(int argc, char **argv)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    options.flags = argc >= 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : ROUNDS;
    int result = mb_connect(&options, &client);
    if (result == 0) {
        result = publish(client);
    }
    for (long i = 0; i < rounds && result == 0; i++) {
        if (i == FIRST_STEADY) {
            mark("steady begins\n");
        }
        result = attach(client);
    }
    mark("steady ends\n");
    if (result < 0) {
        (void)fprintf(stderr, "attaches: %s\n", mb_last_error());
        return 1;
    }
    mb_disconnect(client);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Borrows and gives back, as often as its argument says: the load for check-steady's look at the daemon. */
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    mb_client *client;
    mb_lease *lease;
    long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    int result = mb_connect(NULL, &client);
    for (long i = 0; i < rounds && result == 0; i++) {
        result = mb_acquire(client, 65536, NULL, &lease);
        if (result == 0)
            result = mb_release(lease);
    }
    if (result < 0)
        (void)fprintf(stderr, "round_trips: %s\n", mb_last_error());
    else
        mb_disconnect(client);
    return result == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that together hold leases of a page or more, until standard input ends. Prints "held" when all are
 * granted. Usage: load SESSIONS LEASES
 */
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>

enum { SESSIONS_MAX = 5000, HOUR_MS = 3600000, PAGE = 4096, SIZES = 7 };

static mb_client *clients[SESSIONS_MAX];

static int fail(void)
{
    (void)fprintf(stderr, "load: %s\n", mb_last_error());
    return 1;
}

static int join(int number)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    char name[32];
    (void)snprintf(name, sizeof name, "worker-%d", number);
    options.name = name;
    options.flags = MB_CLIENT_NO_THREAD;
    return mb_connect(&options, &clients[number]);
}

static int hold(mb_client *client, int number)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    char name[32];
    (void)snprintf(name, sizeof name, "lease-%d", number);
    options.name = name;
    options.ttl_ms = HOUR_MS;
    return mb_acquire(client, (uint64_t)PAGE * (uint64_t)(1 + number % SIZES), &options, &lease);
}

int main(int argc, char **argv)
{
    int sessions = argc == 3 ? atoi(argv[1]) : 0, leases = argc == 3 ? atoi(argv[2]) : 0;
    if (sessions < 1 || sessions > SESSIONS_MAX || leases < 0) {
        return 2;
    }
    for (int i = 0; i < sessions; i++) {
        if (join(i) < 0) {
            return fail();
        }
    }
    for (int i = 0; i < leases; i++) {
        if (hold(clients[i % sessions], i) < 0) {
            return fail();
        }
    }
    (void)puts("held");
    (void)fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0; /* the broker ends the leases when their process has ended */
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that together hold leases of a page or more, until standard input ends. Prints "held" when all are
 * granted. Each line of standard input is a number: so many further leases are acquired and released, and then it
 * prints "done". Usage: load SESSIONS LEASES
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

static int hold(mb_client *client, int number, mb_lease **ret)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    char name[32];
    (void)snprintf(name, sizeof name, "lease-%d", number);
    options.name = name;
    options.ttl_ms = HOUR_MS;
    return mb_acquire(client, (uint64_t)PAGE * (uint64_t)(1 + number % SIZES), &options, ret);
}

static int take_turns(int turns)
{
    for (int i = 0; i < turns; i++) {
        mb_lease *lease;
        if (hold(clients[0], 0, &lease) < 0 || mb_release(lease) < 0) {
            return -1;
        }
    }
    return 0;
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
        mb_lease *lease;
        if (hold(clients[i % sessions], i, &lease) < 0) {
            return fail();
        }
    }
    (void)puts("held");
    (void)fflush(stdout);
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        if (take_turns(atoi(line)) < 0) {
            return fail();
        }
        (void)puts("done");
        (void)fflush(stdout);
    }
    return 0; /* the broker ends the leases when their process has ended */
}

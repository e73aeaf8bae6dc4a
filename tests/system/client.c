/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that lives through whatever happens to the broker: it keeps leases with a pattern, cycles in a workspace,
 * acquires and releases all the while, and compares every byte. Ends with 0 at SIGTERM and a line of what it did, with
 * 1 as soon as a lease or a byte is lost. Usage: client NUMBER | client named FILE (which it makes, or goes on with)
 */
#include <membroker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = 8, KEPT_BYTES = 300000 };

static volatile sig_atomic_t stopped;
static mb_client *client;
static mb_lease *kept[KEPT];
static unsigned char *bytes[KEPT];

static void on_term(int number)
{
    (void)number;
    stopped = 1;
}

static void must(int result, const char *what)
{
    if (result < 0) {
        (void)fprintf(stderr, "client %d: %s: %s\n", getpid(), what, mb_last_error());
        exit(1);
    }
}

static void keep(int i, unsigned char value)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    void *data;
    options.location = i % 4 == 3 ? MB_LOCATION_MMAP : MB_LOCATION_RAM;
    options.name = "kept";
    must(mb_acquire(client, KEPT_BYTES, &options, &kept[i]), "acquire");
    must(mb_map(kept[i], 0, &data, NULL), "map");
    bytes[i] = data;
    memset(bytes[i], value, KEPT_BYTES);
}

static void compare(int i, unsigned char value)
{
    must(mb_lease_check(kept[i]), "a kept lease");
    for (size_t at = 0; at < KEPT_BYTES; at += 997) {
        if (bytes[i][at] != value) {
            (void)fprintf(stderr, "client %d: byte %zu of lease %d is lost\n", getpid(), at, i);
            exit(1);
        }
    }
}

static void one_cycle(mb_workspace *workspace)
{
    must(mb_workspace_enter(workspace), "enter");
    for (int i = 0; i < 50; i++) {
        char *data = mb_workspace_alloc(workspace, 1000);
        if (!data) {
            must(-1, "alloc");
        }
        memset(data, i, 1000);
    }
    must(mb_workspace_leave(workspace), "leave");
}

/* A file that outlives its lease: each run finds what the one before wrote. */
static int use_named(const char *file)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *data;
    options.location = MB_LOCATION_MMAP;
    options.file = file;
    must(mb_connect(NULL, &client), "connect");
    must(mb_acquire(client, KEPT_BYTES, &options, &lease), "acquire");
    must(mb_map(lease, 0, &data, NULL), "map");
    unsigned char *runs = data;
    printf("run %u\n", ++*runs);
    must(mb_release(lease), "release");
    mb_disconnect(client);
    return 0;
}

int main(int argc, char **argv)
{
    mb_workspace *workspace;
    unsigned char value = argc > 1 ? (unsigned char)atoi(argv[1]) : 1;
    unsigned long rounds = 0;
    if (argc > 2) {
        return use_named(argv[2]);
    }
    (void)signal(SIGTERM, on_term);
    must(mb_connect(NULL, &client), "connect");
    must(mb_workspace_open(client, "steady", NULL, &workspace), "workspace");
    for (int i = 0; i < KEPT; i++) {
        keep(i, (unsigned char)(value + i));
    }
    printf("ready\n");
    (void)fflush(stdout);
    for (; !stopped; rounds++) {
        int i = (int)(rounds % KEPT);
        one_cycle(workspace);
        compare(i, (unsigned char)(value + i));
        if (rounds % 3 == 0) {
            must(mb_release(kept[i]), "release");
            keep(i, (unsigned char)(value + i));
        }
        (void)usleep(500);
    }
    for (int i = 0; i < KEPT; i++) {
        compare(i, (unsigned char)(value + i));
    }
    printf("%lu rounds, nothing lost\n", rounds);
    mb_disconnect(client);
    return 0;
}

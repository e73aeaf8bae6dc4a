/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that lives through whatever happens to the broker: it keeps leases with a pattern, cycles in a workspace,
 * acquires and releases all the while, publishes a block again and again under one name, reads it and another client's,
 * and compares every byte. Ends with 0 at SIGTERM and a line of what it did, with 1 as soon as a lease, a name, a view
 * or a byte is lost. Usage: client NUMBER [NUMBER-TO-READ] | client named FILE (which it makes, or continues with)
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

/* ---- blocks ---- */

static mb_block *block;
static mb_view *own, *others;

static void name_block(char name[32], int number)
{
    (void)snprintf(name, 32, "of-%d", number);
}

static void compare_view(const mb_view *view, unsigned char value)
{
    uint64_t size;
    const unsigned char *data = mb_view_data(view, &size);
    for (uint64_t at = 0; at < KEPT_BYTES; at += 997) {
        if (data[at] != value) {
            (void)fprintf(stderr, "client %d: byte %llu of a block is another\n", getpid(), (unsigned long long)at);
            exit(1);
        }
    }
    must(mb_view_check(view), "a view");
}

/* The name leads to the new block from then on, and what is read of the one before stays. */
static void publish_again(unsigned char value)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    mb_block *before = block;
    mb_view *seen;
    char name[32];
    options.replace = 1;
    name_block(name, value);
    must(mb_block_create(client, KEPT_BYTES, &options, &block), "create");
    memset(mb_block_data(block), value, KEPT_BYTES);
    must(mb_block_publish(block, name), "publish");
    must(mb_attach(client, name, 0, &seen), "attach");
    if (own) {
        compare_view(own, value);
        if (mb_view_number(own) == mb_view_number(seen)) {
            (void)fprintf(stderr, "client %d: the name leads to the block before\n", getpid());
            exit(1);
        }
        must(mb_view_close(own), "close");
        must(mb_block_free(before), "free");
    }
    own = seen;
}

/* ---- */

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
    unsigned char read = argc > 2 ? (unsigned char)atoi(argv[2]) : value;
    unsigned long rounds = 0;
    char name[32];
    if (argc > 2 && strcmp(argv[1], "named") == 0) {
        return use_named(argv[2]);
    }
    (void)signal(SIGTERM, on_term);
    must(mb_connect(NULL, &client), "connect");
    must(mb_workspace_open(client, "steady", NULL, &workspace), "workspace");
    for (int i = 0; i < KEPT; i++) {
        keep(i, (unsigned char)(value + i));
    }
    publish_again(value);
    name_block(name, read);
    must(mb_attach(client, name, 20000, &others), "attach another's");
    printf("ready\n");
    (void)fflush(stdout);
    for (; !stopped; rounds++) {
        int i = (int)(rounds % KEPT);
        one_cycle(workspace);
        compare(i, (unsigned char)(value + i));
        compare_view(own, value);
        compare_view(others, read);
        if (rounds % 5 == 0) {
            publish_again(value);
        }
        if (rounds % 3 == 0) {
            must(mb_release(kept[i]), "release");
            keep(i, (unsigned char)(value + i));
        }
        (void)usleep(500);
    }
    for (int i = 0; i < KEPT; i++) {
        compare(i, (unsigned char)(value + i));
    }
    compare_view(others, read);
    printf("%lu rounds, nothing lost\n", rounds);
    mb_disconnect(client);
    return 0;
}

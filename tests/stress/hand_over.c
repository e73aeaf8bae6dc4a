/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers that are freed in another thread than made them, for the sanitizers: threads that only make, threads that
 * only free and that end after a while, and meanwhile trims and searches by address. Each buffer is marked as a whole,
 * so that memory which two buffers have is noticed; when all are freed, the process must have no lease left. First it
 * does in turn what threads seldom do at the same time. Usage: hand-over SOCKET SECONDS
 */
#include <membroker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/buffer/slab.h"
#include "client/buffer/supply.h"
#include "client/client.h"

enum { MAKERS = 3, TAKERS = 3, SLOTS = 512, FREES_A_LIFE = 3000 };

static mb_buffer *_Atomic slots[SLOTS];
static atomic_bool stop;
static atomic_uint failures, passed, lives;

static void fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, mb_last_error());
    atomic_fetch_add(&failures, 1);
}

static unsigned random_next(unsigned *state)
{
    *state = *state * 1103515245 + 12345;
    return *state >> 8;
}

/* Mostly small; some that have spans of their own, in the threads' bins and beyond. */
static size_t random_bytes(unsigned *state)
{
    unsigned kind = random_next(state) % 64, number = random_next(state);
    return kind == 0 ? 300000 + number % 3000000 : kind < 4 ? 33000 + number % 220000 : 16 + number % 2000;
}

/* ---- marks: the address of the record, at both ends ---- */

static void mark(mb_buffer *buffer)
{
    char *data = mb_buffer_data(buffer);
    memcpy(data, &buffer, sizeof(mb_buffer *));
    memcpy(data + mb_buffer_size(buffer) - sizeof(mb_buffer *), &buffer, sizeof(mb_buffer *));
}

static void check(mb_buffer *buffer)
{
    const char *data = mb_buffer_data(buffer);
    if (memcmp(data, &buffer, sizeof(mb_buffer *)) != 0 ||
        memcmp(data + mb_buffer_size(buffer) - sizeof(mb_buffer *), &buffer, sizeof(mb_buffer *)) != 0) {
        fail("two buffers have the same memory");
    }
}

/* ---- the threads ---- */

static void *make(void *client)
{
    unsigned state = (unsigned)(uintptr_t)&state;
    while (!atomic_load(&stop)) {
        mb_buffer *buffer;
        if (mb_buffer_create(client, random_bytes(&state), NULL, &buffer) < 0) {
            fail("mb_buffer_create");
            break;
        }
        mark(buffer);
        if (random_next(&state) % 64 == 0 && mb_buffer_from_address(client, mb_buffer_data(buffer)) != buffer) {
            fail("a buffer is not found by its address");
        }
        mb_buffer *_Atomic *slot = &slots[random_next(&state) % SLOTS];
        mb_buffer *none = NULL;
        if (!atomic_compare_exchange_strong(slot, &none, buffer)) {
            (void)mb_buffer_unref(buffer); /* the takers are behind */
        }
    }
    return NULL;
}

static void *take(void *unused)
{
    unsigned state = (unsigned)(uintptr_t)&state ^ atomic_fetch_add(&lives, 1);
    for (int i = 0; i < FREES_A_LIFE && !atomic_load(&stop);) {
        mb_buffer *buffer = atomic_exchange(&slots[random_next(&state) % SLOTS], NULL);
        if (!buffer) {
            continue;
        }
        check(buffer);
        (void)mb_buffer_unref(buffer);
        atomic_fetch_add(&passed, 1);
        i++;
    }
    return unused;
}

/* One taker after the other. */
static void *take_in_turn(void *unused)
{
    while (!atomic_load(&stop)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, take, NULL) != 0) {
            fail("pthread_create");
            break;
        }
        (void)pthread_join(thread, NULL);
    }
    return unused;
}

static void *trim(void *client)
{
    while (!atomic_load(&stop)) {
        (void)usleep(20000);
        mb_trim(client);
    }
    return NULL;
}

/* ---- what is left ---- */

static unsigned mapped_leases(bool shows)
{
    char line[512];
    unsigned count = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    while (file && fgets(line, sizeof line, file)) {
        bool is_lease = strstr(line, "/memfd:membroker") && !strstr(line, "control");
        count += is_lease;
        (void)(is_lease && shows && fputs(line, stderr));
    }
    if (!file || fclose(file) != 0) {
        fail("/proc/self/maps");
    }
    return count;
}

/* The client's own thread may have some in its hands for a moment. */
static unsigned leases_left(mb_client *client)
{
    mb_trim(client);
    for (int tries = 0; tries < 100 && mapped_leases(false) > 0; tries++) {
        (void)usleep(50000);
        mb_trim(client);
    }
    return mapped_leases(true);
}

/* Threads that find no buffer each cut a slab. If one takes the buffers of the other's slab, its own must not stay. */
static void cut_in_turn(mb_client *client)
{
    struct heap *heap = heap_of(client->heaps, location_cached());
    unsigned size_class = size_class_of(1024);
    mb_buffer *one, *other;
    if (slab_add(heap, size_class, true, &one, 1) != 1 || slab_add(heap, size_class, true, &other, 1) != 1 ||
        buffer_slab(one) == buffer_slab(other)) {
        fail("slab_add");
        return;
    }
    supply_give(heap, &one, 1);
    supply_give(heap, &other, 1);
    if (leases_left(client) > 0) {
        fail("a slab without buffers in use keeps its lease");
    }
}

static void run(mb_client *client, unsigned seconds)
{
    pthread_t threads[MAKERS + TAKERS + 1];
    for (int i = 0; i <= MAKERS + TAKERS; i++) {
        void *(*part)(void *) = i < MAKERS ? make : i < MAKERS + TAKERS ? take_in_turn : trim;
        if (pthread_create(&threads[i], NULL, part, client) != 0) {
            fail("pthread_create");
            exit(1);
        }
    }
    (void)sleep(seconds);
    atomic_store(&stop, true);
    for (int i = 0; i <= MAKERS + TAKERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < SLOTS; i++) {
        (void)mb_buffer_unref(atomic_load(&slots[i]));
    }
}

int main(int argc, char **argv)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: hand-over SOCKET SECONDS\n");
        return 2;
    }
    options.socket = argv[1];
    if (mb_connect(&options, &client) < 0) {
        fail("mb_connect");
        return 1;
    }
    cut_in_turn(client);
    run(client, (unsigned)strtoul(argv[2], NULL, 10));
    unsigned left = leases_left(client);
    mb_disconnect(client);
    printf("%u buffers freed in %u threads that did not make them, %u leases left, %u failures\n", atomic_load(&passed),
           atomic_load(&lives), left, atomic_load(&failures));
    return atomic_load(&failures) || left || atomic_load(&passed) < 10000 || atomic_load(&lives) < 4;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process of those that compete for memory: several threads that each lease some, fill it, hold it for a while,
 * give it back and ask again, waiting as long as it takes. Ends at SIGTERM. Usage: competitor NAME THREADS BYTES
 * HOLD_MS
 */
#include <errno.h>
#include <membroker.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS_MAX = 64, WAIT_MS = 600000 };

static mb_client *client;
static uint64_t bytes;
static long hold_ms;
static atomic_bool ending, failed;
static atomic_ulong grants;

static void hold(void)
{
    struct timespec time = {.tv_sec = hold_ms / 1000, .tv_nsec = hold_ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static bool one_turn(void)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    void *data;
    options.wait_ms = WAIT_MS;
    int result = mb_acquire(client, bytes, &options, &lease);
    if (result < 0) {
        return result == -ECANCELED && ending;
    }
    if (mb_map(lease, 0, &data, NULL) < 0) {
        return false;
    }
    memset(data, 1, bytes);
    grants++;
    hold();
    return mb_release(lease) == 0;
}

static void *compete(void *unused)
{
    (void)unused;
    while (!ending && !failed) {
        if (!one_turn()) {
            (void)fprintf(stderr, "competitor: %s\n", mb_last_error());
            failed = true;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    int count = argc == 5 ? atoi(argv[2]) : 0, signal_number;
    sigset_t signals;
    if (count < 1 || count > THREADS_MAX) {
        return 2;
    }
    bytes = strtoull(argv[3], NULL, 10);
    hold_ms = strtol(argv[4], NULL, 10);
    options.name = argv[1];
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (mb_connect(&options, &client) < 0) {
        (void)fprintf(stderr, "competitor: %s\n", mb_last_error());
        return 1;
    }
    for (int i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, compete, NULL) != 0) {
            return 1;
        }
    }
    (void)sigwait(&signals, &signal_number);
    ending = true;
    for (int i = 0; i < count; i++) {
        struct timespec deadline;
        do {
            mb_cancel_waits(client);
            (void)clock_gettime(CLOCK_REALTIME, &deadline);
            deadline.tv_sec++;
        } while (pthread_timedjoin_np(threads[i], NULL, &deadline) == ETIMEDOUT);
    }
    mb_disconnect(client);
    (void)printf("%lu\n", atomic_load(&grants));
    return failed;
}

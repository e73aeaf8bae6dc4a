/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One honest client: holds leases with its own bytes in them, acquires and releases others, until SIGTERM. Loses
 * nothing, or says what. Prints the 50th and 99th percentile of its acquires in microseconds. Usage: honest NUMBER
 */
#include <membroker.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEPT = 4, BYTES = 1 << 16, TOOK_MAX = 200000 };

static volatile sig_atomic_t ending;

static void on_end(int number)
{
    (void)number;
    ending = 1;
}

static double microseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void must(int result)
{
    if (result < 0) {
        (void)fprintf(stderr, "honest: %s\n", mb_last_error());
        exit(1);
    }
}

/* Puts an object, and finds in it what it has put. */
static void check_object(mb_client *client, int mark)
{
    char name[32];
    unsigned char put[100], got[sizeof put];
    (void)snprintf(name, sizeof name, "honest-%d", mark);
    memset(put, mark, sizeof put);
    must(mb_put(client, name, put, sizeof put, NULL));
    must(mb_get(client, name, got, sizeof got));
    if (memcmp(put, got, sizeof put) != 0) {
        (void)fprintf(stderr, "honest: a byte of an object was changed\n");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static double took[TOOK_MAX];
    mb_client *client;
    mb_lease *kept[KEPT], *lease;
    unsigned char *data[KEPT];
    size_t count = 0;
    int mark = argc == 2 ? atoi(argv[1]) % 200 + 1 : 1;
    (void)signal(SIGTERM, on_end);
    must(mb_connect(NULL, &client));
    for (int i = 0; i < KEPT; i++) {
        void *address;
        must(mb_acquire(client, BYTES, NULL, &kept[i]));
        must(mb_map(kept[i], 0, &address, NULL));
        data[i] = address;
        memset(data[i], mark, BYTES);
    }
    while (!ending) {
        struct timespec pause = {.tv_nsec = 5000000};
        double begun = microseconds();
        must(mb_acquire(client, BYTES, NULL, &lease));
        took[count++ % TOOK_MAX] = microseconds() - begun;
        must(mb_release(lease));
        check_object(client, mark);
        (void)nanosleep(&pause, NULL);
    }
    for (int i = 0; i < KEPT; i++) {
        must(mb_lease_check(kept[i]));
        for (size_t at = 0; at < BYTES; at++) {
            if (data[i][at] != mark) {
                (void)fprintf(stderr, "honest: a byte of lease %d was changed\n", i);
                return 1;
            }
        }
    }
    mb_disconnect(client);
    count = count < TOOK_MAX ? count : TOOK_MAX;
    qsort(took, count, sizeof *took, compare);
    (void)printf("%zu %.0f %.0f\n", count, took[count / 2], took[count * 99 / 100]);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that continues after a lost lease. Each step fills scratch memory and sums it up. When the step's lease is
 * lost (expired, revoked, or gone with the broker), the step's result is void: the program waits for a broker, opens
 * its workspace again, and repeats the step. Usage: recovering STEPS MILLISECONDS_A_STEP
 */
#include <errno.h>
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COUNT = 10000, BROKER_WAIT_MS = 60000 };

static mb_client *client;
static mb_workspace *scratch; /* NULL: to be opened */
static struct timespec step_time;

static int fail(void)
{
    (void)fprintf(stderr, "recovering: %s\n", mb_last_error());
    return 1;
}

/* One cycle. 0, -ESTALE if the lease is lost, -ENOTCONN if there is no broker, or another error. */
static int step(int number, double *ret_sum)
{
    MB_WORKSPACE(scratch, return -errno) {
        double *values = mb_alloc(COUNT * sizeof *values), sum = 0;
        if (!values) {
            return -errno;
        }
        for (int i = 0; i < COUNT; i++) {
            values[i] = number;
        }
        (void)nanosleep(&step_time, NULL);
        for (int i = 0; i < COUNT; i++) {
            sum += values[i]; /* zero by now, if the lease was lost: the guard is on */
        }
        if (mb_workspace_check(scratch) < 0) {
            return -errno;
        }
        *ret_sum = sum;
    }
    return 0;
}

/* Opens the workspace again, as soon as there is a broker. */
static int recover(void)
{
    int result;
    mb_workspace_close(scratch);
    scratch = NULL;
    do {
        result = mb_wait_connected(client, BROKER_WAIT_MS);
        if (result == 0) {
            result = mb_workspace_open(client, "scratch", NULL, &scratch);
        }
    } while (result == -ENOTCONN || result == -ESTALE); /* the broker went away again meanwhile */
    return result;
}

int main(int argc, char **argv)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    int steps = argc == 3 ? atoi(argv[1]) : 0, repeated = 0;
    long milliseconds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    double total = 0;
    if (steps < 1 || milliseconds < 0 || milliseconds > 999) {
        (void)fprintf(stderr, "usage: recovering STEPS MILLISECONDS_A_STEP\n");
        return 2;
    }
    step_time.tv_nsec = milliseconds * 1000000;
    options.flags = MB_CLIENT_GUARD;
    if (mb_connect(&options, &client) < 0 || mb_workspace_open(client, "scratch", NULL, &scratch) < 0) {
        return fail();
    }
    for (int number = 1; number <= steps;) {
        double sum = 0;
        int result = step(number, &sum);
        if (result == 0) {
            total += sum;
            number++;
        } else if (result == -ESTALE || result == -ENOTCONN) {
            repeated++;
            result = recover();
        }
        if (result < 0) {
            return fail();
        }
    }
    printf("%d steps, %d of them made again after a lost lease, sum %.0f\n", steps, repeated, total);
    mb_workspace_close(scratch);
    mb_disconnect(client);
    return total == (double)COUNT * steps * (steps + 1) / 2 ? 0 : 1;
}

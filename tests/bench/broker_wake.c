/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader waits for a name: from the call of mb_block_publish(), and from its return, to the return of its
 * mb_attach(). And how long the broker leaves a ping of another client waiting while 1 GiB is published. Beside each
 * figure the same of the floor, in turns: what the machine takes to wake as many processes. Microseconds.
 */
#include <membroker.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/attach.h"
#include "tests/bench/floor.h"
#include "tests/bench/measure.h"
#include "tests/bench/publication.h"

enum { WAKES = 400, SETTLE_US = 2000, LARGE_PUBLICATIONS = 3, PINGS_MAX = 500000, PAUSE_US = 100 };

static const size_t large_bytes = (size_t)1 << 30;
static struct floor lowest;
static int attached[2]; /* a pipe: the reader has the block, so that it may end */

static void print_quantiles(const char *name, double *times, size_t count)
{
    char p99[64];
    values_sort(times, count);
    (void)snprintf(p99, sizeof p99, "%s_p99", name);
    figure_print(name, values_quantile(times, count, 0.5));
    figure_print(p99, values_quantile(times, count, 0.99));
}

static void open_pipe(int ends[2])
{
    if (pipe(ends) < 0)
        measure_fail_errno("pipe");
}

/* ---- waking a reader ---- */

struct publication {
    double called, returned;
};

static void report(int pipe, const struct publication *times)
{
    char word;
    if (write(pipe, times, sizeof *times) != sizeof *times || read(attached[0], &word, 1) != 1)
        measure_fail_errno("pipe");
}

/* The reader waits by then, or nearly always. */
static void publish_one(mb_client *client, const char *name, int pipe)
{
    struct publication times;
    mb_block *block = block_create(client, attach_sizes[0].bytes);
    (void)usleep(SETTLE_US);
    times.called = clock_us();
    block_publish(block, name);
    times.returned = clock_us();
    report(pipe, &times);
    if (mb_block_free(block) < 0)
        measure_fail("mb_block_free", mb_last_error());
}

static void publish_lowest(int pipe)
{
    struct publication times;
    (void)usleep(SETTLE_US);
    times.called = clock_us();
    floor_publish(&lowest);
    times.returned = clock_us();
    report(pipe, &times);
}

static void publish_one_by_one(int pipe)
{
    char name[32];
    mb_client *client = connect_one();
    for (int i = 0; i < WAKES; i++) {
        (void)snprintf(name, sizeof name, "wake-%d", i);
        publish_one(client, name, pipe);
        publish_lowest(pipe);
    }
    mb_disconnect(client);
}

struct wakes {
    double from_call[WAKES], from_return[WAKES];
};

static void note(struct wakes *wakes, int i, double woken, int pipe)
{
    struct publication times;
    if (read(pipe, &times, sizeof times) != sizeof times || write(attached[1], "", 1) != 1)
        measure_fail_errno("pipe");
    wakes->from_call[i] = woken - times.called;
    wakes->from_return[i] = woken - times.returned;
}

static void measure_waking(void)
{
    static struct wakes ours, theirs;
    char name[32];
    int pipes[2];
    open_pipe(pipes);
    open_pipe(attached);
    pid_t publisher = process_start(publish_one_by_one, pipes[1]);
    mb_client *client = connect_one();
    for (int i = 0; i < WAKES; i++) {
        (void)snprintf(name, sizeof name, "wake-%d", i);
        mb_view *view = view_attach(client, name);
        note(&ours, i, clock_us(), pipes[0]);
        view_end(view);
        floor_attach(&lowest);
        note(&theirs, i, clock_us(), pipes[0]);
    }
    mb_disconnect(client);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    process_finish(publisher);
    print_quantiles("publish_to_attached", ours.from_call, WAKES);
    print_quantiles("publish_to_attached_floor", theirs.from_call, WAKES);
    print_quantiles("published_to_attached", ours.from_return, WAKES);
    print_quantiles("published_to_attached_floor", theirs.from_return, WAKES);
}

/* ---- publishing much ---- */

static void publish_much(int pipe)
{
    mb_client *client = connect_one();
    for (int i = 0; i < LARGE_PUBLICATIONS; i++) {
        mb_block *block = block_create(client, large_bytes);
        double began = clock_us();
        block_publish(block, "large");
        double took = clock_us() - began;
        if (write(pipe, &took, sizeof took) != sizeof took || mb_block_free(block) < 0)
            measure_fail_errno("write");
    }
    mb_disconnect(client);
}

static double best_of(int pipe)
{
    double took, best = 0;
    while (read(pipe, &took, sizeof took) == sizeof took)
        best = best == 0 || took < best ? took : best;
    return best;
}

/* Pings from before the first until after the last. */
static void measure_stalls(void)
{
    static double ours[PINGS_MAX], theirs[PINGS_MAX];
    size_t count = 0;
    int pipes[2], status = 0;
    open_pipe(pipes);
    pid_t publisher = process_start(publish_much, pipes[1]);
    (void)close(pipes[1]);
    mb_client *client = connect_one();
    for (; waitpid(publisher, &status, WNOHANG) == 0 && count < PINGS_MAX; count++) {
        double began = clock_us();
        if (mb_ping(client) < 0)
            measure_fail("mb_ping", mb_last_error());
        ours[count] = clock_us() - began;
        (void)usleep(PAUSE_US);
        began = clock_us();
        floor_ping(&lowest);
        theirs[count] = clock_us() - began;
        (void)usleep(PAUSE_US);
    }
    mb_disconnect(client);
    if (status != 0 || count == 0 || count == PINGS_MAX)
        measure_fail("publisher", "it failed, or did not end");
    figure_print("publish_1GiB", best_of(pipes[0]));
    (void)close(pipes[0]);
    print_quantiles("ping_while_publishing_1GiB", ours, count);
    print_quantiles("ping_while_publishing_1GiB_floor", theirs, count);
}

int main(void)
{
    lowest = floor_start();
    measure_waking();
    measure_stalls();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published blocks: to attach, read and close one (microseconds); from the call of mb_block_publish(), and from its
 * return, to the return of another process's mb_attach() that waits for the name; and how long the broker leaves a ping
 * of another client waiting while 1 GiB is published. Each publisher is a process of its own.
 */
#include <membroker.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/attach.h"
#include "tests/bench/measure.h"

enum { WAKES = 400, WAIT_MS = 10000, SETTLE_US = 2000, LARGE_PUBLICATIONS = 3, PINGS_MAX = 1000000 };

static const size_t large_bytes = (size_t)1 << 30;

static mb_client *connect_one(void)
{
    mb_client *client;
    if (mb_connect(NULL, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    return client;
}

static mb_block *create(mb_client *client, size_t bytes)
{
    mb_block *block;
    if (mb_block_create(client, bytes, NULL, &block) < 0)
        measure_fail("mb_block_create", mb_last_error());
    attach_fill(mb_block_data(block), bytes);
    return block;
}

static void publish(mb_block *block, const char *name)
{
    if (mb_block_publish(block, name) < 0)
        measure_fail("mb_block_publish", mb_last_error());
}

static mb_view *attach(mb_client *client, const char *name)
{
    mb_view *view;
    if (mb_attach(client, name, WAIT_MS, &view) < 0)
        measure_fail("mb_attach", mb_last_error());
    return view;
}

static void end_view(mb_view *view)
{
    if (mb_view_check(view) < 0 || mb_view_close(view) < 0)
        measure_fail("mb_view_check", mb_last_error());
}

/* Runs the verb in another process, whose end is to be waited for. */
static pid_t start(void (*verb)(int pipe), int pipe)
{
    pid_t process = fork();
    if (process < 0)
        measure_fail_errno("fork");
    if (process == 0) {
        verb(pipe);
        _exit(0);
    }
    return process;
}

static void finish(pid_t process)
{
    int status;
    if (waitpid(process, &status, 0) < 0 || status != 0)
        measure_fail("publisher", "it failed; see the line above");
}

/* ---- attaching ---- */

static void publish_all_sizes(int pipe)
{
    char end;
    mb_client *client = connect_one();
    for (int i = 0; i < ATTACH_SIZES; i++)
        publish(create(client, attach_sizes[i].bytes), attach_sizes[i].name);
    if (read(pipe, &end, 1) < 0) /* returns when the reader closes its end */
        measure_fail_errno("read");
    mb_disconnect(client);
}

struct reader {
    mb_client *client;
    const char *name;
};

static void attach_once(void *context)
{
    const struct reader *reader = context;
    uint64_t bytes;
    mb_view *view = attach(reader->client, reader->name);
    const char *memory = mb_view_data(view, &bytes);
    attach_read(memory, bytes);
    end_view(view);
}

static void measure_attaching(void)
{
    int pipes[2];
    if (pipe(pipes) < 0)
        measure_fail_errno("pipe");
    pid_t publisher = fork();
    if (publisher == 0) {
        (void)close(pipes[1]);
        publish_all_sizes(pipes[0]);
        _exit(0);
    }
    struct reader reader = {.client = connect_one()};
    for (int i = 0; i < ATTACH_SIZES; i++) {
        reader.name = attach_sizes[i].name;
        attach_measure(&attach_sizes[i], attach_once, &reader);
    }
    mb_disconnect(reader.client);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    finish(publisher);
}

/* ---- waking a reader ---- */

struct publication {
    double called, returned;
};

/* The reader waits by then, or nearly always. */
static void publish_one_by_one(int pipe)
{
    char name[32];
    mb_client *client = connect_one();
    for (int i = 0; i < WAKES; i++) {
        struct publication times;
        (void)snprintf(name, sizeof name, "wake-%d", i);
        mb_block *block = create(client, attach_sizes[0].bytes);
        (void)usleep(SETTLE_US);
        times.called = clock_us();
        publish(block, name);
        times.returned = clock_us();
        if (write(pipe, &times, sizeof times) != sizeof times || mb_block_free(block) < 0)
            measure_fail_errno("write");
    }
    mb_disconnect(client);
}

static void print_quantiles(const char *name, double *times)
{
    char p99[64];
    values_sort(times, WAKES);
    (void)snprintf(p99, sizeof p99, "%s_p99", name);
    figure_print(name, values_quantile(times, WAKES, 0.5));
    figure_print(p99, values_quantile(times, WAKES, 0.99));
}

static void measure_waking(void)
{
    static double from_call[WAKES], from_return[WAKES];
    char name[32];
    int pipes[2];
    if (pipe(pipes) < 0)
        measure_fail_errno("pipe");
    pid_t publisher = start(publish_one_by_one, pipes[1]);
    mb_client *client = connect_one();
    for (int i = 0; i < WAKES; i++) {
        struct publication times;
        (void)snprintf(name, sizeof name, "wake-%d", i);
        mb_view *view = attach(client, name);
        double woken = clock_us();
        end_view(view);
        if (read(pipes[0], &times, sizeof times) != sizeof times)
            measure_fail_errno("read");
        from_call[i] = woken - times.called;
        from_return[i] = woken - times.returned;
    }
    mb_disconnect(client);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    finish(publisher);
    print_quantiles("publish_to_attached", from_call);
    print_quantiles("published_to_attached", from_return);
}

/* ---- publishing much ---- */

static void publish_much(int pipe)
{
    mb_client *client = connect_one();
    for (int i = 0; i < LARGE_PUBLICATIONS; i++) {
        mb_block *block = create(client, large_bytes);
        double began = clock_us();
        publish(block, "large");
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
    static double times[PINGS_MAX];
    size_t count = 0;
    int pipes[2], status = 0;
    if (pipe(pipes) < 0)
        measure_fail_errno("pipe");
    pid_t publisher = start(publish_much, pipes[1]);
    (void)close(pipes[1]);
    mb_client *client = connect_one();
    while (waitpid(publisher, &status, WNOHANG) == 0 && count < PINGS_MAX) {
        double began = clock_us();
        if (mb_ping(client) < 0)
            measure_fail("mb_ping", mb_last_error());
        times[count++] = clock_us() - began;
        (void)usleep(100);
    }
    mb_disconnect(client);
    if (status != 0 || count == 0 || count == PINGS_MAX)
        measure_fail("publisher", "it failed, or did not end");
    figure_print("publish_1GiB", best_of(pipes[0]));
    (void)close(pipes[0]);
    values_sort(times, count);
    figure_print("ping_while_publishing_1GiB", values_quantile(times, count, 0.5));
    figure_print("ping_while_publishing_1GiB_p99", values_quantile(times, count, 0.99));
}

int main(void)
{
    measure_attaching();
    measure_waking();
    measure_stalls();
    return 0;
}

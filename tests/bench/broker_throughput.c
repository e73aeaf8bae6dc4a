/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many acquires with releases a second the broker serves: for 64 clients of a thread each; for 32 threads that
 * share one client, and 32 with a client each; and the broker's processor time for one, in microseconds. Usage:
 * broker_throughput BROKERS_PROCESS
 */
#include <membroker.h>

#include "tests/bench/measure.h"
#include "tests/bench/process.h"
#include "tests/bench/throughput.h"

enum { THREADS = 32, SECONDS = 2 };

static void borrow(void *client)
{
    mb_lease *lease;
    if (mb_acquire(client, THROUGHPUT_BYTES, NULL, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    if (mb_release(lease) < 0)
        measure_fail("mb_release", mb_last_error());
}

static void connect_all(void **clients, int count)
{
    for (int i = 0; i < count; i++) {
        mb_client *client;
        mb_client_options options = MB_CLIENT_OPTIONS_INIT;
        options.flags = MB_CLIENT_NO_THREAD;
        if (mb_connect(&options, &client) < 0)
            measure_fail("mb_connect", mb_last_error());
        clients[i] = client;
    }
}

static void disconnect_all(void *const *clients, int count)
{
    for (int i = 0; i < count; i++)
        mb_disconnect(clients[i]);
}

int main(int argc, char **argv)
{
    void *clients[THROUGHPUT_CLIENTS];
    if (argc != 2)
        measure_fail("usage", "broker_throughput BROKERS_PROCESS");
    connect_all(clients, THROUGHPUT_CLIENTS);
    double before = process_processor_us(argv[1]);
    double a_second = throughput_of(THROUGHPUT_CLIENTS, SECONDS, borrow, clients);
    figure_print("a_second", a_second);
    figure_print("server_us", (process_processor_us(argv[1]) - before) / (a_second * SECONDS));
    figure_print("own_clients", throughput_of(THREADS, SECONDS, borrow, clients));
    disconnect_all(clients, THROUGHPUT_CLIENTS);
    connect_all(clients, 1);
    void *shared[THREADS];
    for (int i = 0; i < THREADS; i++)
        shared[i] = clients[0];
    figure_print("one_client", throughput_of(THREADS, SECONDS, borrow, shared));
    disconnect_all(clients, 1);
    return 0;
}

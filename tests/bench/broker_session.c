/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session with the broker costs: to connect and disconnect, without and with the library's background thread
 * (microseconds); the library's memory for a session and for a lease (bytes); and the daemon's descriptors for a
 * session. Usage: broker_session BROKERS_PROCESS
 */
#include <dirent.h>
#include <membroker.h>
#include <stdio.h>

#include "tests/bench/measure.h"
#include "tests/bench/process.h"

enum { SESSIONS = 200, LEASES = 1000, LEASE_BYTES = 4096 };

static mb_client *connect_with(unsigned flags)
{
    mb_client *client;
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.flags = flags;
    if (mb_connect(&options, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    return client;
}

static void connect_alone(void *context)
{
    (void)context;
    mb_disconnect(connect_with(MB_CLIENT_NO_THREAD));
}

static void connect_with_thread(void *context)
{
    (void)context;
    mb_disconnect(connect_with(0));
}

static double descriptors_of(const char *process)
{
    char path[64];
    double count = 0;
    (void)snprintf(path, sizeof path, "/proc/%s/fd", process);
    DIR *directory = opendir(path);
    if (!directory)
        measure_fail_errno(path);
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count;
}

static void measure_sessions(const char *process)
{
    static mb_client *clients[SESSIONS];
    mb_disconnect(connect_with(MB_CLIENT_NO_THREAD)); /* what a process creates once exists now */
    double bytes = process_own_bytes("self"), descriptors = descriptors_of(process);
    for (int i = 0; i < SESSIONS; i++)
        clients[i] = connect_with(MB_CLIENT_NO_THREAD);
    figure_print("client_bytes_per_session", (process_own_bytes("self") - bytes) / SESSIONS);
    figure_print("daemon_descriptors_per_session", (descriptors_of(process) - descriptors) / SESSIONS);
    for (int i = 0; i < SESSIONS; i++)
        mb_disconnect(clients[i]);
}

static void measure_leases(void)
{
    static mb_lease *leases[LEASES];
    mb_client *client = connect_with(MB_CLIENT_NO_THREAD);
    double bytes = process_own_bytes("self");
    for (int i = 0; i < LEASES; i++)
        if (mb_acquire(client, LEASE_BYTES, NULL, &leases[i]) < 0)
            measure_fail("mb_acquire", mb_last_error());
    figure_print("client_bytes_per_lease", (process_own_bytes("self") - bytes) / LEASES);
    for (int i = 0; i < LEASES; i++)
        (void)mb_release(leases[i]);
    mb_disconnect(client);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        measure_fail("usage", "broker_session BROKERS_PROCESS");
    rounds_measure("connect", connect_alone, NULL);
    rounds_measure("connect_with_thread", connect_with_thread, NULL);
    measure_sessions(argv[1]);
    measure_leases();
    return 0;
}

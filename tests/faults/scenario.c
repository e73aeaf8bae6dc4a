/* SPDX-License-Identifier: Apache-2.0 */
/* What clients do while a fault strikes, and after it. */
#include "tests/faults/scenario.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

enum { KIB = 1024, PATIENCE_MS = 10000 };

void scenario_settings(const char *directory, const char *grace, char *ret, size_t size)
{
    (void)snprintf(ret, size,
                   "[limits]\nmax_physical_bytes = 16M\nmax_mapped_bytes = 16M\n[queue]\ntrim_time = 20ms\n[leases]\n"
                   "reconnect_grace = %s\nmin_ttl = 100ms\n[mapped]\nfiles = %s\n[class narrow]\nclients = "
                   "narrow\nmax_bytes = 8M\n[user *]\nmax_leases = 100\n",
                   grace, directory);
}

/* Who was not answered was left hanging, unless the daemon ended under it: the library notices that by itself. */
static void take(int result)
{
    cr_assert_neq(result, -ETIMEDOUT, "left hanging: %s", mb_last_error());
}

static mb_client *connect_as(const struct fixture *fixture, const char *name)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *connected = NULL;
    options.socket = fixture->socket;
    options.name = name;
    options.timeout_ms = PATIENCE_MS;
    options.flags = MB_CLIENT_GUARD;
    take(mb_connect(&options, &connected));
    return connected;
}

/* Memory of its own: zero at first. False: it is not, or can't be had. */
static bool use(mb_lease *lease, unsigned extent)
{
    unsigned char *data;
    void *address;
    uint64_t bytes;
    if (mb_map(lease, extent, &address, &bytes) < 0) {
        return false;
    }
    data = address;
    bool is_zero = data[0] == 0 && data[bytes / 2] == 0 && data[bytes - 1] == 0;
    memset(data, 0x5a, bytes);
    return is_zero;
}

static void ask(mb_client *client, uint64_t bytes, const mb_lease_options *options)
{
    mb_lease *lease;
    int result = mb_acquire(client, bytes, options, &lease);
    take(result);
    if (result == 0) {
        (void)use(lease, 0);
        take(mb_extend(lease, 64 * KIB, NULL));
        take(mb_release(lease));
    }
}

static void through_the_library(const struct fixture *fixture)
{
    mb_client *client = connect_as(fixture, "narrow");
    if (!client) {
        return;
    }
    mb_lease_options plain = MB_LEASE_OPTIONS_INIT, learned = MB_LEASE_OPTIONS_INIT, options = MB_LEASE_OPTIONS_INIT;
    plain.prefault = 1;
    ask(client, 1024 * KIB, &plain);
    options.location = MB_LOCATION_MMAP;
    ask(client, 256 * KIB, &options);
    options.file = "named";
    ask(client, 128 * KIB, &options);
    options.file = NULL;
    options.location = MB_LOCATION_AUTO;
    ask(client, 256 * KIB, &options);
    options.location = MB_LOCATION_RAM;
    options.huge_pages = MB_HUGE_PAGES_TRY;
    options.numa_node = 0;
    ask(client, 256 * KIB, &options);
    learned.name = "learned";
    learned.flags = MB_LEASE_LEARNED | MB_LEASE_USE_LEARNED;
    ask(client, 64 * KIB, &learned);
    learned.flags = 0;
    learned.wait_ms = 30; /* more than its class may have: it waits, is trimmed for, and refused */
    ask(client, 9 * 1024 * KIB, &learned);
    take(mb_ping(client));
    mb_disconnect(client);
}

static void ask_by_hand(int fd, struct request request)
{
    struct reply reply;
    (void)fixture_exchange(fd, &request, &reply, NULL);
}

static void by_hand(const struct fixture *fixture, bool monitor)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(fixture);
    if (fd < 0) {
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!fixture_hello(fd, monitor, &reply, NULL)) {
        return;
    }
    ask_by_hand(fd, (struct request){.kind = REQUEST_STATUS});
    ask_by_hand(fd, (struct request){.kind = REQUEST_LIST, .list = {.what = LIST_SESSIONS}});
    ask_by_hand(fd, (struct request){.kind = REQUEST_LIST, .list = {.what = LIST_LEASES}});
    ask_by_hand(fd, (struct request){.kind = REQUEST_LIST, .list = {.what = LIST_QUEUE}});
    ask_by_hand(fd, (struct request){.kind = REQUEST_WHY});
    ask_by_hand(fd, (struct request){.kind = REQUEST_AUDIT});
    ask_by_hand(fd, (struct request){.kind = REQUEST_REVOKE, .revoke_lease = 99});
}

void scenario_everything(const struct fixture *fixture)
{
    through_the_library(fixture);
    by_hand(fixture, true);
    (void)kill(fixture->daemon, SIGHUP);
    by_hand(fixture, false);
}

bool scenario_next_client(const struct fixture *fixture, char *ret_failure, size_t size)
{
    mb_lease_options mapped = MB_LEASE_OPTIONS_INIT;
    mb_lease *ram = NULL, *file = NULL;
    mb_client *client = connect_as(fixture, "next");
    mapped.location = MB_LOCATION_MMAP;
    bool is_served = client && mb_acquire(client, 1024 * KIB, NULL, &ram) == 0 && use(ram, 0) &&
                     mb_extend(ram, 256 * KIB, NULL) == 0 && use(ram, 1) &&
                     mb_acquire(client, 512 * KIB, &mapped, &file) == 0 && use(file, 0) && mb_lease_check(ram) == 0 &&
                     mb_ping(client) == 0;
    (void)snprintf(ret_failure, size, "%s", mb_last_error());
    if (ram) {
        is_served = mb_release(ram) == 0 && is_served;
    }
    if (file) {
        is_served = mb_release(file) == 0 && is_served;
    }
    mb_disconnect(client);
    return is_served;
}

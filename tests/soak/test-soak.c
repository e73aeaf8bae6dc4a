/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that acquire, extend, write, release, leave and die at random, on a broker that is killed, restarted and
 * reloaded under them, for MEMBROKER_SOAK_SECONDS. What a lease holds is right as long as it lives. Whenever all of
 * them are gone nothing is left, and a daemon that saw many come and go is as large as it was.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/faults/faults.h"
#include "tests/integration/manager.h"

TestSuite(soak, .timeout = 7200);

enum { CLIENTS = 6, HELD = 8, BYTES_MAX = 1 << 20, ROUND_MS = 4000 };

static struct manager manager;
static struct fixture fixture;
static unsigned state;

static unsigned below(unsigned limit)
{
    state = state * 1103515245U + 12345U;
    return (state >> 8) % limit;
}

/* ---- one client ---- */

struct held {
    mb_lease *lease;
    unsigned char *data;
    uint64_t bytes;
    unsigned char value;
};

/* What was written is still there, unless the lease has ended meanwhile. */
static bool is_right(const struct held *held)
{
    bool is_same = held->data[0] == held->value && held->data[held->bytes - 1] == held->value;
    return is_same || mb_lease_check(held->lease) < 0;
}

static void take(mb_client *client, struct held *held)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    void *address;
    options.location = (mb_location)(1 + below(3));
    options.ttl_ms = below(3) ? 0 : 1000;
    options.wait_ms = below(2) ? 0 : below(200);
    options.prefault = below(4) == 0;
    options.name = below(2) ? "soak" : NULL;
    options.flags = below(4) ? 0 : MB_LEASE_LEARNED;
    if (mb_acquire(client, 1 + below(BYTES_MAX), &options, &held->lease) < 0) {
        held->lease = NULL;
        return;
    }
    if (mb_map(held->lease, 0, &address, &held->bytes) < 0) {
        (void)mb_release(held->lease);
        held->lease = NULL;
        return;
    }
    held->data = address;
    held->value = (unsigned char)(1 + below(255));
    memset(held->data, held->value, held->bytes);
}

static void scratch(mb_client *client)
{
    mb_workspace *workspace;
    mb_buffer *buffer;
    if (mb_workspace_open(client, "scratch", NULL, &workspace) == 0) {
        for (unsigned i = 0; i < 3 && mb_workspace_enter(workspace) == 0; i++) {
            (void)mb_workspace_alloc(workspace, 1 + below(100000));
            mb_workspace_leave(workspace);
        }
        mb_workspace_close(workspace);
    }
    if (mb_buffer_create(client, 1 + below(300000), NULL, &buffer) == 0) {
        (void)mb_buffer_unref(buffer);
    }
}

static void step(mb_client *client, struct held *held)
{
    switch (held->lease ? below(6) : 5 + below(3)) {
    case 0:
    case 1:
        cr_assert(is_right(held));
        (void)mb_release(held->lease);
        held->lease = NULL;
        break;
    case 2:
        (void)mb_extend_wait(held->lease, 1 + below(BYTES_MAX), below(50), NULL);
        break;
    case 3:
        cr_assert(is_right(held));
        break;
    case 4:
        sleep_ms(below(20));
        break;
    case 5:
        scratch(client);
        break;
    default:
        take(client, held);
    }
}

/* Until its end, which is its own, or comes from outside. */
static int live(const struct fixture *with)
{
    struct held held[HELD] = {0};
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client;
    state = (unsigned)getpid();
    options.socket = with->socket;
    options.flags = MB_CLIENT_GUARD | (below(2) ? MB_CLIENT_NO_RENEW : 0);
    options.cache_bytes = below(2) ? 0 : BYTES_MAX;
    if (mb_connect(&options, &client) < 0) {
        return 0;
    }
    for (unsigned i = 20 + below(300); i > 0; i--) {
        step(client, &held[below(HELD)]);
    }
    if (below(2)) {
        mb_disconnect(client); /* with all that it holds */
    }
    return 0;
}

/* ---- all of them ---- */

static void reap(pid_t *child)
{
    int status;
    if (*child && waitpid(*child, &status, WNOHANG) == *child) {
        bool is_good = WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0;
        cr_assert(is_good, "a client ended with status %#x", status);
        *child = 0;
    }
}

/* One that ends by itself has nothing to complain of, nor has a sanitizer. */
static void restart(void)
{
    int signal = below(2) ? SIGKILL : SIGTERM;
    manager_restart(&manager, signal);
    int end = manager.last_end;
    bool is_good = WIFSIGNALED(end) ? WTERMSIG(end) == signal : WEXITSTATUS(end) == 0;
    cr_assert(is_good, "the daemon ended with status %#x; its log: %s", end, fixture.log);
}

static void disturb(pid_t *children, bool may_restart)
{
    pid_t victim = children[below(CLIENTS)];
    switch (below(60)) {
    case 0:
        if (victim) {
            (void)kill(victim, SIGKILL);
        }
        break;
    case 1:
        (void)kill(fixture.daemon, SIGHUP);
        break;
    case 2:
        if (may_restart) {
            restart();
        }
        break;
    default:
        sleep_ms(5);
    }
}

static bool is_idle(void)
{
    struct status_reply status;
    return fixture_try_status(&fixture, &status) && status.used_bytes == 0 && status.sessions == 0;
}

/* Lets them live for a while, then until the last is gone, and everything is back. */
static void live_a_round(bool may_restart)
{
    pid_t children[CLIENTS] = {0};
    bool is_any = true;
    for (int waited_ms = 0; is_any; waited_ms += 5) {
        is_any = false;
        for (int i = 0; i < CLIENTS; i++) {
            reap(&children[i]);
            if (!children[i] && waited_ms < ROUND_MS) {
                children[i] = fixture_fork(live, &fixture);
            }
            is_any = is_any || children[i];
        }
        disturb(children, may_restart && waited_ms < ROUND_MS);
    }
    manager_wait(&manager);
    WAIT_UNTIL(is_idle());
    fixture_audit(&fixture);
}

static long heap(void)
{
    return fault_control ? atomic_load(&fault_control->live_bytes) : 0;
}

/* The first rounds create what a daemon keeps: its worker threads and tables. */
static void live_without_restart(void)
{
    long before = heap();
    live_a_round(false);
    for (int waited_ms = 0; waited_ms < 2000 && heap() != before; waited_ms += 5) {
        sleep_ms(5);
    }
    cr_assert_leq(heap(), before, "the daemon's heap has grown from %ld to %ld bytes", before, heap());
}

Test(soak, nothing_is_left_and_nothing_grows)
{
    const char *seconds = getenv("MEMBROKER_SOAK_SECONDS");
    time_t end = time(NULL) + (seconds ? strtol(seconds, NULL, 10) : 15);
    int rounds = 0;
    state = (unsigned)getpid();
    if (getenv("MEMBROKER_SOAK_PRELOAD")) { /* not under a sanitizer, which has a heap of its own */
        sweep_begin();
    }
    manager_start(
        &manager, &fixture, "membrokerd", NULL,
        "[limits]\nmax_physical_bytes = 12M\nmax_mapped_bytes = 12M\n[leases]\nreconnect_grace = 2s\nmin_ttl = "
        "500ms\n[queue]\ntrim_time = 20ms\n");
    do {
        live_a_round(true);
        live_a_round(false);
        live_without_restart();
        rounds += 3;
    } while (time(NULL) < end);
    (void)fprintf(stderr, "%d rounds of clients, %u daemons; heap %ld bytes when idle\n", rounds,
                  (unsigned)manager.starts, heap());
    manager_stop(&manager);
}

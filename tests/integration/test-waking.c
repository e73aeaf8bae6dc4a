/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Much that is due at the same time. The daemon expires leases for 2 ms in a loop iteration; the rest must keep the
 * loop from sleeping. The tests' daemon aborts if it does not: so these tests need no clock.
 */
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

TestSuite(waking, .timeout = 120);

#define SMALL 65536

static struct fixture fixture;

static int greeted(void)
{
    struct reply reply;
    int control;
    int fd = fixture_socket(&fixture);
    cr_assert(fd >= 0 && fixture_hello(fd, false, &reply, &control) && reply.kind == REPLY_WELCOME);
    (void)close(control);
    return fd;
}

static void ask(int fd, uint64_t id, uint64_t bytes, uint32_t ttl_ms, uint32_t wait_ms)
{
    struct request acquire = {.kind = REQUEST_ACQUIRE, .id = id};
    acquire.acquire = (struct acquire_request){
        .bytes = bytes, .location = LOCATION_RAM, .numa_node = -1, .ttl_ms = ttl_ms, .wait_ms = wait_ms};
    cr_assert(fixture_send(fd, &acquire));
}

/* Skips events. Returns the lease. */
static uint64_t receive_grant(int fd)
{
    struct reply reply;
    int memory = -1;
    do {
        cr_assert(fixture_receive(fd, &reply, &memory), "the daemon hung up: did its loop sleep with something due?");
    } while (!reply.is_answer);
    cr_assert(reply.kind == REPLY_GRANT, "%s", reply.kind == REPLY_ERROR ? reply.error.sentence : "no grant");
    (void)close(memory);
    return reply.grant.lease;
}

Test(waking, one_release_serves_a_thousand_waiters_without_a_sleep)
{
    enum { SESSIONS = 200, EACH = 5, WAITERS = SESSIONS * EACH };
    static int fds[SESSIONS];
    fixture_start(&fixture, "[limits]\nmax_physical_bytes = 64M\n[queue]\nmax_waiting_per_user = 1024\n");
    cleanup(fd_closep) int holder = greeted();
    ask(holder, 7, 64 << 20, 0, 0);
    struct request release = {.kind = REQUEST_RELEASE, .id = 8, .release_lease = receive_grant(holder)};
    for (int i = 0; i < SESSIONS; i++) {
        fds[i] = greeted();
        for (int j = 0; j < EACH; j++) {
            ask(fds[i], 7 + (uint64_t)j, SMALL, 0, 60000);
        }
    }
    WAIT_UNTIL(fixture_status(&fixture).waiting == WAITERS);
    cr_assert(fixture_send(holder, &release));
    for (int i = 0; i < SESSIONS; i++) {
        for (int j = 0; j < EACH; j++) {
            (void)receive_grant(fds[i]);
        }
    }
    for (int i = 0; i < SESSIONS; i++) {
        (void)close(fds[i]);
    }
    fixture_stop(&fixture);
}

static void take_many(int fd, int count, uint32_t ttl_ms)
{
    enum { AT_ONCE = 8 };
    for (int i = 0; i < count; i += AT_ONCE) {
        for (int j = 0; j < AT_ONCE; j++) {
            ask(fd, 7, 4096, ttl_ms, 0);
        }
        for (int j = 0; j < AT_ONCE; j++) {
            (void)receive_grant(fd);
        }
    }
}

static void renew(int fd)
{
    struct request request = {.kind = REQUEST_RENEW, .id = 8};
    struct reply reply;
    cr_assert(fixture_exchange(fd, &request, &reply, NULL) && reply.kind == REPLY_RENEWED);
}

Test(waking, thousands_of_leases_that_expire_together_serve_a_waiting_request)
{
    enum { HOLDERS = 15, LEASES = 1000, TTL_MS = 5000 };
    int holders[HOLDERS];
    fixture_start(&fixture, "[limits]\nmax_physical_bytes = 64M\n[clients]\nmax_messages_per_user = 1000000\n");
    for (int i = 0; i < HOLDERS; i++) {
        holders[i] = greeted();
        take_many(holders[i], LEASES, TTL_MS);
    }
    for (int i = 0; i < HOLDERS; i++) {
        renew(holders[i]);
    }
    fixture_audit_inside(&fixture); /* in slices */
    cleanup(fd_closep) int waiter = greeted();
    ask(waiter, 7, 64 << 20, 0, 60000);
    (void)receive_grant(waiter);
    cr_expect_eq(fixture_status(&fixture).leases, 1);
    for (int i = 0; i < HOLDERS; i++) {
        (void)close(holders[i]);
    }
    fixture_stop(&fixture);
}

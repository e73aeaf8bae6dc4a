/* SPDX-License-Identifier: Apache-2.0 */
/* Audits while clients come and go: they report what is in every list of descriptors, and nothing else. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/integration/fixture.h"

TestSuite(audit, .timeout = 120);

enum { CHURNERS = 3, BYTES = 65536 };

static void borrow(mb_client *client, mb_location location, unsigned pause_ms)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    options.location = location;
    if (mb_acquire(client, BYTES, &options, &lease) == 0) {
        sleep_ms(pause_ms);
        (void)mb_release(lease);
        sleep_ms(pause_ms);
    }
}

/* The daemon has always something to do. Until this is killed in the middle of it. */
static int churn_without_a_pause(const struct fixture *fixture)
{
    for (;;) {
        mb_client *client = fixture_connect(fixture, MB_CLIENT_NO_THREAD);
        for (int i = 0; i < 3; i++) {
            borrow(client, MB_LOCATION_RAM, 0);
            borrow(client, MB_LOCATION_MMAP, 0);
        }
        mb_disconnect(client);
    }
    return 0;
}

/* The daemon is mostly at rest. */
static int churn_with_pauses(const struct fixture *fixture)
{
    for (;;) {
        mb_client *client = fixture_connect(fixture, MB_CLIENT_NO_THREAD);
        borrow(client, MB_LOCATION_RAM, 2);
        mb_disconnect(client);
    }
    return 0;
}

static void start_churning(const struct fixture *fixture, int (*body)(const struct fixture *), pid_t churners[CHURNERS])
{
    for (int i = 0; i < CHURNERS; i++) {
        churners[i] = fixture_fork(body, fixture);
    }
}

static void stop_churning(const struct fixture *fixture, const pid_t churners[CHURNERS])
{
    for (int i = 0; i < CHURNERS; i++) {
        cr_assert(kill(churners[i], SIGKILL) == 0 && waitpid(churners[i], NULL, 0) == churners[i]);
    }
    WAIT_UNTIL(fixture_status(fixture).used_bytes == 0);
}

static int greeted(const struct fixture *fixture, bool monitor)
{
    struct reply reply;
    int socket = fixture_socket(fixture);
    cr_assert(socket >= 0 && fixture_hello(socket, monitor, &reply, NULL) && reply.kind == REPLY_WELCOME);
    return socket;
}

/* An audit has an answer, however busy the daemon is; but if four workers are slow, it can't look. */
static struct reply ask_for_audit(int socket)
{
    struct request audit = {.kind = REQUEST_AUDIT};
    struct reply reply;
    WAIT_UNTIL(fixture_exchange(socket, &audit, &reply, NULL) && reply.kind == REPLY_AUDIT);
    return reply;
}

/* The daemon is slow between the list of its descriptors and the look at it, so that much changes meanwhile. */
static void audit_beside(int (*churn_body)(const struct fixture *))
{
    enum { AUDITS = 50 };
    struct fixture fixture;
    pid_t churners[CHURNERS];
    (void)setenv("MEMBROKER_FAULT_AUDIT_MS", "3", 1);
    fixture_start(&fixture, "");
    start_churning(&fixture, churn_body, churners);
    int monitor = greeted(&fixture, true);
    for (int i = 0; i < AUDITS; i++) {
        struct reply reply = ask_for_audit(monitor);
        cr_expect_eq(reply.audit.difference_count, 0, "audit %d: %s", i, reply.audit.differences[0]);
    }
    (void)close(monitor);
    stop_churning(&fixture, churners);
    fixture_stop(&fixture);
}

Test(audit, raises_no_false_alarm_while_clients_come_and_go)
{
    audit_beside(churn_with_pauses);
}

Test(audit, raises_no_false_alarm_while_clients_never_pause)
{
    audit_beside(churn_without_a_pause);
}

/* There is always work in progress here, and the audit must report anyway. */
Test(audit, finds_a_leaked_descriptor_while_clients_come_and_go)
{
    enum { AUDITS = 5 };
    struct fixture fixture;
    pid_t churners[CHURNERS];
    (void)setenv("MEMBROKER_FAULT_LEAK", "3", 1);
    fixture_start(&fixture, "");
    start_churning(&fixture, churn_without_a_pause, churners);
    int monitor = greeted(&fixture, true);
    WAIT_UNTIL(ask_for_audit(monitor).audit.difference_count > 0);
    for (int i = 0; i < AUDITS; i++) {
        struct reply reply = ask_for_audit(monitor);
        cr_assert_eq(reply.audit.difference_count, 1, "audit %d", i);
        cr_expect(strstr(reply.audit.differences[0], "3 descriptors"), "%s", reply.audit.differences[0]);
    }
    (void)close(monitor);
    stop_churning(&fixture, churners);
    fixture_discard(&fixture);
}

Test(audit, tells_of_one_leaked_descriptor_in_the_singular)
{
    struct fixture fixture;
    (void)setenv("MEMBROKER_FAULT_LEAK", "1", 1);
    fixture_start(&fixture, "");
    mb_client *client = fixture_connect(&fixture, MB_CLIENT_NO_THREAD);
    borrow(client, MB_LOCATION_RAM, 0);
    mb_disconnect(client);
    int monitor = greeted(&fixture, true);
    WAIT_UNTIL(ask_for_audit(monitor).audit.difference_count > 0);
    struct reply reply = ask_for_audit(monitor);
    cr_assert_eq(reply.audit.difference_count, 1);
    cr_expect(strstr(reply.audit.differences[0], "1 descriptor of segments or control pages belongs to nothing"), "%s",
              reply.audit.differences[0]);
    (void)close(monitor);
    fixture_discard(&fixture);
}

/* Copies of descriptors wait in the daemon for a client that receives nothing. */
Test(audit, counts_what_is_queued_for_a_client_that_receives_nothing)
{
    enum { GRANTS = 120 };
    struct fixture fixture;
    fixture_start(&fixture, "[leases]\nreconnect_grace = 200ms\n");
    int deaf = greeted(&fixture, false);
    for (uint64_t id = 1; id <= GRANTS; id++) {
        struct request acquire = {.kind = REQUEST_ACQUIRE, .id = id};
        acquire.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1};
        cr_assert(fixture_send(deaf, &acquire));
    }
    WAIT_UNTIL(fixture_status(&fixture).leases == GRANTS);
    cr_assert(fixture_descriptors(&fixture) > GRANTS + GRANTS / 2, "copies wait");
    int monitor = greeted(&fixture, true);
    struct reply reply = ask_for_audit(monitor);
    cr_expect_eq(reply.audit.difference_count, 0, "%s", reply.audit.differences[0]);
    (void)close(monitor);
    (void)close(deaf);
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
}

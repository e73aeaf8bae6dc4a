/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grant that the client could not take at once goes with a copy of the descriptor for writing, which a worker closes
 * after it was sent. That one is the daemon's own, and must not be told to the publisher as a writer.
 */
#include <stdio.h>
#include <unistd.h>

#include "proto/transport.h"
#include "tests/integration/publishing.h"
#include "tests/integration/worker_points.h"

TestSuite(publishing_copies, .timeout = 60);

enum { BYTES = 1 << 16, FITTING = 32 /* with two descriptors each */, GRANTS = FITTING + 1 };

static struct fixture fixture;
static struct party publisher;
static uint64_t leases[GRANTS];

static void begin(void)
{
    worker_points_begin();
    fixture_start(&fixture, "");
    publisher = party_open(&fixture);
}

static void end(void)
{
    party_close(&publisher);
    worker_points_end();
    WAIT_UNTIL(fixture_status(&fixture).used_bytes == 0);
    fixture_stop(&fixture);
}

/* The last one stays in the daemon until the others are received. */
static void have_all_granted(enum location location)
{
    for (uint64_t i = 0; i < GRANTS; i++) {
        struct request request = {.id = 1000 + i, .kind = REQUEST_ACQUIRE};
        request.acquire = (struct acquire_request){
            .bytes = BYTES, .location = location, .ttl_ms = 30000, .numa_node = -1, .publishable = true};
        cr_assert(fixture_send(publisher.socket, &request));
    }
    WAIT_UNTIL(fixture_status(&fixture).leases == GRANTS);
}

static void receive_all(void)
{
    for (size_t i = 0; i < GRANTS;) {
        struct packet_descriptors descriptors;
        struct reply reply = {.kind = REPLY_UNKNOWN};
        cr_assert(fixture_receive_all(publisher.socket, &reply, &descriptors));
        for (size_t j = 0; j < descriptors.count; j++) {
            (void)close(descriptors.fd[j]);
        }
        if (reply.kind == REPLY_GRANT) {
            leases[i++] = reply.grant.lease;
        }
    }
}

static void ask_to_publish(uint64_t id, uint64_t lease, const char *name)
{
    struct request request = {.id = id, .kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = lease, .lifetime = LIFETIME_SESSION, .type = "test"};
    (void)snprintf(request.publish.name, sizeof request.publish.name, "%s", name);
    cr_assert(fixture_send(publisher.socket, &request));
}

static void expect_published(uint64_t id, const char *what)
{
    struct reply reply;
    cr_assert(fixture_receive(publisher.socket, &reply, NULL));
    cr_expect_eq(reply.reply_to, id, "%s", what);
    cr_expect_eq(reply.kind, REPLY_DONE, "%s: %s", what, reply.kind == REPLY_ERROR ? reply.error.sentence : "");
}

static void expect_publishing_to_wait(enum location location)
{
    begin();
    have_all_granted(location);
    worker_hold_at("close");
    receive_all();
    WAIT_UNTIL(worker_is_held_at("close"));
    ask_to_publish(1, leases[GRANTS - 1], "copied");
    ask_to_publish(2, leases[0], "not copied");
    expect_published(2, "nobody else waits for that worker");
    worker_let_go_from("close");
    expect_published(1, "it waits for the daemon's own copy");
    end();
}

Test(publishing_copies, a_block_in_ram_is_published_once_the_copy_is_closed)
{
    expect_publishing_to_wait(LOCATION_RAM);
}

Test(publishing_copies, a_block_in_a_file_is_published_once_the_copy_is_closed)
{
    expect_publishing_to_wait(LOCATION_MMAP);
}

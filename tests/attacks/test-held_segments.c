/* SPDX-License-Identifier: Apache-2.0 */
/* Segments whose inodes their borrower holds locked while they are being freed: no other user notices. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/transport.h"
#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"

TestSuite(held_segments, .timeout = 120);

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

enum { HELD_MAX = 16 };

static struct fixture fixture;
static struct party mallory, alice;
static struct inode_holder *holders[HELD_MAX];

static void begin(const char *settings)
{
    party_begin(&fixture, settings);
    mallory = party_join(&fixture, MALLORY);
    alice = party_join(&fixture, ALICE);
}

/* A lease of Mallory's, and then his hand on it. */
static void hold_one(uint64_t bytes, enum location location)
{
    size_t at = mallory.leases;
    cr_assert(party_acquire(&mallory, bytes, location, false));
    holders[at] = inode_holder_start(MALLORY, mallory.segment[at], INODE_HELD_BY_WRITE);
    cr_assert(holders[at]->is_holding, "%s: %s", holders[at]->refused, strerror(holders[at]->error));
}

static void hold(size_t count, uint64_t bytes, enum location location)
{
    for (size_t i = 0; i < count; i++) {
        hold_one(bytes, location);
    }
}

static void release_held(void)
{
    for (size_t i = 0; i < mallory.leases; i++) {
        party_send_release(&mallory, mallory.lease[i]);
    }
}

/* A held segment stays in the ledger as being freed until Mallory releases it; then it is free. */
static void end(uint64_t physical, uint64_t mapped)
{
    WAIT_UNTIL(party_status(&alice).freeing_bytes == physical + mapped);
    cr_expect_eq(party_status(&alice).used_physical_bytes, physical);
    cr_expect_eq(party_status(&alice).used_mapped_bytes, mapped);
    for (size_t i = 0; i < HELD_MAX; i++) {
        holders[i] = inode_holder_end(holders[i]);
    }
    WAIT_UNTIL(party_status(&alice).used_bytes == 0);
    party_leave(&mallory);
    party_leave(&alice);
    fixture_stop(&fixture);
}

/* ---- each way in which a lease ends ---- */

static void expect_released(uint64_t bytes)
{
    begin("");
    hold_one(bytes, LOCATION_RAM);
    release_held();
    party_works(&alice);
    end(bytes, 0);
}

Test(held_segments, a_small_held_segment_is_released)
{
    expect_released(64 * KIB);
}

Test(held_segments, a_large_held_segment_is_released)
{
    expect_released(16 * MIB);
}

static void expect_expires(uint64_t bytes)
{
    begin("[leases]\ndefault_ttl = 1s\n");
    hold_one(bytes, LOCATION_RAM);
    WAIT_UNTIL(party_status(&alice).counters.expired == 1);
    party_works(&alice);
    end(bytes, 0);
}

Test(held_segments, a_small_held_segment_expires)
{
    expect_expires(64 * KIB);
}

Test(held_segments, a_large_held_segment_expires)
{
    expect_expires(16 * MIB);
}

Test(held_segments, a_held_segment_is_revoked)
{
    begin("");
    struct party root = party_join(&fixture, 0);
    struct request revoke = {.kind = REQUEST_REVOKE};
    struct reply reply;
    hold_one(64 * KIB, LOCATION_RAM);
    revoke.revoke_lease = mallory.lease[0];
    cr_expect(fixture_exchange(root.socket, &revoke, &reply, NULL) && reply.kind == REPLY_DONE);
    party_works(&alice);
    party_leave(&root);
    end(64 * KIB, 0);
}

Test(held_segments, the_connection_of_a_held_segment_ends)
{
    begin("[leases]\nreconnect_grace = 1s\n");
    hold_one(64 * KIB, LOCATION_RAM);
    mallory.socket = fd_close(mallory.socket);
    WAIT_UNTIL(party_status(&alice).freeing_bytes > 0);
    party_works(&alice);
    end(64 * KIB, 0);
}

/* The session's own process, which has given its descriptor to the one that holds. */
static int acquire_and_hand_on(int to)
{
    struct party party = party_join(&fixture, MALLORY);
    if (!party_acquire(&party, 64 * KIB, LOCATION_RAM, false)) {
        return 1;
    }
    (void)transport_send(to, "", 1, party.segment[0], true);
    (void)pause();
    return 0;
}

static void die_with_its_lease_held(void)
{
    struct packet_descriptors came;
    int ends[2];
    char byte;
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(acquire_and_hand_on(ends[1]));
    }
    cr_assert(transport_receive(ends[0], &byte, 1, &came, true) == 1 && came.count == 1);
    holders[0] = inode_holder_start(MALLORY, came.fd[0], INODE_HELD_BY_WRITE);
    cr_assert(holders[0]->is_holding);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)close(came.fd[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

Test(held_segments, the_process_of_a_held_segment_dies)
{
    begin("");
    die_with_its_lease_held();
    WAIT_UNTIL(party_status(&alice).counters.died == 1);
    party_works(&alice);
    end(64 * KIB, 0);
}

/* ---- many ---- */

Test(held_segments, eight_held_files_of_one_user)
{
    begin("");
    hold(8, MIB, LOCATION_MMAP);
    release_held();
    party_works(&alice);
    end(0, 8 * MIB);
}

/* His own next segments wait for those that he holds, or are served; those of others are served. */
Test(held_segments, more_held_segments_than_a_user_may_have_stuck)
{
    begin("");
    hold(12, 64 * KIB, LOCATION_RAM);
    hold(4, MIB, LOCATION_MMAP);
    release_held();
    party_works(&alice);
    struct party friend = party_join(&fixture, MALLORY);
    cr_expect(party_ping(&friend), "the user himself is answered what takes no inode");
    party_leave(&friend);
    party_works(&alice);
    end(12 * 64 * KIB, 4 * MIB);
}

/* The next of his that is not held at all waits for its turn, and is freed when he lets go of the others. */
Test(held_segments, a_later_release_of_the_same_user_is_not_lost)
{
    begin("");
    hold(12, 64 * KIB, LOCATION_RAM);
    release_held();
    WAIT_UNTIL(party_status(&alice).freeing_bytes == 12 * 64 * KIB);
    if (party_acquire(&mallory, 128 * KIB, LOCATION_RAM, false)) {
        party_send_release(&mallory, mallory.lease[mallory.leases - 1]);
    }
    party_works(&alice);
    for (size_t i = 0; i < HELD_MAX; i++) {
        holders[i] = inode_holder_end(holders[i]);
    }
    WAIT_UNTIL(party_status(&alice).used_bytes == 0);
    end(0, 0);
}

/* ---- looking ---- */

static bool tells_of_one_unseen(const struct reply *reply)
{
    return reply->kind == REPLY_ERROR && strstr(reply->error.sentence, "4001");
}

/* An fstat() takes no lock of the inode: where the broker asks no more than that, it sees the segment even so. */
Test(held_segments, an_audit_answers_and_says_what_it_could_not_examine)
{
    const struct timeval patience = {.tv_sec = 3 * PARTY_PATIENCE_S};
    struct request audit = {.kind = REQUEST_AUDIT}, renew = {.kind = REQUEST_RENEW};
    struct reply reply;
    begin("");
    hold(2, MIB, LOCATION_MMAP);
    hold(2, 64 * KIB, LOCATION_RAM);
    struct party root = party_join(&fixture, 0);
    (void)setsockopt(root.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    cr_assert(fixture_exchange(root.socket, &audit, &reply, NULL), "the audit is not answered");
    party_leave(&root);
    cr_expect((reply.kind == REPLY_AUDIT && reply.audit.difference_count == 0) || tells_of_one_unseen(&reply),
              "kind %d: %s", (int)reply.kind, reply.kind == REPLY_ERROR ? reply.error.sentence : "");
    cr_expect(fixture_exchange(mallory.socket, &renew, &reply, NULL), "a renewal, which looks as well");
    party_works(&alice);
    sleep_ms(2500); /* the watch has been round twice */
    party_works(&alice);
    cr_expect_eq(party_status(&alice).counters.revoked, 0);
    release_held();
    party_works(&alice);
    end(2 * 64 * KIB, 2 * MIB);
}

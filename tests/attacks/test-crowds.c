/* SPDX-License-Identifier: Apache-2.0 */
/* Many users who hold inodes at the same time: each may block a few workers, but not all. */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/transport.h"
#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"

TestSuite(crowds, .timeout = 120);

enum { FIRST = 5000, USERS = 40, MOST = 70, SEGMENT_BYTES = 65536 };

static struct fixture fixture;
static struct party crowd[MOST];
static struct inode_holder *holders[MOST];

/* Each of them holds one segment only: nothing that one user may not do. */
static void hold_all(void)
{
    for (size_t i = 0; i < USERS; i++) {
        uid_t user = FIRST + (uid_t)i;
        crowd[i] = party_join(&fixture, user);
        cr_assert(party_acquire(&crowd[i], SEGMENT_BYTES, LOCATION_RAM, false));
        holders[i] = inode_holder_start(user, crowd[i].segment[0], INODE_HELD_BY_WRITE);
        cr_assert(holders[i]->is_holding, "%s", holders[i]->refused);
    }
}

Test(crowds, many_users_who_hold_one_segment_each)
{
    party_begin(&fixture, "");
    struct party alice = party_join(&fixture, ALICE);
    hold_all();
    for (size_t i = 0; i < USERS; i++) {
        party_send_release(&crowd[i], crowd[i].lease[0]);
    }
    WAIT_UNTIL(party_status(&alice).freeing_bytes == (uint64_t)USERS * SEGMENT_BYTES);
    sleep_ms(500); /* each worker that can be stuck is */
    party_works(&alice);
    for (size_t i = 0; i < USERS; i++) {
        holders[i] = inode_holder_end(holders[i]);
        party_leave(&crowd[i]);
    }
    WAIT_UNTIL(party_status(&alice).used_bytes == 0);
    party_leave(&alice);
    fixture_stop(&fixture);
}

/* ---- one user, with a range of subordinate ids ---- */

enum { SUBORDINATES = MOST, FIRST_SUBORDINATE = 1000000 };

/* In a user namespace of Mallory's: a session and a lease for each id, whose descriptors go to the test. */
static int be_many(int to)
{
    struct packet_descriptors none;
    char byte;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setgroups(0, NULL) < 0 || setresgid(MALLORY, MALLORY, MALLORY) < 0 ||
        setresuid(MALLORY, MALLORY, MALLORY) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0 || unshare(CLONE_NEWUSER) < 0) {
        return 1;
    }
    (void)transport_send(to, "", 1, -EBADF, true);
    (void)transport_receive(to, &byte, 1, &none, true); /* the ids are mapped */
    for (size_t i = 0; i < SUBORDINATES; i++) {
        crowd[i] = party_join(&fixture, 1 + (uid_t)i);
        if (!party_acquire(&crowd[i], SEGMENT_BYTES, LOCATION_RAM, false)) {
            return 1;
        }
        (void)transport_send(to, "", 1, crowd[i].segment[0], true);
    }
    (void)transport_receive(to, &byte, 1, &none, true); /* they are held */
    for (size_t i = 0; i < SUBORDINATES; i++) {
        party_send_release(&crowd[i], crowd[i].lease[0]);
    }
    (void)transport_receive(to, &byte, 1, &none, true);
    return 0;
}

/* As newuidmap(1) does for users with a range in subuid(5). */
static void map_ids(pid_t process)
{
    char path[64], map[64];
    (void)snprintf(path, sizeof path, "/proc/%d/uid_map", process);
    int length = snprintf(map, sizeof map, "0 %d 1\n1 %d %d\n", MALLORY, FIRST_SUBORDINATE, SUBORDINATES);
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, map, (size_t)length) == length, "the ids can't be mapped");
}

static void hold_what_comes(int from)
{
    struct packet_descriptors came;
    char byte;
    for (size_t i = 0; i < SUBORDINATES; i++) {
        cr_assert(transport_receive(from, &byte, 1, &came, true) == 1 && came.count == 1);
        holders[i] = inode_holder_start(MALLORY, came.fd[0], INODE_HELD_BY_WRITE);
        cr_assert(holders[i]->is_holding, "%s", holders[i]->refused);
        (void)close(came.fd[0]);
    }
}

Test(crowds, many_subordinate_ids_count_as_one_user)
{
    int ends[2];
    char byte;
    party_begin(&fixture, "");
    struct party alice = party_join(&fixture, ALICE);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    pid_t many = fork();
    if (many == 0) {
        (void)close(ends[0]);
        _exit(be_many(ends[1]));
    }
    (void)close(ends[1]);
    cr_assert(transport_receive(ends[0], &byte, 1, NULL, true) == 1);
    map_ids(many);
    (void)transport_send(ends[0], "", 1, -EBADF, true);
    hold_what_comes(ends[0]);
    (void)transport_send(ends[0], "", 1, -EBADF, true);
    WAIT_UNTIL(party_status(&alice).freeing_bytes == (uint64_t)SUBORDINATES * SEGMENT_BYTES);
    sleep_ms(500);
    party_works(&alice);
    for (size_t i = 0; i < SUBORDINATES; i++) {
        holders[i] = inode_holder_end(holders[i]);
    }
    (void)close(ends[0]);
    (void)waitpid(many, NULL, 0);
    WAIT_UNTIL(party_status(&alice).used_bytes == 0);
    party_leave(&alice);
    fixture_stop(&fixture);
}

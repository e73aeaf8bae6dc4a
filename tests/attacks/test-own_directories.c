/* SPDX-License-Identifier: Apache-2.0 */
/* Directories in which the daemon keeps things of its own, if its administrator lets others list them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"

TestSuite(own_directories, .timeout = 120);

static struct fixture fixture;

/* A size to be remembered, which the daemon saves within a second. */
static void teach(struct party *party, int round)
{
    struct acquire_request acquire = {
        .bytes = 4096 * (uint64_t)(round + 1), .location = LOCATION_RAM, .numa_node = -1, .learned = true};
    struct reply reply;
    text_copy(acquire.name, sizeof acquire.name, "taught");
    cr_assert(party_try(party, &acquire, &reply), "an acquire is not answered");
    if (reply.kind == REPLY_GRANT) {
        cr_assert(party_release(party, reply.grant.lease));
    }
}

Test(own_directories, the_directory_of_learned_sizes)
{
    struct request audit = {.kind = REQUEST_AUDIT};
    struct reply reply;
    party_begin(&fixture, "");
    cr_assert(chmod(fixture.directory, 0755) == 0);
    struct party alice = party_join(&fixture, ALICE), root = party_join(&fixture, 0);
    cleanup(fd_closep) int directory = open(fixture.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct inode_holder *holder = inode_holder_start(MALLORY, directory, INODE_HELD_BY_LISTING);
    cr_assert(holder->is_holding, "%s", holder->refused);
    for (int round = 0; round < 6; round++) { /* more than libuv has threads */
        teach(&alice, round);
        sleep_ms(1100);
    }
    party_works(&alice);
    cr_expect(fixture_exchange(root.socket, &audit, &reply, NULL), "an audit, which takes a thread of libuv's");
    (void)inode_holder_end(holder);
    party_leave(&alice);
    party_leave(&root);
    fixture_stop(&fixture);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Many users who hold at once: each may have a few workers stuck, and they must not be all. */
#include <string.h>

#include "tests/attacks/hold_inode.h"
#include "tests/attacks/party.h"

TestSuite(crowds, .timeout = 120);

enum { FIRST = 5000, USERS = 40, SEGMENT_BYTES = 65536 };

static struct fixture fixture;
static struct party crowd[USERS];
static struct inode_holder *holders[USERS];

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

Test(crowds, of_users_who_hold_one_segment_each)
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

/* SPDX-License-Identifier: Apache-2.0 */
/* How users share the descriptors that may be in flight. */
#include <criterion/criterion.h>

#include "daemon/runtime/in_flight.h"

TestSuite(in_flight);

/* Sends as much as it may; returns how much. */
static uint32_t send_all(struct in_flight *in_flight, uint32_t has)
{
    uint32_t sent = 0;
    while (in_flight_allows(in_flight, has + sent, false)) {
        sent++;
        in_flight->total++;
    }
    return sent;
}

Test(in_flight, one_user_has_at_most_an_eighth)
{
    struct in_flight in_flight;
    in_flight_init(&in_flight, 960);
    cr_expect_eq(send_all(&in_flight, 0), 120);
    in_flight_init(&in_flight, 64);
    cr_expect_eq(send_all(&in_flight, 0), 12, "half of what is shared");
}

/* Users in turn, one descriptor each, until no user may send more. */
Test(in_flight, greedy_users_leave_a_share_and_a_few_descriptors_for_others)
{
    enum { GREEDY = 9, MODEST = 30 };
    struct in_flight in_flight;
    uint32_t has[GREEDY] = {0};
    in_flight_init(&in_flight, 960);
    for (int sent = 1; sent > 0;) {
        sent = 0;
        for (int user = 0; user < GREEDY; user++) {
            if (in_flight_allows(&in_flight, has[user], false)) {
                has[user]++;
                in_flight.total++;
                sent++;
            }
        }
    }
    cr_expect_leq(in_flight.total, 360, "three quarters of a half: %u", in_flight.total);
    cr_expect_geq(360 - in_flight.total, has[GREEDY - 1] - 1, "a tenth finds as much room");
    for (int user = 0; user < MODEST; user++) {
        uint32_t sent = send_all(&in_flight, 0);
        cr_expect_geq(sent, user < 4 ? IN_FLIGHT_FEW : 1, "user %d: %u", user, sent);
    }
    cr_expect_leq(in_flight.total, 480);
}

/* How many users that receive nothing fill what newcomers may have. */
Test(in_flight, the_more_are_in_flight_the_fewer_each_user_may_have)
{
    enum { USERS_LEAST = 170 };
    struct in_flight in_flight;
    unsigned users = 0;
    uint32_t sent, last = IN_FLIGHT_FEW;
    in_flight_init(&in_flight, 960);
    for (in_flight.total = 0; in_flight.total < in_flight.shared; users++) { /* a few of each, as a crowd has it */
        in_flight.total += IN_FLIGHT_FEW;
    }
    while ((sent = send_all(&in_flight, 0)) > 0) {
        cr_expect_leq(sent, last);
        last = sent;
        users++;
    }
    cr_expect_eq(in_flight.total, 480);
    cr_expect_eq(last, 1);
    cr_expect_geq(users, USERS_LEAST, "%u", users);
}

/* However many new users receive nothing, a user who has received before can send. */
Test(in_flight, users_who_receive_have_room_of_their_own_one_at_a_time)
{
    struct in_flight in_flight;
    in_flight_init(&in_flight, 960);
    while (in_flight_allows(&in_flight, 0, false)) {
        in_flight.total++;
    }
    cr_assert(in_flight_is_full(&in_flight));
    for (uint32_t i = 0; i < 240; i++) {
        cr_assert(in_flight_allows(&in_flight, 0, true), "%u", i);
        cr_expect_not(in_flight_allows(&in_flight, 1, true));
        cr_expect_not(in_flight_allows(&in_flight, 0, false));
        in_flight.total++;
    }
    cr_expect_not(in_flight_allows(&in_flight, 0, true), "a quarter of the kernel's limit stays free");
    cr_expect_eq(in_flight.total, 720);
}

Test(in_flight, descriptors_are_short_if_a_user_with_few_can_send_none)
{
    struct in_flight in_flight;
    in_flight_init(&in_flight, 960);
    in_flight.total = in_flight.most;
    cr_expect_not(in_flight_allows(&in_flight, 0, false));
    in_flight_note_refused(&in_flight, IN_FLIGHT_FEW);
    cr_expect_not(in_flight.is_short, "who has a few waits for its own");
    in_flight_note_refused(&in_flight, 0);
    cr_expect(in_flight.is_short);
}

/* Below this nothing looks at what clients have received, so it must be far from what users with few may have. */
Test(in_flight, few_enough_to_count_no_further_leave_room_for_every_user)
{
    struct in_flight in_flight;
    in_flight_init(&in_flight, 960);
    cr_expect(in_flight_is_low(&in_flight));
    for (; in_flight_is_low(&in_flight); in_flight.total++) {
        cr_assert(in_flight_allows(&in_flight, in_flight.total, false));
    }
    cr_expect_eq(in_flight.total, in_flight.most / 16);
    in_flight_init(&in_flight, 16);
    cr_expect_not(in_flight_is_low(&in_flight), "with few descriptors each counts");
}

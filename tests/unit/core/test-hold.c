/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines stand still while a member of a reservation is frozen, or the reservation is suspended. */
#include <string.h>

#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/reserving.h"

TestSuite(hold);

enum { HOLD_MS = 60000, TTL_MS = 2000, GRACE_MS = 10000, BEAT_MS = 20 };

/* A member, peer 0, with a lease; and peer 1, who is in no reservation. */
static struct model *with_member(void)
{
    struct model *model = hundred();
    model->options.settings.reservations.hold_ms = HOLD_MS;
    model_configure(model);
    cr_expect_eq(reserve(model, "job", 10 * MIB, "/job\n"), 0);
    model_open_in(model, 0, "in", "/job/step\n");
    model_open_in(model, 1, "out", "/\n");
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, TTL_MS));
    return model;
}

/* As it goes on in small steps. */
static void pass_in_steps(struct model *model, uint64_t milliseconds)
{
    for (; milliseconds > 0; milliseconds -= size_min(milliseconds, 500)) {
        model_pass(model, size_min(milliseconds, 500));
    }
}

static uint64_t leases(const struct model *model)
{
    return model_status(model).leases;
}

static uint64_t held_ms(struct model *model, int peer)
{
    struct session_entry entry;
    bool more;
    cr_assert_eq(
        broker_list_sessions(model->broker, &model_root, model->peers[peer].session - 1, model->now, &entry, 1, &more),
        1);
    return entry.held_ms;
}

static void disconnect(struct model *model, int peer)
{
    const struct input input = {.kind = INPUT_DISCONNECTED, .session = model->peers[peer].session};
    model_feed(model, &input);
}

Test(hold, a_frozen_member_keeps_its_leases_and_has_a_whole_ttl_when_it_is_thawed)
{
    struct model *model = with_member();
    model->peers[0].is_frozen = true;
    pass_in_steps(model, HOLD_MS / 2);
    cr_expect_eq(leases(model), 1);
    cr_expect_gt(held_ms(model, 0), 0);
    model->peers[0].is_frozen = false;
    pass_in_steps(model, TTL_MS); /* in which it is found thawed */
    cr_expect_eq(leases(model), 1);
    cr_expect_eq(held_ms(model, 0), 0);
    pass_in_steps(model, 2 * TTL_MS);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

Test(hold, the_time_is_bounded_and_begins_anew_with_a_renewal_alone)
{
    struct model *model = with_member();
    model->peers[0].is_frozen = true;
    pass_in_steps(model, HOLD_MS / 2);
    model->peers[0].is_frozen = false;
    pass_in_steps(model, TTL_MS); /* it does not renew: what it does next is all of one time */
    model->peers[0].is_frozen = true;
    pass_in_steps(model, HOLD_MS / 2);
    cr_expect_eq(leases(model), 1);
    pass_in_steps(model, 2 * TTL_MS);
    cr_expect_eq(leases(model), 0);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, TTL_MS));
    (void)model_renew(model, 0);
    pass_in_steps(model, HOLD_MS);
    cr_expect_eq(leases(model), 1, "the renewal showed that it ran");
    pass_in_steps(model, 3 * TTL_MS);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

Test(hold, who_is_not_frozen_expires_after_one_look)
{
    struct model *model = with_member();
    model_pass(model, TTL_MS - 1);
    cr_expect_eq(model->looks, 0, "no look before it is needed");
    model_pass(model, 1);
    cr_expect_eq(model->looks, 1);
    model_pass(model, BEAT_MS);
    cr_expect_eq(leases(model), 0);
    cr_expect_eq(model->looks, 1);
    model_free(model);
}

Test(hold, nobody_else_is_looked_at)
{
    struct model *model = with_member();
    granted(model_acquire(model, 1, MIB, LOCATION_RAM, TTL_MS));
    model->peers[1].is_frozen = true;
    model->options.settings.reservations.hold_ms = 0;
    model_configure(model);
    model_pass(model, TTL_MS);
    cr_expect_eq(leases(model), 0);
    cr_expect_eq(model->looks, 0);
    model_free(model);
}

/* The second look is asked for when the first is given up. */
Test(hold, a_look_without_an_answer_is_not_waited_for)
{
    struct model *model = with_member();
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 3 * TTL_MS));
    model->hold_looks = true;
    pass_in_steps(model, TTL_MS + 1500);
    cr_expect_eq(leases(model), 2);
    pass_in_steps(model, 1000);
    cr_expect_eq(leases(model), 1);
    pass_in_steps(model, 3000);
    cr_expect_eq(model->looks, 2);
    cr_expect_eq(leases(model), 1, "its own look is awaited as long");
    pass_in_steps(model, 1500);
    cr_expect_eq(leases(model), 0);
    model_finish(model);
    model_free(model);
}

/* And one that was lost while it is held is asked for again. */
Test(hold, a_held_member_is_looked_at_again_after_a_lost_look)
{
    struct model *model = with_member();
    model->peers[0].is_frozen = true;
    pass_in_steps(model, 2 * TTL_MS);
    model->hold_looks = true;
    pass_in_steps(model, 2 * TTL_MS);
    size_t looks = model->looks;
    model->peers[0].look = 0;
    model->hold_looks = false;
    model->peers[0].is_frozen = false;
    pass_in_steps(model, 4 * TTL_MS);
    cr_expect_gt(model->looks, looks);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

/* A check of either lease asks, but not before half of that lease's TTL has passed since the answer. */
Test(hold, a_frozen_member_is_looked_at_again_after_half_a_ttl)
{
    enum { SECOND_TTL_MS = 2400 };
    struct model *model = with_member();
    model->peers[0].is_frozen = true;
    model_pass(model, TTL_MS - SECOND_TTL_MS / 4);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, SECOND_TTL_MS)); /* checked after three quarters of it */
    model_pass(model, SECOND_TTL_MS / 4);
    cr_expect_eq(model->looks, 1);
    model_pass(model, BEAT_MS);
    cr_expect_eq(model->looks, 1, "it was answered just now");
    model_pass(model, SECOND_TTL_MS / 2 - BEAT_MS);
    cr_expect_eq(model->looks, 2);
    cr_expect_eq(leases(model), 2);
    model_free(model);
}

Test(hold, a_frozen_member_that_lost_its_connection_keeps_its_session)
{
    struct model *model = with_member();
    model->peers[0].is_frozen = true;
    disconnect(model, 0);
    pass_in_steps(model, HOLD_MS / 2);
    cr_expect_eq(leases(model), 1);
    model->peers[0].is_frozen = false;
    pass_in_steps(model, GRACE_MS);
    cr_expect_eq(leases(model), 1, "it has its grace when it is thawed");
    pass_in_steps(model, 2 * GRACE_MS);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

Test(hold, the_grace_ends_for_who_is_not_frozen_or_is_beyond_the_limit)
{
    struct model *model = with_member();
    disconnect(model, 0);
    model_pass(model, GRACE_MS);
    cr_expect_eq(leases(model), 1);
    model_pass(model, BEAT_MS);
    cr_expect_eq(leases(model), 0);
    cr_expect_eq(model->looks, 1);
    model_open_in(model, 2, "in", "/job\n");
    granted(model_acquire(model, 2, MIB, LOCATION_RAM, TTL_MS));
    model->peers[2].is_frozen = true;
    disconnect(model, 2);
    pass_in_steps(model, HOLD_MS);
    cr_expect_eq(leases(model), 1);
    pass_in_steps(model, 3 * GRACE_MS);
    cr_expect_eq(leases(model), 0);
    model_open_in(model, 3, "in", "/job\n");
    granted(model_acquire(model, 3, MIB, LOCATION_RAM, TTL_MS));
    model->hold_looks = true;
    disconnect(model, 3);
    pass_in_steps(model, GRACE_MS + 1500);
    cr_expect_eq(leases(model), 1);
    pass_in_steps(model, 1000);
    cr_expect_eq(leases(model), 0, "no answer came");
    model_free(model);
}

/* When it is resumed, no lease was filed under the time until which it would have been held. */
Test(hold, a_suspended_reservation_holds_its_members)
{
    struct model *model = with_member();
    cr_expect_eq(ask(model, to_suspend("job", false)), 0);
    cr_expect(entry_of(model, "job").is_suspended && entry_of(model, "job").held_ms == HOLD_MS);
    pass_in_steps(model, HOLD_MS / 4);
    cr_expect_eq(ask(model, to_suspend("job", false)), 0, "again: nothing changes");
    cr_expect_eq(entry_of(model, "job").held_ms, HOLD_MS * 3 / 4);
    cr_expect_eq(held_ms(model, 0), HOLD_MS * 3 / 4);
    cr_expect_eq(held_ms(model, 1), 0);
    cr_expect_eq(leases(model), 1);
    cr_expect_eq(model->looks, 0);
    cr_expect_eq(ask(model, to_suspend("job", true)), 0);
    cr_expect_eq(ask(model, to_suspend("job", true)), 0);
    cr_expect_not(entry_of(model, "job").is_suspended);
    pass_in_steps(model, TTL_MS - 500);
    cr_expect_eq(leases(model), 1);
    pass_in_steps(model, 1000);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

Test(hold, a_suspension_ends_by_itself)
{
    struct model *model = with_member();
    granted(model_acquire(model, 1, MIB, LOCATION_RAM, TTL_MS));
    cr_expect_eq(ask(model, to_suspend("job", false)), 0);
    pass_in_steps(model, HOLD_MS + TTL_MS - 500);
    cr_expect_eq(leases(model), 1);
    cr_expect_eq(entry_of(model, "job").held_ms, 0);
    cr_expect_eq(ask(model, to_suspend("job", false)), 0);
    pass_in_steps(model, 1000);
    cr_expect_eq(leases(model), 0, "to ask again does not prolong it");
    model_free(model);
}

Test(hold, a_suspension_holds_the_grace_of_a_member_and_ends_for_it)
{
    struct model *model = with_member();
    disconnect(model, 0);
    cr_expect_eq(ask(model, to_suspend("job", false)), 0);
    pass_in_steps(model, HOLD_MS / 2);
    cr_expect_eq(leases(model), 1);
    cr_expect_eq(ask(model, to_suspend("job", true)), 0);
    pass_in_steps(model, GRACE_MS - 500);
    cr_expect_eq(leases(model), 1);
    pass_in_steps(model, 1500);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

/* The freezer goes on to hold it. */
Test(hold, a_member_that_is_frozen_is_held_when_its_reservation_is_resumed)
{
    struct model *model = with_member();
    model->peers[0].is_frozen = true;
    pass_in_steps(model, 2 * TTL_MS);
    cr_expect_eq(ask(model, to_suspend("job", false)), 0);
    pass_in_steps(model, 2 * TTL_MS);
    cr_expect_eq(ask(model, to_suspend("job", true)), 0);
    pass_in_steps(model, 4 * TTL_MS);
    cr_expect_eq(leases(model), 1);
    cr_expect_gt(held_ms(model, 0), 0);
    model_free(model);
}

Test(hold, a_restart_keeps_a_suspension_and_looks_anew_at_the_frozen)
{
    struct model *model = with_member();
    model_open_in(model, 2, "frozen", "/other\n");
    cr_expect_eq(reserve(model, "other", MIB, "/other\n"), 0);
    granted(model_acquire(model, 2, MIB / 2, LOCATION_RAM, TTL_MS));
    model->peers[2].is_frozen = true;
    cr_expect_eq(ask(model, to_suspend("job", false)), 0);
    pass_in_steps(model, HOLD_MS / 4);
    model_restart(model);
    cr_expect_eq(entry_of(model, "job").held_ms, HOLD_MS * 3 / 4);
    pass_in_steps(model, HOLD_MS / 2);
    cr_expect_eq(leases(model), 2);
    pass_in_steps(model, HOLD_MS + 2 * GRACE_MS);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

Test(hold, who_may_suspend_and_what_is_refused)
{
    struct model *model = with_member();
    struct request request = to_suspend("job", false);
    cr_expect_eq(ask_as(model, &request, 1001)->error.code, ERROR_NOT_PERMITTED);
    cr_expect_eq(ask(model, to_suspend("none", false)), ERROR_NO_SUCH_RESERVATION);
    cr_expect_eq(ask(model, to_suspend("none", true)), ERROR_NO_SUCH_RESERVATION);
    model->options.settings.reservations.hold_ms = 0;
    model_configure(model);
    cr_expect_eq(ask(model, to_suspend("job", false)), ERROR_INVALID);
    cr_expect_str_eq(last_sentence(model),
                     "the reservation job can't be suspended: [reservations] hold_while_frozen is 0");
    cr_expect_eq(ask(model, to_suspend("job", true)), 0);
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_eq(ask(model, to_suspend("job", true)), ERROR_NO_SUCH_RESERVATION);
    model_free(model);
}

Test(hold, many_graces_that_end_at_once_are_checked_a_few_at_a_time)
{
    struct model *model = with_member();
    for (int peer = 2; peer < MODEL_PEERS - 1; peer++) {
        model_open_in(model, peer, "in", "/job\n");
        granted(model_acquire(model, peer, 4096, LOCATION_RAM, TTL_MS));
        disconnect(model, peer);
    }
    model_pass(model, GRACE_MS);
    model_pass(model, BEAT_MS);
    cr_expect_eq(leases(model), 0);
    model_free(model);
}

Test(hold, the_groups_of_a_members_reservation)
{
    struct model *model = with_member();
    struct reservation_groups groups;
    cr_expect(broker_find_groups(model->broker, model->peers[0].session, &groups));
    cr_expect(groups.control_group_count == 1 && strcmp(groups.control_groups[0], "/job") == 0);
    cr_expect_not(broker_find_groups(model->broker, model->peers[1].session, &groups));
    cr_expect_not(broker_find_groups(model->broker, 99, &groups));
    model_free(model);
}

/* Without memory nothing has changed, whichever way. */
Test(hold, without_memory_a_reservation_is_as_suspended_as_before)
{
    struct model *model = with_member();
    for (int ends = 0; ends < 2; ends++) {
        long number = 0;
        enum error_code code;
        do {
            exhaustion_arm(++number);
            code = ask(model, to_suspend("job", ends));
            exhaustion_arm(0);
            cr_assert_eq(entry_of(model, "job").is_suspended, (code == 0) != ends);
            cr_assert_eq(entry_of(model, "job").held_ms > 0, (code == 0) != ends);
        } while (code != 0);
        cr_expect_gt(number, 1, "none of its allocations failed");
    }
    model_free(model);
}

/* It is revoked like any other, and an answer about who has left the reservation changes nothing. */
Test(hold, a_held_member_of_a_reservation_that_is_given_up_loses_its_leases)
{
    struct model *model = with_member();
    model->peers[0].is_frozen = true;
    pass_in_steps(model, 2 * TTL_MS);
    model->hold_looks = true;
    pass_in_steps(model, 2 * TTL_MS);
    cr_expect_eq(unreserve(model, "job"), 0);
    cr_expect_eq(leases(model), 0);
    cr_expect_eq(held_ms(model, 0), 0, "it grants nothing");
    model_finish(model);
    cr_expect_eq(held_ms(model, 0), 0);
    model_free(model);
}

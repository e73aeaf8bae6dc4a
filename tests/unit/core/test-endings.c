/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of leases, in their order, and what a restart takes over of the others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/deadline.h"
#include "daemon/core/expiry.h"
#include "daemon/core/restore.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/sharing.h"

TestSuite(endings);

/* The place of an effect of this kind among those of the last step; -1: there was none. */
static int place_of(const struct model *model, enum effect_kind kind)
{
    for (size_t i = 0; i < model->effects.count; i++) {
        if (model->effects.effects[i].kind == kind) {
            return (int)i;
        }
    }
    return -1;
}

Test(endings, a_session_ends_with_its_slots_and_is_removed_with_its_memory)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    model->hold_frees = true;
    struct input died = {.kind = INPUT_DIED, .session = session};
    model_feed(model, &died);
    int slot = place_of(model, EFFECT_SLOT), over = place_of(model, EFFECT_SESSION_OVER);
    cr_assert(slot >= 0 && over > slot);
    cr_expect_eq(model->slot_reason, END_DIED);
    cr_expect_eq(model->effects.effects[over].session.session, session);
    cr_expect_lt(place_of(model, EFFECT_SESSION_GONE), 0);
    cr_expect(model->peers[0].is_over);
    model->hold_frees = false;
    model_finish(model);
    cr_expect_geq(place_of(model, EFFECT_SESSION_GONE), 0);
    cr_expect_not(model->peers[0].is_over);
    cr_expect_null(lease_table_find(&model->broker->leases, lease));
    model_free(model);
}

/* Those of one that is over, and has more to end than a step can, are out of the way of others that are due. */
Test(endings, leases_of_a_session_that_has_ended_do_not_delay_expiry)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct input tick = {.kind = INPUT_TICK}, read = {.kind = INPUT_READ};
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    for (int i = 0; i < EFFECTS_MAX; i++) {
        granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 2000));
    }
    uint64_t due = granted(model_acquire(model, 1, MODEL_PAGE, LOCATION_RAM, 2001));
    model->now += 2001 * NANOSECONDS_PER_MILLISECOND;
    struct input died = {.kind = INPUT_DIED, .session = model->peers[0].session};
    model->hold_frees = true;
    model_feed(model, &died);
    const struct session *over = TAILQ_FIRST(&model->broker->sessions.over);
    cr_assert(over && over->lease_count > EXPIRY_LEASES_PER_STEP / 2);
    read.session = model->peers[1].session;
    for (int i = 0; i < 2 && lease_table_find(&model->broker->leases, due); i++) {
        model_feed(model, &read);
        model_feed(model, &tick);
    }
    cr_expect_null(lease_table_find(&model->broker->leases, due));
    model_free(model);
}

Test(endings, leases_of_a_detached_session_do_not_delay_expiry)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct input tick = {.kind = INPUT_TICK}, read = {.kind = INPUT_READ};
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    for (int i = 0; i < EXPIRY_LEASES_PER_STEP / 2; i++) {
        granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 2000));
    }
    uint64_t due = granted(model_acquire(model, 1, MODEL_PAGE, LOCATION_RAM, 2001));
    struct input left = {.kind = INPUT_DISCONNECTED, .session = model->peers[0].session};
    model_feed(model, &left);
    model->now += 2001 * NANOSECONDS_PER_MILLISECOND;
    read.session = model->peers[1].session;
    model_feed(model, &read);
    model_feed(model, &tick);
    cr_expect_null(lease_table_find(&model->broker->leases, due));
    cr_expect_eq(model_status(model).leases, EXPIRY_LEASES_PER_STEP / 2);
    model_free(model);
}

Test(endings, an_ending_is_counted_by_its_reason)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct broker_counters counters;
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    (void)model_release(model, 0, granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0)));
    uint64_t revoked = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    struct request revoke = {.kind = REQUEST_REVOKE, .revoke_lease = revoked};
    cr_expect_eq(model_request(model, 0, &revoke)->kind, REPLY_DONE);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 1000));
    model_pass(model, 1001);
    granted(model_acquire(model, 1, MIB, LOCATION_RAM, 0));
    uint64_t extended = granted(model_acquire(model, 1, MIB, LOCATION_RAM, 0));
    struct request extend = {.kind = REQUEST_EXTEND, .extend = {.lease = extended, .bytes = MIB}};
    granted(model_request(model, 1, &extend));
    struct input died = {.kind = INPUT_DIED, .session = model->peers[1].session};
    model_feed(model, &died);
    counters = model_status(model).counters;
    cr_expect_eq(counters.granted, 5);
    cr_expect_eq(counters.extended, 1);
    cr_expect_eq(counters.released, 1);
    cr_expect_eq(counters.revoked, 1);
    cr_expect_eq(counters.expired, 1);
    cr_expect_eq(counters.died, 2);
    cr_expect_eq(counters.refused, 0);
    model_free(model);
}

/* ---- what is taken over ---- */

static struct kept_session kept_session(uint64_t id)
{
    return (struct kept_session){
        .id = id, .identity = {.pid = 9, .uid = 1000}, .limits = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF}, .name = "kept"};
}

static struct kept_segment kept_segment(void)
{
    return (struct kept_segment){.id = 30,
                                 .lease = 20,
                                 .session = 10,
                                 .key = 77,
                                 .bytes = MIB,
                                 .location = LOCATION_RAM,
                                 .options = {.numa_node = 1, .interleave = true, .prefault = true},
                                 .has_huge_pages = true,
                                 .slot = 3,
                                 .generation = 7,
                                 .ttl_ms = 5000,
                                 .name = "name",
                                 .file = "file",
                                 .file_bytes = 100};
}

Test(endings, saved_sessions_and_leases_are_restored_and_numbers_are_not_reused)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct kept_session session = kept_session(10), session_back;
    struct kept_segment segment = kept_segment(), back;
    int handle, peer;
    session.limits.max_bytes = 8 * MIB;
    session.token.bytes[5] = 4;
    cr_assert_eq(broker_restore_session(model->broker, &session, &peer, model->now), 0);
    cr_assert_eq(broker_restore_segment(model->broker, &segment, &handle, model->now), 0);
    broker_restore_done(model->broker, model->now);
    cr_assert(broker_keep_session(model->broker, 10, &session_back));
    cr_expect_eq(session_back.id, 10);
    cr_expect_eq(session_back.identity.uid, 1000);
    cr_expect_eq(session_back.token.bytes[5], 4);
    cr_expect_eq(session_back.limits.max_bytes, 8 * MIB);
    cr_expect_str_eq(session_back.name, "kept");
    cr_assert(broker_keep_segment(model->broker, 30, &back));
    cr_expect_eq(back.id, 30);
    cr_expect_eq(back.lease, 20);
    cr_expect_eq(back.session, 10);
    cr_expect_eq(back.key, 77);
    cr_expect_eq(back.bytes, MIB);
    cr_expect_eq(back.location, LOCATION_RAM);
    cr_expect(back.options.numa_node == 1 && back.options.interleave && back.options.prefault && back.has_huge_pages);
    cr_expect(back.slot == 3 && back.generation == 7 && back.ttl_ms == 5000 && back.file_bytes == 100);
    cr_expect_str_eq(back.name, "name");
    cr_expect_str_eq(back.file, "file");
    cr_expect_not(broker_keep_session(model->broker, 11, &session_back));
    cr_expect_not(broker_keep_segment(model->broker, 29, &back));
    struct kept_numbers numbers = broker_keep_numbers(model->broker);
    cr_expect(numbers.session == 10 && numbers.lease == 20 && numbers.segment == 30, "given out last");
    broker_restore_numbers(model->broker, &(struct kept_numbers){5, 5, 5, 0});
    numbers = broker_keep_numbers(model->broker);
    cr_expect(numbers.session == 10 && numbers.lease == 20 && numbers.segment == 30, "never back");
    broker_restore_numbers(model->broker, &(struct kept_numbers){UINT64_MAX, UINT64_MAX, UINT64_MAX / 2 + 1, 0});
    numbers = broker_keep_numbers(model->broker);
    cr_expect(numbers.session == 10 && numbers.lease == 20 && numbers.segment == 30, "what is damaged counts nothing");
    broker_restore_numbers(model->broker, &(struct kept_numbers){10, 21, UINT64_MAX / 2, 0});
    numbers = broker_keep_numbers(model->broker);
    cr_expect(numbers.session == 10 && numbers.lease == 21 && numbers.segment == UINT64_MAX / 2);
    cr_expect_eq(model_open(model, 0, LIMIT_DEFAULT), 11);
    cr_expect_eq(granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0)), 22);
    model_free(model);
}

Test(endings, a_restored_session_has_its_grace_time_and_a_restored_lease_its_ttl)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct kept_session session = kept_session(10);
    struct kept_segment segment = kept_segment();
    int handle;
    cr_assert_eq(broker_restore_session(model->broker, &session, (void *)(uintptr_t)1, model->now), 0);
    cr_assert_eq(broker_restore_segment(model->broker, &segment, &handle, model->now), 0);
    broker_restore_done(model->broker, model->now);
    struct lease *lease = lease_table_find(&model->broker->leases, 20);
    struct session *restored = session_table_find(&model->broker->sessions, 10);
    cr_assert(lease && restored);
    cr_expect_eq(restored->grace_until, model->now + 10000 * NANOSECONDS_PER_MILLISECOND);
    cr_expect_eq(restored->renewed_at, model->now);
    cr_expect_eq(deadline_renewed(lease), model->now + 5000 * NANOSECONDS_PER_MILLISECOND);
    cr_expect(lease->has_slot && lease->options.interleave);
    cr_expect_eq(model_status(model).leases, 1);
    broker_free(model->broker);
    model->broker = NULL;
    free(model);
}

/* Bytes that were being freed when the daemon ended are charged only to the host until they are free. */
Test(endings, bytes_being_freed_are_charged_until_they_are_free)
{
    struct model *model = model_new(0, 4 * MIB, 4 * MIB);
    struct kept_segment ram = {.id = 8, .bytes = 3 * MIB, .location = LOCATION_RAM};
    struct kept_segment file = {.id = 9, .bytes = 2 * MIB, .location = LOCATION_MMAP}, bad;
    struct segment_view view;
    int handle;
    cr_assert_eq(broker_restore_freeing(model->broker, &file, &handle, model->now), 0);
    cr_assert_eq(broker_restore_freeing(model->broker, &ram, &handle, model->now), 0);
    cr_expect_eq(broker_restore_freeing(model->broker, &file, &handle, model->now), -EEXIST);
    broker_restore_done(model->broker, model->now);
    cr_expect_null(broker_check(model->broker), "%s", broker_check(model->broker));
    cr_expect(model_status(model).freeing_bytes == 5 * MIB && model_status(model).used_physical_bytes == 3 * MIB);
    cr_assert(broker_next_segment(model->broker, 8, &view));
    cr_expect(view.id == 9 && view.lease == 0 && view.state == SEGMENT_FREEING && view.handle == &handle);
    struct segment *left = segment_tree_next(model->broker, 8);
    left->doomed = true;
    cr_expect_str_eq(broker_check(model->broker), "a segment of nobody is doomed");
    left->doomed = false;
    left->state = SEGMENT_LIVE;
    cr_expect_str_eq(broker_check(model->broker), "a segment of nobody is not being freed");
    left->state = SEGMENT_FREEING;
#define EXPECT_REFUSED(field, value)                                                                                   \
    do {                                                                                                               \
        bad = (struct kept_segment){.id = 10, .bytes = MIB, .location = LOCATION_RAM};                                 \
        bad.field = (value);                                                                                           \
        cr_expect_eq(broker_restore_freeing(model->broker, &bad, &handle, model->now), -EINVAL, "%s", #field);         \
    } while (0)
    EXPECT_REFUSED(id, 0);
    EXPECT_REFUSED(id, UINT64_MAX);
    EXPECT_REFUSED(bytes, 0);
    EXPECT_REFUSED(bytes, 100);
    EXPECT_REFUSED(bytes, UINT64_C(1) << 62);
    EXPECT_REFUSED(location, LOCATION_AUTO);
    bad = (struct kept_segment){.id = 10, .bytes = MIB, .location = LOCATION_RAM};
    exhaustion_arm(1);
    cr_expect_eq(broker_restore_freeing(model->broker, &bad, &handle, model->now), -ENOMEM);
    exhaustion_arm(0);
    cr_expect_eq(broker_keep_numbers(model->broker).segment, 9);
    for (uint64_t id = 8; id <= 9; id++) {
        struct input freed = {.kind = INPUT_SEGMENT_FREED, .segment = {.segment = id}};
        broker_step(model->broker, &freed, model->now, &model->effects);
        cr_expect_null(broker_check(model->broker), "%s", broker_check(model->broker));
    }
    cr_expect_eq(model_status(model).used_bytes, 0);
    cr_expect_eq(model_status(model).segments, 0);
    model_free(model);
}

/* For the log: whose lease it was, how large, and who revoked it. */
Test(endings, a_revocation_is_logged_with_the_user_and_the_lease)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open_as(model, 0, "owner", 1001);
    model_open_as(model, 1, "another", 1001);
    struct request named = {.kind = REQUEST_ACQUIRE,
                            .acquire = {.bytes = 3 * MIB, .location = LOCATION_RAM, .name = "arena", .numa_node = -1}};
    const struct reply *reply = model_request(model, 0, &named);
    uint64_t lease = granted(reply);
    struct request revoke = {.kind = REQUEST_REVOKE, .revoke_lease = lease};
    cr_assert_eq(model_request(model, 1, &revoke)->kind, REPLY_DONE);
    const struct effect_ended *ended = &model->ended;
    cr_expect(ended->lease == lease && ended->bytes == 3 * MIB && ended->location == LOCATION_RAM);
    cr_expect_eq(ended->reason, END_REVOKED);
    cr_expect_str_eq(ended->name, "arena");
    cr_expect_str_eq(ended->client, "owner");
    cr_expect(!ended->cause.is_request && ended->cause.pid == 101 && ended->cause.uid == 1001);
    lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 1000));
    model_pass(model, 1001);
    cr_expect(ended->lease == lease && ended->reason == END_EXPIRED && ended->cause.pid == 0);
    model_free(model);
}

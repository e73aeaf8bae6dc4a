/* SPDX-License-Identifier: Apache-2.0 */
/* Restarts and repetitions. Random restarts: test-sequences.c. */
#include <errno.h>
#include <string.h>

#include "daemon/core/restore.h"
#include "tests/unit/core/shell_model.h"

#define MIB UINT64_C(1048576)

TestSuite(restore);

static const struct reply *acquire(struct model *model, uint64_t bytes, uint64_t repeats)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = bytes, .location = LOCATION_RAM, .numa_node = -1, .name = "kept", .repeats = repeats};
    return model_request(model, 0, &request);
}

static const struct reply *extend(struct model *model, uint64_t lease, uint64_t bytes, uint64_t repeats)
{
    struct request request = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = bytes, .repeats = repeats}};
    return model_request(model, 0, &request);
}

static void resume(struct model *model)
{
    struct input resumed = {.kind = INPUT_RESUMED, .session = model->peers[0].session, .peer = (void *)(uintptr_t)1};
    model_feed(model, &resumed);
}

Test(restore, a_restart_keeps_leases_with_slot_generation_and_time)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    struct grant_reply first = acquire(model, 5 * MIB, 0)->grant;
    struct grant_reply second = acquire(model, MIB, 0)->grant;
    model_release(model, 0, first.lease);
    struct grant_reply third = acquire(model, 2 * MIB, 0)->grant;
    cr_assert(extend(model, third.lease, 3 * MIB, 0)->kind == REPLY_GRANT);
    model_restart(model);
    cr_expect_eq(model_status(model).used_physical_bytes, 6 * MIB);
    cr_expect_eq(model_status(model).leases, 2);
    model_pass(model, 9000);
    resume(model);
    model_pass(model, 29000);
    cr_expect_eq(model_status(model).leases, 2, "the deadline began anew with the resumption");
    struct grant_reply fourth = acquire(model, MIB, 0)->grant;
    cr_expect_gt(fourth.lease, third.lease, "no number is given out twice");
    cr_expect_gt(fourth.segment, third.segment);
    cr_expect(fourth.slot != second.slot && fourth.slot != third.slot);
    model_release(model, 0, second.lease);
    model_pass(model, 40000);
    cr_expect_eq(model_status(model).leases, 0, "and who does not renew loses it, as ever");
    model_free(model);
}

Test(restore, a_session_that_is_not_resumed_ends_after_the_grace_time)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    (void)acquire(model, 5 * MIB, 0);
    model_restart(model);
    model_pass(model, 9999);
    cr_expect_eq(model_status(model).used_bytes, 5 * MIB);
    model_pass(model, 2);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}

Test(restore, restored_leases_may_exceed_a_lowered_limit)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    (void)acquire(model, 60 * MIB, 0);
    model->options.settings.limits.max_physical_bytes = 10 * MIB;
    model_restart(model);
    resume(model);
    cr_expect_eq(model_status(model).used_physical_bytes, 60 * MIB);
    cr_expect_eq(acquire(model, 4096, 0)->kind, REPLY_ERROR);
    model_free(model);
}

Test(restore, contradictory_records_are_not_restored)
{
    struct model *model = model_new(0, 0, 0);
    struct kept_segment kept = {
        .id = 1, .lease = 1, .session = 1, .bytes = 4096, .location = LOCATION_RAM, .generation = 1};
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -ENOENT);
    struct kept_session session = {.id = 1, .name = "s"};
    cr_assert(broker_restore_session(model->broker, &session, NULL, model->now) == 0);
    kept.bytes = 5;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -EINVAL);
    kept.bytes = 4096;
    kept.generation = 2;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -EINVAL);
    kept.generation = 1;
    kept.location = LOCATION_AUTO;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -EINVAL);
    kept.location = LOCATION_UNSPECIFIED;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -EINVAL);
    kept.location = LOCATION_MMAP;
    kept.ttl_ms = 1000;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), 0);
    kept.id = 2;
    kept.location = LOCATION_RAM;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -EINVAL,
                 "another location, same lease");
    kept.lease = 2;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -EINVAL, "another lease, same slot");
    kept = (struct kept_segment){.id = 3, .lease = 3, .session = 1, .bytes = 4096, .location = LOCATION_MMAP};
    kept.slot = 1;
    kept.generation = 1;
    kept.file[0] = 'f';
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), 0);
    kept.id = kept.lease = 4;
    kept.slot = 2;
    cr_expect_eq(broker_restore_segment(model->broker, &kept, NULL, model->now), -EINVAL, "another lease, same file");
    cr_expect_eq(broker_peer_of(model->broker, 9), NULL);
    cr_expect_eq(broker_peer_of(model->broker, 1), NULL, "nobody has resumed it");
    broker_restore_done(model->broker, model->now);
    cr_expect_null(broker_check(model->broker));
    model_free(model);
}

Test(restore, a_repetition_is_granted_once)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    struct grant_reply first = acquire(model, 5 * MIB, 0)->grant;
    uint64_t key = model->next_request;
    struct grant_reply again = acquire(model, 5 * MIB, key)->grant;
    cr_expect(again.lease == first.lease && again.segment == first.segment && again.generation == first.generation);
    model_restart(model);
    resume(model);
    cr_expect_eq(acquire(model, 5 * MIB, key)->grant.lease, first.lease, "also after a restart");
    struct grant_reply more = extend(model, first.lease, MIB, 0)->grant;
    key = model->next_request;
    cr_expect_eq(extend(model, first.lease, MIB, key)->grant.segment, more.segment);
    cr_expect_eq(model_status(model).used_bytes, 6 * MIB);
    struct grant_reply fresh = acquire(model, MIB, 123456)->grant;
    cr_expect_neq(fresh.lease, first.lease, "a repetition of what never came is new");
    cr_expect_eq(acquire(model, MIB, 123456)->grant.lease, fresh.lease, "and is remembered by the first one's number");
    model_free(model);
}

Test(restore, each_of_several_waiting_requests_is_repeated_by_itself)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = acquire(model, 20 * MIB, 0)->grant.lease, large = acquire(model, 40 * MIB, 0)->grant.lease;
    model->hold_frees = true;
    model_release(model, 0, large);
    cr_expect_null(acquire(model, 10 * MIB, 0), "it waits for the bytes");
    uint64_t first = model->next_request;
    cr_expect_null(extend(model, lease, 11 * MIB, 0));
    uint64_t second = model->next_request;
    cr_expect_null(extend(model, lease, 11 * MIB, second));
    uint64_t repeated = model->next_request;
    cr_expect_null(extend(model, lease, 11 * MIB, first), "it claims to repeat an acquire: that goes on as it was");
    uint64_t mistaken = model->next_request;
    cr_expect_null(extend(model, lease, 11 * MIB, second), "a repetition is repeated");
    uint64_t again = model->next_request;
    model->hold_frees = false;
    model_finish(model);
    cr_expect(!model_answer(model, first) && !model_answer(model, second) && !model_answer(model, repeated));
    const struct reply *acquired = model_answer(model, mistaken), *extended = model_answer(model, again);
    cr_assert(acquired && extended);
    cr_expect_eq(acquired->grant.bytes, 10 * MIB);
    cr_expect_neq(acquired->grant.lease, lease);
    cr_expect_eq(extended->grant.lease, lease);
    cr_expect_eq(model_status(model).used_bytes, 41 * MIB);
    model_free(model);
}

Test(restore, only_living_leases_are_saved)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct kept_session session;
    struct kept_segment segment;
    model_open(model, 0, LIMIT_DEFAULT);
    cr_expect_not(broker_keep_segment(model->broker, 1, &segment), "there is none at all");
    struct grant_reply grant = acquire(model, MIB, 0)->grant, next = acquire(model, MIB, 0)->grant;
    cr_expect(broker_keep_session(model->broker, model->peers[0].session, &session));
    cr_expect_not(broker_keep_session(model->broker, model->peers[0].session + 1, &session));
    cr_expect(broker_keep_segment(model->broker, grant.segment, &segment));
    model_release(model, 0, grant.lease);
    cr_expect_not(broker_keep_segment(model->broker, grant.segment, &segment), "the next one is another");
    model->hold_frees = true;
    model_release(model, 0, next.lease);
    cr_expect_not(broker_keep_segment(model->broker, next.segment, &segment), "it is being freed");
    model_free(model);
}

Test(restore, a_repetition_takes_over_a_request_in_progress)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model->hold_makes = true;
    cr_expect_null(acquire(model, 60 * MIB, 0));
    uint64_t key = model->next_request;
    cr_expect_null(acquire(model, 60 * MIB, key));
    model->hold_makes = false;
    model_finish(model);
    cr_expect_null(model_answer(model, key));
    struct grant_reply grant = model_answer(model, model->next_request)->grant;
    model->hold_frees = true;
    model_release(model, 0, grant.lease);
    cr_expect_null(acquire(model, 10 * MIB, 0), "it waits for the bytes");
    key = model->next_request;
    cr_expect_null(acquire(model, 10 * MIB, key));
    model->hold_frees = false;
    model_finish(model);
    cr_expect_null(model_answer(model, key));
    cr_assert(model_answer(model, model->next_request));
    cr_expect_eq(model_status(model).used_bytes, 10 * MIB, "not twice");
    model_free(model);
}

Test(restore, numbers_that_were_never_assigned_are_not_continued)
{
    static const struct kept_numbers wild = {UINT64_MAX, UINT64_MAX, UINT64_MAX, 0}, sane = {10, 20, 30, 0};
    struct model *model = model_new(0, 64 * MIB, 0);
    struct kept_session last = {.id = UINT64_MAX};
    broker_restore_numbers(model->broker, &wild);
    cr_expect_eq(broker_restore_session(model->broker, &last, NULL, model->now), -EINVAL);
    broker_restore_numbers(model->broker, &sane);
    cr_expect_eq(model_open(model, 0, LIMIT_DEFAULT), 11);
    struct grant_reply grant = acquire(model, MIB, 0)->grant;
    cr_expect_eq(grant.lease, 21);
    cr_expect_eq(grant.segment, 31);
    model_free(model);
}

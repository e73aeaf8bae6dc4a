/* SPDX-License-Identifier: Apache-2.0 */
/* The core's rules, one by one. */
#include <errno.h>
#include <string.h>

#include "tests/unit/core/sharing.h"

Test(rules, at_the_limit_is_allowed_and_a_page_over_is_not)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 0));
    const struct reply *reply = model_acquire(model, 0, 1, LOCATION_RAM, 0);
    refused(reply, ERROR_LIMIT);
    cr_expect_str_eq(reply->error.refusal.limit, "max_physical_bytes");
    cr_expect_eq(reply->error.refusal.asked_bytes, 4096);
    cr_expect_eq(reply->error.refusal.used_bytes, 16 * MIB);
    cr_expect_eq(reply->error.refusal.free_bytes, 0);
    cr_expect_eq(reply->error.refusal.holder_count, 1);
    cr_expect_eq(reply->error.refusal.holders[0].bytes, 16 * MIB);
    model_free(model);
}

Test(rules, a_clients_limits_are_twice_its_heap)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, 8 * MIB);
    granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 0));
    const struct reply *reply = model_acquire(model, 0, 1, LOCATION_MMAP, 0);
    refused(reply, ERROR_LIMIT);
    cr_expect_str_eq(reply->error.refusal.whose, "client");
    cr_expect_str_eq(reply->error.refusal.limit, "max_bytes");
    model_free(model);
}

Test(rules, auto_takes_ram_first_then_a_file)
{
    struct model *model = model_new(0, 16 * MIB, 8 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    cr_expect_eq(model_acquire(model, 0, 10 * MIB, LOCATION_AUTO, 0)->grant.location, LOCATION_RAM);
    cr_expect_eq(model_acquire(model, 0, 8 * MIB, LOCATION_AUTO, 0)->grant.location, LOCATION_MMAP);
    refused(model_acquire(model, 0, 8 * MIB, LOCATION_AUTO, 0), ERROR_LIMIT);
    model_free(model);
}

Test(rules, auto_goes_to_a_file_when_the_kernel_has_no_ram)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model->fail_error = -ENOMEM;
    cr_expect_eq(model_acquire(model, 0, MIB, LOCATION_AUTO, 0)->grant.location, LOCATION_MMAP);
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    cr_expect_eq(model_status(model).used_physical_bytes, 0);
    cr_expect_eq(model_status(model).used_mapped_bytes, MIB);
    model_free(model);
}

Test(rules, the_host_must_have_it_available_too)
{
    struct model *model = model_new(0, 0, 0);
    struct input seen = {.kind = INPUT_HOST_MEMORY, .host = {10 * MIB, 64 * MIB}};
    model_open(model, 0, LIMIT_DEFAULT);
    model_feed(model, &seen);
    uint64_t lease = granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0));
    refused(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    cr_expect_eq(model_acquire(model, 0, 6 * MIB, LOCATION_AUTO, 0)->grant.location, LOCATION_MMAP);
    model_release(model, 0, lease);
    granted(model_acquire(model, 0, 10 * MIB, LOCATION_RAM, 0));
    model_free(model);
}

Test(rules, requests_wait_in_order_for_bytes_being_freed)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    struct request small = {.kind = REQUEST_ACQUIRE};
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 0));
    model->hold_frees = true;
    model_release(model, 0, lease);
    cr_expect_eq(model_status(model).used_bytes, 16 * MIB, "counted until it is free");
    cr_expect_eq(model_status(model).freeing_bytes, 16 * MIB);
    cr_expect_null(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0), "it waits");
    small.acquire = (struct acquire_request){.bytes = 8 * MIB, .location = LOCATION_RAM, .numa_node = -1};
    refused(model_request(model, 1, &small), ERROR_LIMIT); /* it would not fit beside that */
    small.acquire.bytes = 4 * MIB;
    cr_expect_null(model_request(model, 1, &small), "but this will");
    model->hold_frees = false;
    model_finish(model);
    cr_expect_eq(model_status(model).used_bytes, 16 * MIB);
    granted(model_answer(model, small.id));
    model_free(model);
}

static void see_host(struct model *model, uint64_t available)
{
    struct input seen = {.kind = INPUT_HOST_MEMORY, .host = {available, 64 * MIB}};
    model_feed(model, &seen);
}

Test(rules, a_page_being_freed_makes_no_request_wait_for_gigabytes)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 0));
    see_host(model, 4 * MIB);
    model->hold_frees = true;
    model_release(model, 0, lease);
    refused(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    cr_expect_null(model_acquire(model, 0, 4 * MIB + MODEL_PAGE, LOCATION_RAM, 0), "this is a matter of the page");
    uint64_t request = model->next_request;
    model_pass(model, 4999);
    cr_expect_null(model_answer(model, request));
    model_pass(model, 1);
    refused(model_answer(model, request), ERROR_HOST_MEMORY); /* it said it would not wait */
    model_free(model);
}

Test(rules, a_deadline_holds_while_something_is_being_freed)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 60000));
    model->hold_frees = true;
    model_release(model, 0, lease);
    cr_expect_null(model_acquire_waiting(model, 0, 8 * MIB, 3000));
    uint64_t request = model->next_request;
    model_pass(model, 2999);
    cr_expect_null(model_answer(model, request));
    model_pass(model, 1);
    refused(model_answer(model, request), ERROR_LIMIT);
    model_free(model);
}

Test(rules, a_session_that_ends_takes_its_waiting_requests_with_it)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 16 * MIB, LOCATION_RAM, 0));
    model->hold_frees = true;
    model_release(model, 0, lease);
    cr_expect_null(model_acquire(model, 1, 16 * MIB, LOCATION_RAM, 0));
    struct input died = {.kind = INPUT_DIED, .session = model->peers[1].session};
    model_feed(model, &died);
    model->hold_frees = false;
    model_finish(model);
    cr_expect_eq(model_status(model).used_bytes, 0);
    cr_expect_eq(model_status(model).sessions, 1);
    model_free(model);
}

Test(rules, a_lease_expires_at_its_deadline_and_not_before)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 4000));
    model_pass(model, 2999);
    cr_expect_eq(model_events(model, 0, EVENT_EXPIRING), 0);
    model_pass(model, 1);
    cr_expect_eq(model_events(model, 0, EVENT_EXPIRING), 1, "the warning comes when a quarter is left");
    model_pass(model, 999);
    cr_expect_eq(model_status(model).leases, 1);
    model_pass(model, 1);
    cr_expect_eq(model_status(model).leases, 0);
    cr_expect_eq(model_events(model, 0, EVENT_LEASE_ENDED), 1);
    cr_expect_eq(model->slot_reason, END_EXPIRED);
    cr_expect_eq(model_status(model).counters.expired, 1);
    refused(model_release(model, 0, lease), ERROR_LEASE_ENDED);
    model_free(model);
}

Test(rules, one_renewal_renews_all_leases_and_a_late_one_reports_the_end)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t first = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 2000));
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 3000));
    for (int i = 0; i < 20; i++) {
        model_pass(model, 1500);
        cr_expect_eq(model_renew(model, 0)->renewed.leases, 2);
    }
    cr_expect_eq(model_events(model, 0, EVENT_LEASE_ENDED), 0);
    model_pass(model, 2000);
    cr_expect_eq(model_status(model).leases, 1);
    struct lease_use use = {.lease = first, .used_bytes = 1};
    struct request late = {.kind = REQUEST_RENEW, .renew = {.use = &use, .use_count = 1}};
    const struct reply *reply = model_request(model, 0, &late);
    cr_expect_eq(reply->renewed.leases, 1);
    cr_expect_eq(reply->renewed.ended_count, 1);
    cr_expect_eq(reply->renewed.ended[0].lease, first);
    cr_expect_eq(reply->renewed.ended[0].reason, END_EXPIRED);
    model_free(model);
}

Test(rules, no_lease_expires_before_its_client_was_read)
{
    struct model *model = model_new(0, 0, 0);
    struct input tick = {.kind = INPUT_TICK};
    void *peers[4];
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 1000));
    model->now += 5 * NANOSECONDS_PER_SECOND;
    model_feed(model, &tick);
    cr_expect_eq(model_status(model).leases, 1, "its client may have sent a renewal");
    cr_expect_eq(broker_peers_to_read(model->broker, model->now, peers, 4), 1);
    model_renew(model, 0); /* it had */
    struct input read = {.kind = INPUT_READ, .session = model->peers[0].session};
    model_feed(model, &read);
    model_feed(model, &tick);
    cr_expect_eq(model_status(model).leases, 1);
    model_free(model);
}

Test(rules, a_lease_that_ends_while_it_is_created_leaves_nothing)
{
    struct model *model = model_new(0, 0, 0);
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_status(model).used_bytes, MIB, "charged before it exists");
    struct input died = {.kind = INPUT_DIED, .session = session};
    model_feed(model, &died);
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(model_status(model).used_bytes, 0);
    cr_expect_eq(model->segment_count, 0);
    cr_expect_eq(model_status(model).counters.granted, 0);
    model_free(model);
}

Test(rules, only_the_owner_root_and_the_daemons_user_revoke)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    struct request revoke = {.id = 900001, .kind = REQUEST_REVOKE, .revoke_lease = lease};
    struct input input = {.kind = INPUT_REQUEST, .peer = (void *)(uintptr_t)20};
    input.request = (struct input_request){.identity = {.uid = 1001}, .request = &revoke};
    model_feed(model, &input);
    refused(model_answer(model, 900001), ERROR_NOT_PERMITTED);
    revoke.id = 900002;
    input.request.identity.uid = 7;
    model_feed(model, &input);
    cr_expect_eq(model_answer(model, 900002)->kind, REPLY_DONE);
    cr_expect_eq(model->slot_reason, END_REVOKED);
    cr_expect_eq(model_events(model, 0, EVENT_LEASE_ENDED), 1);
    model_free(model);
}

Test(rules, lowering_a_limit_revokes_nothing_and_grants_nothing)
{
    struct model *model = model_new(0, 16 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 12 * MIB, LOCATION_RAM, 0));
    model->options.settings.limits = (struct byte_limits){LIMIT_OFF, 8 * MIB, LIMIT_OFF};
    model_configure(model);
    cr_expect_eq(model_status(model).leases, 1);
    refused(model_acquire(model, 0, 4096, LOCATION_RAM, 0), ERROR_LIMIT);
    model_release(model, 0, lease);
    granted(model_acquire(model, 0, 8 * MIB, LOCATION_RAM, 0));
    model_free(model);
}

Test(rules, extents_end_with_their_lease)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_MMAP, 0));
    for (unsigned i = 1; i < LEASE_EXTENTS_MAX; i++) {
        struct request extend = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = MIB}};
        const struct reply *reply = model_request(model, 0, &extend);
        cr_assert_eq(reply->kind, REPLY_GRANT);
        cr_expect_eq(reply->grant.extents, i + 1);
        cr_expect_eq(reply->grant.location, LOCATION_MMAP);
    }
    struct request more = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = MIB}};
    refused(model_request(model, 0, &more), ERROR_TOO_MANY);
    cr_expect_eq(model_status(model).used_mapped_bytes, LEASE_EXTENTS_MAX * MIB);
    model_release(model, 0, lease);
    cr_expect_eq(model_status(model).used_bytes, 0);
    refused(model_request(model, 0, &more), ERROR_LEASE_ENDED);
    model_free(model);
}

Test(rules, hundreds_of_leases_end_in_bounded_steps)
{
    struct model *model = model_new(0, 0, 0);
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    for (int i = 0; i < 600; i++) {
        granted(model_acquire(model, i % 2, MODEL_PAGE, LOCATION_RAM, 1000));
    }
    struct input died = {.kind = INPUT_DIED, .session = session};
    model->hold_frees = true;
    model_feed(model, &died);
    cr_expect_eq(broker_next_wakeup(model->broker), 0, "work is left, and is asked for at once");
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 2000);
    cr_expect_eq(model_status(model).leases, 0);
    cr_expect_eq(model_status(model).used_bytes, 0);
    cr_expect_eq(model_status(model).counters.died, 300);
    cr_expect_eq(model_status(model).counters.expired, 300);
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    model_free(model);
}

Test(rules, a_session_that_has_ended_is_granted_nothing)
{
    struct model *model = model_new(0, 0, 0);
    struct input nothing = {.kind = INPUT_READ};
    uint64_t session = model_open(model, 0, LIMIT_DEFAULT);
    for (int i = 0; i < 600; i++) {
        granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 0));
    }
    model->hold_makes = model->hold_frees = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    struct input died = {.kind = INPUT_DIED, .session = session};
    model_feed(model, &died);
    cr_assert_gt(model_status(model).leases, 100, "more than one step's work");
    model->peers[0].session = 0; /* the model must not see a grant from here on */
    model->hold_makes = false;
    model_feed(model, &nothing); /* the segment is made now; the model fails if it is granted */
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 1);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}

Test(rules, shutdown_drains_everything)
{
    struct model *model = model_new(0, 0, 0);
    for (int peer = 0; peer < 20; peer++) {
        model_open(model, peer, LIMIT_DEFAULT);
        for (int i = 0; i < 10; i++) {
            granted(model_acquire(model, peer, MIB, LOCATION_RAM, 0));
        }
    }
    struct input shutdown = {.kind = INPUT_SHUTDOWN};
    cr_expect_not(broker_is_empty(model->broker), "it is not on its way to its end");
    model->hold_frees = true;
    model_feed(model, &shutdown);
    cr_expect_not(broker_is_empty(model->broker), "not all sessions have had their turn");
    model_pass(model, 1);
    model_pass(model, 1);
    cr_expect_not(broker_is_empty(model->broker), "segments are being freed");
    model->hold_frees = false;
    model_finish(model);
    model_pass(model, 1);
    cr_expect(broker_is_empty(model->broker));
    model_free(model);
}

Test(rules, invalid_values_are_refused)
{
    struct model *model = model_new(0, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    refused(model_acquire(model, 0, 0, LOCATION_RAM, 0), ERROR_INVALID);
    refused(model_acquire(model, 0, UINT64_MAX, LOCATION_RAM, 0), ERROR_INVALID);
    refused(model_acquire(model, 0, UINT64_MAX / 2, LOCATION_RAM, 0), ERROR_INVALID);
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 999), ERROR_INVALID);
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 60001), ERROR_INVALID);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    refused(model_release(model, 0, 4711), ERROR_NO_SUCH_LEASE);
    model_free(model);
}

/* ---- named files ---- */

static const struct reply *acquire_file(struct model *model, uint64_t bytes, uint64_t file_bytes, enum location where)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = where, .numa_node = -1, .file = "name"};
    model->file_bytes = file_bytes;
    return model_request(model, 0, &request);
}

Test(rules, a_named_file_that_is_longer_sets_the_size_and_is_charged_in_whole_pages)
{
    struct model *model = model_new(0, 0, 16 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    const struct reply *reply = acquire_file(model, 0, 5000, LOCATION_MMAP);
    uint64_t lease = granted(reply);
    cr_expect_eq(reply->grant.file_bytes, 5000);
    cr_expect_eq(reply->grant.bytes, 8192);
    refused(acquire_file(model, 10000, 5000, LOCATION_MMAP), ERROR_BUSY);
    model->hold_frees = true;
    model_release(model, 0, lease);
    cr_expect_null(acquire_file(model, 10000, 5000, LOCATION_MMAP), "it waits until the file is let go of");
    uint64_t waiting = model->next_request;
    model->hold_frees = false;
    model_finish(model);
    reply = model_answer(model, waiting);
    lease = granted(reply);
    cr_expect_eq(reply->grant.file_bytes, 10000);
    cr_expect_eq(model_status(model).used_mapped_bytes, 12288);
    model_release(model, 0, lease);
    refused(acquire_file(model, 0, 0, LOCATION_MMAP), ERROR_INVALID);
    refused(acquire_file(model, 5000, 0, LOCATION_RAM), ERROR_INVALID);
    refused(acquire_file(model, 5000, 0, LOCATION_AUTO), ERROR_INVALID);
    refused(acquire_file(model, 1, 17 * MIB, LOCATION_MMAP), ERROR_LIMIT);
    model->fail_error = -EBUSY;
    refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_BUSY);
    model->fail_error = -EACCES;
    refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_NOT_PERMITTED);
    model->fails_files = true;
    model->fail_error = -EIO;
    refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_SYSTEM);
    model->fail_error = -EPERM;
    refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_NOT_PERMITTED);
    model->fail_error = -ESTALE;
    refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_BUSY);
    model->fail_error = -EMLINK;
    refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_INVALID);
    model->fail_error = -EOWNERDEAD;
    cr_expect_not_null(strstr(refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_SYSTEM)->error.sentence,
                              "was killed while it opened the file \"name\""));
    model->fail_error = -ENOENT;
    cr_expect_not_null(strstr(refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_SYSTEM)->error.sentence,
                              "the kernel refused a segment of"));
    cr_expect_not_null(strstr(refused(model_acquire(model, 0, 5000, LOCATION_MMAP, 0), ERROR_SYSTEM)->error.sentence,
                              "the kernel refused a segment of"));
    model->directory = "/srv/there";
    cr_expect_not_null(strstr(refused(acquire_file(model, 5000, 0, LOCATION_MMAP), ERROR_SYSTEM)->error.sentence,
                              "the directory of named files, /srv/there, is gone"));
    cr_expect_not_null(strstr(refused(model_acquire(model, 0, 5000, LOCATION_MMAP, 0), ERROR_SYSTEM)->error.sentence,
                              "the spill directory, /srv/there, is gone"));
    model->fail_error = -EOWNERDEAD;
    cr_expect_not_null(strstr(refused(model_acquire(model, 0, 5000, LOCATION_MMAP, 0), ERROR_SYSTEM)->error.sentence,
                              "and so was the next one"));
    cr_expect_eq(model_status(model).used_mapped_bytes, 0);
    model_free(model);
}

/* If both the leases are used up and the file is taken, the file is named: a lease more would not help. */
Test(rules, a_file_that_is_taken_is_told_before_leases_that_are_used_up)
{
    struct model *model = with_max_leases(16 * MIB, user_rule(1000), 1);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(acquire_file(model, MIB, 0, LOCATION_MMAP));
    refused(model_acquire(model, 0, MIB, LOCATION_RAM, 60000), ERROR_TOO_MANY);
    refused(acquire_file(model, MIB, 0, LOCATION_MMAP), ERROR_BUSY);
    model->hold_frees = true;
    model_release(model, 0, lease);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 60000));
    refused(acquire_file(model, MIB, 0, LOCATION_MMAP), ERROR_TOO_MANY);
    model->hold_frees = false;
    model_finish(model);
    model_free(model);
}

/* A request that waits for a file takes nothing from others, and its own limits apply. */
Test(rules, waiting_for_a_file_claims_nothing_and_exceeds_no_limit)
{
    struct policy_rule rule = user_rule(1000);
    rule.quota.limits.max_mapped_bytes = 4 * MIB;
    struct model *model = with_rule(0, &rule);
    struct policy policy = {.rules = &rule, .rule_count = 1};
    model->options.settings.policy = &policy;
    model->options.settings.limits.max_mapped_bytes = 16 * MIB;
    model_configure(model);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    uint64_t lease = granted(acquire_file(model, MIB, 0, LOCATION_MMAP));
    model->hold_frees = true;
    model_release(model, 0, lease);
    refused(acquire_file(model, UINT64_C(1) << 50, 0, LOCATION_MMAP), ERROR_LIMIT);
    cr_expect_null(acquire_file(model, 3 * MIB, 0, LOCATION_MMAP), "it waits");
    granted(model_acquire(model, 1, 15 * MIB, LOCATION_MMAP, 0));
    model->hold_frees = false;
    model_finish(model);
    model_free(model);
}

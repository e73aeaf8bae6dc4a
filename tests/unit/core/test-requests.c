/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are odd, and what the shell says late or of what the core does not know. */
#include <errno.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/control_page.h"
#include "tests/unit/core/sharing.h"

TestSuite(requests);

static struct model *with_session(void)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open(model, 0, LIMIT_UNSAID);
    return model;
}

static struct request acquire(uint64_t bytes, enum location location)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = location, .numa_node = -1, .name = "r"};
    return request;
}

static struct request extend(uint64_t lease, uint64_t bytes)
{
    return (struct request){.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = bytes}};
}

/* ---- no answer wanted ---- */

Test(requests, nothing_is_said_to_who_wants_no_answer)
{
    struct model *model = with_session();
    struct request renew = {.kind = REQUEST_RENEW}, large = acquire(65 * MIB, LOCATION_RAM),
                   good = acquire(MIB, LOCATION_RAM);
    model_forget(model);
    model_request_unanswered(model, 0, &renew);
    model_request_unanswered(model, 0, &large);
    cr_expect_eq(model->reply_count, 0);
    cr_expect_eq(model_status(model).counters.refused, 1);
    model->fail_error = -ENOMEM;
    model_request_unanswered(model, 0, &good);
    cr_expect_eq(model->reply_count, 0);
    cr_expect_eq(model_status(model).counters.refused, 2);
    model_free(model);
}

/* ---- what makes no sense ---- */

Test(requests, a_kind_that_the_core_does_not_serve_is_refused)
{
    struct model *model = with_session();
    struct request status = {.kind = REQUEST_STATUS};
    refused(model_request(model, 0, &status), ERROR_UNKNOWN_REQUEST);
    model_free(model);
}

Test(requests, options_that_exclude_each_other_are_refused)
{
    struct model *model = with_session();
    struct request request = acquire(MIB, LOCATION_MMAP);
    request.acquire.prefault = true;
    refused(model_request(model, 0, &request), ERROR_INVALID);
    request = acquire(MIB, LOCATION_MMAP);
    request.acquire.interleave = true;
    refused(model_request(model, 0, &request), ERROR_INVALID);
    request = acquire(MIB, LOCATION_RAM);
    request.acquire.interleave = true;
    request.acquire.numa_node = 0;
    refused(model_request(model, 0, &request), ERROR_INVALID);
    request = acquire(MIB, LOCATION_RAM);
    request.acquire.huge_pages = HUGE_PAGES_ALWAYS;
    refused(model_request(model, 0, &request), ERROR_NOT_SUPPORTED);
    model_free(model);
}

Test(requests, nothing_can_be_extended_by_nothing)
{
    struct model *model = with_session();
    struct request request = extend(granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0)), 0);
    refused(model_request(model, 0, &request), ERROR_INVALID);
    model_free(model);
}

Test(requests, there_is_no_lease_0)
{
    struct model *model = with_session();
    const struct reply *reply = refused(model_release(model, 0, 0), ERROR_NO_SUCH_LEASE);
    cr_expect(strstr(reply->error.sentence, "no lease 0"));
    model_free(model);
}

Test(requests, only_so_many_ended_leases_are_told_in_one_renewal)
{
    static struct lease_use use[MESSAGE_ENDED_MAX + 1];
    struct model *model = with_session();
    struct request renew = {.kind = REQUEST_RENEW, .renew = {use, MESSAGE_ENDED_MAX + 1}};
    for (uint64_t i = 0; i <= MESSAGE_ENDED_MAX; i++) {
        use[i].lease = 1000 + i;
    }
    const struct reply *reply = model_request(model, 0, &renew);
    cr_assert(reply && reply->kind == REPLY_RENEWED);
    cr_expect_eq(reply->renewed.ended_count, MESSAGE_ENDED_MAX);
    model_free(model);
}

Test(requests, a_session_has_no_more_leases_than_slots)
{
    struct model *model = with_session();
    struct session *session = session_table_find(&model->broker->sessions, model->peers[0].session);
    cr_expect_eq(session->slots.capacity_max, CONTROL_PAGE_SLOTS);
    session->slots.capacity_max = 9;
    for (int i = 0; i < 9; i++) {
        granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 0));
    }
    const struct reply *reply = refused(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "9 leases"), "%s", reply->error.sentence);
    cr_expect_eq(model_status(model).used_bytes, 9 * (uint64_t)MODEL_PAGE);
    model_free(model);
}

Test(requests, a_listing_ends_after_the_last_number)
{
    struct model *model = with_session();
    struct lease_entry entry;
    bool more = true;
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_eq(broker_list_leases(model->broker, &model_root, 0, UINT64_MAX, model->now, &entry, 1, &more), 0);
    cr_expect_not(more);
    model_free(model);
}

Test(requests, every_ending_has_words)
{
    for (enum end_reason reason = 0; reason < END_REASONS; reason++) {
        cr_expect_gt(strlen(end_reason_words(reason)), 10);
    }
    cr_expect_str_eq(end_reason_words(END_REASONS), "for an unknown reason");
}

/* ---- who pays, and for what ---- */

static struct model *with_class(struct policy_rule *rule)
{
    struct model *model = with_rule(64 * MIB, rule);
    model_open(model, 0, LIMIT_UNSAID);
    return model;
}

static bool is_prefaulted(struct model *model, uint64_t lease)
{
    struct request request = extend(lease, MIB);
    request.extend.prefault = true;
    const struct reply *reply = model_request(model, 0, &request);
    granted(reply);
    return reply->grant.charge == CHARGE_BROKER;
}

Test(requests, an_extension_is_prefaulted_by_who_is_to_pay)
{
    struct policy_rule rule = one_rule(PARTY_CLASS, POLICY_DEFAULT_CLASS);
    struct model *model = with_class(&rule);
    cr_expect(is_prefaulted(model, granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0))));
    cr_expect_not(is_prefaulted(model, granted(model_acquire(model, 0, MIB, LOCATION_MMAP, 0))));
    model_free(model);
    rule.quota.charge = CHARGE_CLIENT;
    model = with_class(&rule);
    cr_expect_not(is_prefaulted(model, granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0))));
    model_free(model);
    rule.quota.charge = CHARGE_BROKER;
    model = with_class(&rule);
    struct request request = extend(granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0)), MIB);
    cr_expect_eq(model_request(model, 0, &request)->grant.charge, CHARGE_BROKER, "asked or not");
    model_free(model);
}

Test(requests, who_prefaults_itself_is_told_to_for_ram_only)
{
    struct policy_rule rule = one_rule(PARTY_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.charge = CHARGE_CLIENT;
    struct model *model = with_class(&rule);
    struct request request = acquire(MIB, LOCATION_AUTO);
    request.acquire.prefault = true;
    cr_expect(model_request(model, 0, &request)->grant.prefault);
    granted(model_acquire(model, 0, 63 * MIB, LOCATION_RAM, 0));
    const struct reply *reply = model_request(model, 0, &request);
    granted(reply);
    cr_expect_eq(reply->grant.location, LOCATION_MMAP);
    cr_expect_not(reply->grant.prefault);
    model_free(model);
}

Test(requests, a_class_decides_on_huge_pages_where_the_request_is_silent)
{
    struct policy_rule rule = one_rule(PARTY_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.has_huge_pages = true;
    rule.quota.huge_pages = HUGE_PAGES_TRY;
    model_huge_page_bytes = 2 * MIB;
    struct model *model = with_class(&rule);
    model->gives_huge_pages = true;
    const struct reply *reply = model_acquire(model, 0, MIB, LOCATION_RAM, 0);
    granted(reply);
    cr_expect(reply->grant.huge_pages);
    cr_expect_eq(reply->grant.bytes, 2 * MIB);
    cr_expect_eq(reply->grant.charge, CHARGE_BROKER, "they are the broker's from the first");
    cr_expect_eq(model_acquire(model, 0, MIB, LOCATION_MMAP, 0)->grant.bytes, MIB, "files have none");
    struct request request = acquire(MIB, LOCATION_RAM);
    request.acquire.has_huge_pages = true;
    cr_expect_eq(model_request(model, 0, &request)->grant.bytes, MIB, "it said no");
    model_free(model);
    model_huge_page_bytes = 0;
}

/* ---- what the shell says ---- */

Test(requests, words_on_segments_that_are_not_known_change_nothing)
{
    static const enum input_kind kinds[] = {INPUT_SEGMENT_MADE, INPUT_SEGMENT_FAILED, INPUT_SEGMENT_FREED,
                                            INPUT_SEGMENT_TAMPERED};
    struct model *model = with_session();
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    struct status_reply before = model_status(model);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        static const uint64_t unknown[] = {0, 4711, UINT64_MAX};
        for (size_t j = 0; j < sizeof unknown / sizeof *unknown; j++) {
            struct input input = {.kind = kinds[i], .segment = {.segment = unknown[j]}};
            model_feed(model, &input);
        }
    }
    struct input late = {.kind = INPUT_SEGMENT_TAMPERED, .segment = {.segment = 0}};
    struct segment_view first, second;
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_assert(broker_next_segment(model->broker, 0, &first) && broker_next_segment(model->broker, first.id, &second));
    model->hold_frees = true;
    model_release(model, 0, lease);
    model_forget(model);
    late.segment.segment = second.id;
    model_feed(model, &late);
    cr_expect_eq(model->reply_count, 0, "its lease had ended before");
    late.segment.segment = first.id + 2;
    model_feed(model, &late);
    model->hold_frees = false;
    model_finish(model);
    struct status_reply after = model_status(model);
    cr_expect_eq(after.used_bytes, before.used_bytes);
    cr_expect_eq(after.leases, before.leases);
    cr_expect_eq(after.counters.revoked, 0);
    model_free(model);
}

Test(requests, words_of_an_unknown_kind_or_on_sessions_that_ended_change_nothing)
{
    struct model *model = with_session();
    struct input input = {.kind = (enum input_kind)99, .session = model->peers[0].session};
    model_feed(model, &input);
    static const enum input_kind kinds[] = {INPUT_RESUMED, INPUT_DISCONNECTED, INPUT_DIED, INPUT_READ};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct input unknown = {.kind = kinds[i], .session = 4711};
        model_feed(model, &unknown);
    }
    cr_expect_eq(model_status(model).sessions, 1);
    model_free(model);
}

Test(requests, a_named_file_whose_extension_fails_keeps_its_first_segment)
{
    struct model *model = with_session();
    struct request request = acquire(MIB, LOCATION_MMAP);
    (void)strcpy(request.acquire.file, "name");
    uint64_t lease = granted(model_request(model, 0, &request));
    model->fail_error = -EBUSY;
    model->fails_files = true;
    request = extend(lease, MIB);
    refused(model_request(model, 0, &request), ERROR_SYSTEM);
    cr_expect_eq(model_status(model).used_mapped_bytes, MIB);
    model_free(model);
}

Test(requests, the_queue_shows_an_extension_of_a_lease_that_just_ended)
{
    struct model *model = with_session();
    struct queue_entry entries[2];
    bool more;
    uint64_t lease = granted(model_acquire(model, 0, 64 * MIB, LOCATION_RAM, 4000));
    struct request request = extend(lease, MIB);
    request.extend.wait_ms = 30000;
    cr_expect_null(model_request(model, 0, &request));
    uint64_t waiting = request.id;
    cr_assert_eq(broker_list_queue(model->broker, &model_root, 0, model->now, entries, 2, &more), 1);
    model->hold_frees = true;
    model_release(model, 0, lease);
    cr_expect_eq(broker_list_queue(model->broker, &model_root, 0, model->now, entries, 2, &more), 1);
    cr_expect_eq(entries[0].location, LOCATION_RAM);
    model->hold_frees = false;
    model_finish(model);
    refused(model_answer(model, waiting), ERROR_LEASE_ENDED);
    model_free(model);
}

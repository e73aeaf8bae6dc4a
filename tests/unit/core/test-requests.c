/* SPDX-License-Identifier: Apache-2.0 */
/* Unusual requests, and inputs of the shell that are late or about unknown objects. */
#include <errno.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/ending.h"
#include "proto/control_page.h"
#include "tests/unit/core/sharing.h"

TestSuite(requests);

static struct model *with_session(void)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
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

Test(requests, a_request_without_an_id_gets_no_answer)
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

/* ---- invalid values ---- */

Test(requests, a_kind_that_the_core_does_not_serve_is_refused)
{
    struct model *model = with_session();
    struct request status = {.kind = REQUEST_STATUS}, none = {.kind = (enum request_kind)(REQUEST_KINDS + 1)};
    refused(model_request(model, 0, &status), ERROR_UNKNOWN_REQUEST);
    refused(model_request(model, 0, &none), ERROR_UNKNOWN_REQUEST);
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

Test(requests, a_lease_cannot_be_extended_by_0_bytes)
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

Test(requests, a_renewal_reports_a_bounded_number_of_ended_leases)
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

Test(requests, a_renewal_says_how_much_is_in_use)
{
    struct model *model = with_session();
    struct lease_entry entry;
    bool more;
    struct lease_use use = {.lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0)), .used_bytes = 2 * MIB};
    struct request renew = {.kind = REQUEST_RENEW, .renew = {&use, 1}};
    cr_expect_eq(model_request(model, 0, &renew)->renewed.ended_count, 0);
    cr_expect_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, &entry, 1, &more), 1);
    cr_expect_eq(entry.used_bytes, MIB, "not more than there is");
    model_free(model);
}

Test(requests, a_session_has_no_more_leases_than_slots)
{
    struct model *model = with_session();
    struct session *session = session_table_find(&model->broker->sessions, model->peers[0].session);
    cr_expect_eq(session->slots.capacity_max, CONTROL_SLOTS_MAX);
    session->slots.capacity_max = 9;
    uint64_t lease = 0;
    for (int i = 0; i < 9; i++) {
        lease = granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 0));
    }
    model_release(model, 0, lease);
    granted(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 0)); /* the only slot that is free */
    const struct reply *reply = refused(model_acquire(model, 0, MODEL_PAGE, LOCATION_RAM, 0), ERROR_TOO_MANY);
    cr_expect(strstr(reply->error.sentence, "9 leases"), "%s", reply->error.sentence);
    cr_expect_eq(model_status(model).used_bytes, 9 * (uint64_t)MODEL_PAGE);
    model_free(model);
}

Test(requests, every_end_reason_has_a_text)
{
    for (enum end_reason reason = 0; reason < END_REASONS; reason++) {
        cr_expect_gt(strlen(end_reason_text(reason)), 10);
        cr_expect_gt(strlen(end_reason_text_of_block(reason)), 10);
        cr_expect_gt(strlen(end_reason_text_of_view(reason)), 10);
    }
    cr_expect_str_eq(end_reason_text(END_REASONS), "for an unknown reason");
}

Test(requests, a_lease_has_no_owner_before_it_is_granted)
{
    struct model *model = with_session();
    struct lease_entry entry;
    bool more;
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request, lease = lease_table_next(&model->broker->leases, 0)->id;
    struct request revoke = {.kind = REQUEST_REVOKE, .revoke_lease = lease}, more_of_it = extend(lease, MIB);
    refused(model_release(model, 0, lease), ERROR_NO_SUCH_LEASE);
    refused(model_request(model, 0, &revoke), ERROR_NO_SUCH_LEASE);
    refused(model_request(model, 0, &more_of_it), ERROR_NO_SUCH_LEASE);
    cr_expect_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, &entry, 1, &more), 0);
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(granted(model_answer(model, request)), lease);
    model_free(model);
}

Test(requests, a_segment_that_cannot_be_created_leaves_the_others_alone)
{
    struct model *model = with_session();
    model->fail_error = -ENOMEM;
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    uint64_t first = model->next_request;
    model->fail_error = 0;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    uint64_t second = model->next_request;
    model->hold_makes = false;
    model_finish(model);
    refused(model_answer(model, first), ERROR_HOST_MEMORY);
    granted(model_answer(model, second));
    cr_expect_eq(model_status(model).used_bytes, MIB);
    model_free(model);
}

/* ---- who pays, and for what ---- */

static struct model *with_class(struct policy_rule *rule)
{
    struct model *model = with_rule(64 * MIB, rule);
    model_open(model, 0, LIMIT_DEFAULT);
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

Test(requests, an_extension_is_prefaulted_by_the_side_that_is_charged)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
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

Test(requests, a_client_is_told_to_prefault_only_for_ram)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
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

Test(requests, a_class_decides_on_huge_pages_if_the_request_does_not)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
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

static struct request acquire_huge(uint64_t bytes, enum location location, enum huge_pages huge_pages)
{
    struct request request = acquire(bytes, location);
    request.acquire.has_huge_pages = true;
    request.acquire.huge_pages = huge_pages;
    return request;
}

/* A model whose host has huge pages of 2 MiB. */
static struct model *with_huge_pages(struct policy_rule *rule, bool gives)
{
    model_huge_page_bytes = 2 * MIB;
    struct model *model = with_class(rule);
    model_huge_page_bytes = 0;
    model->gives_huge_pages = gives;
    return model;
}

Test(requests, a_request_that_tries_huge_pages_and_gets_none_is_not_rounded_up)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    struct model *model = with_huge_pages(&rule, false);
    struct request request = acquire_huge(MODEL_PAGE, LOCATION_RAM, HUGE_PAGES_TRY);
    const struct reply *reply = model_request(model, 0, &request);
    uint64_t lease = granted(reply);
    cr_expect_eq(reply->grant.bytes, MODEL_PAGE);
    cr_expect_eq(model_status(model).used_bytes, MODEL_PAGE);
    request = extend(lease, 3);
    cr_expect_eq(model_request(model, 0, &request)->grant.bytes, MODEL_PAGE);
    model->gives_huge_pages = true;
    cr_expect_eq(model_request(model, 0, &request)->grant.bytes, 2 * MIB, "it tries again");
    granted(model_acquire(model, 0, 62 * MIB - 2 * MODEL_PAGE, LOCATION_RAM, 0));
    request = acquire_huge(MODEL_PAGE, LOCATION_AUTO, HUGE_PAGES_TRY);
    reply = model_request(model, 0, &request);
    lease = granted(reply);
    cr_expect_eq(reply->grant.location, LOCATION_MMAP);
    cr_expect_eq(reply->grant.bytes, MODEL_PAGE, "a file has none");
    request = extend(lease, 3);
    cr_expect_eq(model_request(model, 0, &request)->grant.bytes, MODEL_PAGE);
    model_free(model);
}

Test(requests, a_lease_that_ends_while_huge_pages_are_tried_is_freed)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    struct model *model = with_huge_pages(&rule, false);
    struct request request = acquire_huge(MODEL_PAGE, LOCATION_RAM, HUGE_PAGES_TRY);
    model->hold_makes = true;
    cr_expect_null(model_request(model, 0, &request));
    struct input died = {.kind = INPUT_DIED, .session = model->peers[0].session};
    model_feed(model, &died);
    model->hold_makes = false;
    model_finish(model);
    cr_expect_eq(model_status(model).used_bytes, 0);
    model_free(model);
}

Test(requests, always_huge_is_huge_or_refused)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.has_huge_pages = true;
    rule.quota.huge_pages = HUGE_PAGES_ALWAYS;
    struct model *model = with_class(&rule);
    const struct reply *reply = refused(model_acquire(model, 0, MIB, LOCATION_RAM, 0), ERROR_NOT_SUPPORTED);
    cr_expect(strstr(reply->error.sentence, "configuration of class default"), "%s", reply->error.sentence);
    refused(model_acquire(model, 0, MIB, LOCATION_AUTO, 0), ERROR_NOT_SUPPORTED);
    granted(model_acquire(model, 0, MIB, LOCATION_MMAP, 0));
    model_free(model);
    model = with_huge_pages(&rule, true);
    uint64_t lease = granted(model_acquire(model, 0, 62 * MIB, LOCATION_AUTO, 0));
    refused(model_acquire(model, 0, 4 * MIB, LOCATION_AUTO, 0), ERROR_LIMIT);
    struct request request = extend(lease, MIB);
    model->broker->options.huge_page_bytes = 0; /* as after a restart */
    reply = refused(model_request(model, 0, &request), ERROR_NOT_SUPPORTED);
    cr_expect(strstr(reply->error.sentence, "by the lease"), "%s", reply->error.sentence);
    model_free(model);
    model = with_huge_pages(&rule, true);
    model->fail_error = -ENOMEM;
    refused(model_acquire(model, 0, MIB, LOCATION_AUTO, 0), ERROR_HOST_MEMORY);
    model_free(model);
}

Test(requests, clients_that_are_charged_get_no_huge_pages)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    struct model *model = with_huge_pages(&rule, true);
    struct request request = acquire_huge(MIB, LOCATION_RAM, HUGE_PAGES_ALWAYS);
    uint64_t lease = granted(model_request(model, 0, &request));
    rule.quota.charge = CHARGE_CLIENT;
    struct policy policy = {.rules = &rule, .rule_count = 1};
    model->options.settings.policy = &policy;
    model_configure(model);
    struct request more = extend(lease, MIB);
    refused(model_request(model, 0, &more), ERROR_NOT_SUPPORTED);
    const struct reply *reply = refused(model_request(model, 0, &request), ERROR_NOT_SUPPORTED);
    cr_expect(strstr(reply->error.sentence, "charge = client"), "%s", reply->error.sentence);
    request.acquire.huge_pages = HUGE_PAGES_TRY;
    reply = model_request(model, 0, &request);
    granted(reply);
    cr_expect_eq(reply->grant.bytes, MIB);
    cr_expect_eq(reply->grant.charge, CHARGE_CLIENT);
    cr_expect_not(reply->grant.huge_pages);
    model_free(model);
}

/* ---- inputs of the shell ---- */

Test(requests, inputs_about_unknown_segments_change_nothing)
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
    model->hold_frees = false;
    model_finish(model);
    lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    model_feed(model, &late); /* its number is gone, and later ones are there */
    model_release(model, 0, lease);
    late.segment.segment = first.id;
    model_feed(model, &late);
    cr_expect_eq(model_status(model).counters.revoked, 1, "and the living one is known");
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    struct status_reply after = model_status(model);
    cr_expect_eq(after.used_bytes, before.used_bytes);
    cr_expect_eq(after.leases, before.leases);
    model_free(model);
}

Test(requests, inputs_of_unknown_kind_or_about_ended_sessions_change_nothing)
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

/* What is said when the machine refuses a segment with this error. */
static const char *explained(int error, enum location location, int32_t numa_node, enum error_code code)
{
    static char sentence[MESSAGE_SENTENCE_SIZE];
    struct model *model = with_session();
    struct request request = acquire(MIB, location);
    request.acquire.numa_node = numa_node;
    model->fail_error = error;
    model->fails_files = true;
    const struct reply *reply = refused(model_request(model, 0, &request), code);
    cr_expect_eq(reply->error.system_errno, (uint32_t)-error);
    cr_expect_eq(reply->error.refusal.limit_kind,
                 code == ERROR_DISK_FULL ? LIMIT_KIND_DISK_SPACE : LIMIT_KIND_UNSPECIFIED);
    cr_expect_eq(reply->error.refusal.asked_bytes, code == ERROR_DISK_FULL ? MIB : 0);
    memcpy(sentence, reply->error.sentence, sizeof sentence);
    model_free(model);
    return sentence;
}

Test(requests, each_failure_of_the_system_is_explained)
{
#define EXPECT_EXPLAINED(error, location, node, code, words)                                                           \
    cr_expect(strstr(explained(error, location, node, code), words), "%s: %s", #error,                                 \
              explained(error, location, node, code))
    EXPECT_EXPLAINED(-ENOSPC, LOCATION_MMAP, -1, ERROR_DISK_FULL, "spill file system");
    EXPECT_EXPLAINED(-EDQUOT, LOCATION_MMAP, -1, ERROR_DISK_FULL, "spill file system");
    EXPECT_EXPLAINED(-EIO, LOCATION_MMAP, -1, ERROR_SYSTEM, "nput/output error");
    EXPECT_EXPLAINED(-ENOMEM, LOCATION_RAM, -1, ERROR_HOST_MEMORY, "of RAM;");
    EXPECT_EXPLAINED(-ENOSPC, LOCATION_RAM, -1, ERROR_HOST_MEMORY, "of RAM;");
    EXPECT_EXPLAINED(-ENOMEM, LOCATION_RAM, 0, ERROR_HOST_MEMORY, "on that NUMA node");
    EXPECT_EXPLAINED(-ENODEV, LOCATION_RAM, 3, ERROR_NOT_SUPPORTED, "no NUMA node 3");
    EXPECT_EXPLAINED(-EOPNOTSUPP, LOCATION_RAM, 3, ERROR_NOT_SUPPORTED, "no NUMA node 3");
    EXPECT_EXPLAINED(-EMFILE, LOCATION_RAM, -1, ERROR_TOO_MANY, "LimitNOFILE");
    EXPECT_EXPLAINED(-ENFILE, LOCATION_RAM, -1, ERROR_TOO_MANY, "LimitNOFILE");
    EXPECT_EXPLAINED(-EIO, LOCATION_RAM, -1, ERROR_SYSTEM, "nput/output error");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a refusal says: which limit, of which location, who holds the most; and that every request gets an answer. */
#include <errno.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/sharing.h"

TestSuite(refusals);

static struct request acquire(uint64_t bytes, enum location location)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = location, .numa_node = -1, .name = "r"};
    return request;
}

static void expect_words(const struct reply *reply, enum error_code code, const char *first, const char *second)
{
    (void)refused(reply, code);
    cr_expect(strstr(reply->error.sentence, first), "%s: %s", first, reply->error.sentence);
    cr_expect(strstr(reply->error.sentence, second), "%s: %s", second, reply->error.sentence);
}

Test(refusals, the_location_and_the_limit_are_named)
{
    struct model *model = model_new(0, 8 * MIB, 4 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_MMAP, 0));
    expect_words(model_acquire(model, 0, 9 * MIB, LOCATION_RAM, 0), ERROR_LIMIT,
                 "9 MiB of RAM were asked for, and the host's max_physical_bytes is 8 MiB, of which 1 MiB are used: "
                 "7 MiB are free (7340032 bytes). Largest holders: model (pid 100, uid 1000) 1 MiB.",
                 "Ask for less, use location MMAP or AUTO, or raise max_physical_bytes.");
    expect_words(model_acquire(model, 0, 5 * MIB, LOCATION_MMAP, 0), ERROR_LIMIT, "2 MiB are free",
                 "Ask for less or raise max_mapped_bytes.");
    expect_words(model_acquire(model, 0, 3 * MIB, LOCATION_MMAP, 0), ERROR_LIMIT,
                 "3 MiB of mapped files were asked for, and the host's max_mapped_bytes is 4 MiB",
                 "Ask for less, let the request wait, release leases, or raise max_mapped_bytes.");
    cr_expect_eq(model_status(model).counters.refused, 3);
    model_free(model);
}

Test(refusals, the_limit_on_the_sum_is_named_if_it_is_short)
{
    struct model *model = model_new(6 * MIB, 0, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_MMAP, 0));
    const struct reply *reply = model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 0);
    expect_words(reply, ERROR_LIMIT, "the host's max_bytes is 6 MiB, of which 4 MiB are used",
                 "Ask for less, let the request wait, release leases, or raise max_bytes.");
    cr_expect_eq(reply->error.refusal.holders[0].bytes, 4 * MIB, "what it holds of the sum");
    model_free(model);
}

Test(refusals, the_largest_holders_come_first)
{
    static const uint64_t sizes[][5] = {{1, 2, 3, 4, 5}, {5, 4, 3, 2, 1}, {3, 5, 1, 4, 2}, {4, 5, 3, 3, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct model *model = model_new(0, 18 * MIB, 0);
        model_open(model, 5, LIMIT_DEFAULT);
        for (int peer = 0; peer < 5; peer++) {
            model_open_as(model, peer, "a1", 1005);
            granted(model_acquire(model, peer, sizes[i][peer] * MIB, LOCATION_RAM, 0));
        }
        const struct refusal *refusal =
            &refused(model_acquire(model, 5, 9 * MIB, LOCATION_RAM, 0), ERROR_LIMIT)->error.refusal;
        cr_assert_eq(refusal->holder_count, 3);
        for (int place = 0; place < 3; place++) {
            cr_expect_eq(refusal->holders[place].bytes, (uint64_t)(place == 2 && i == 3 ? 3 : 5 - place) * MIB);
        }
        model_free(model);
    }
}

Test(refusals, the_hosts_memory_is_named_with_recent_grants)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    struct input host = {.kind = INPUT_HOST_MEMORY, .host = {10 * MIB, 32 * MIB}};
    model_open(model, 0, LIMIT_DEFAULT);
    model_feed(model, &host);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_MMAP, 0));
    const struct reply *reply = model_acquire(model, 0, 7 * MIB, LOCATION_RAM, 0);
    expect_words(reply, ERROR_HOST_MEMORY,
                 "7 MiB of RAM were asked for, but the host has only 10 MiB available now, of which 4 MiB are "
                 "promised to recent grants: 6 MiB are free (6291456 bytes).",
                 "or raise the host's memory.");
    cr_expect_str_eq(reply->error.refusal.limit, "available_memory");
    cr_expect_eq(reply->error.refusal.holders[0].bytes, 4 * MIB, "of RAM");
    cr_expect_not_null(strstr(reply->error.sentence, "let the request wait"));
    reply = model_acquire(model, 0, 33 * MIB, LOCATION_RAM, 0);
    cr_expect_null(strstr(reply->error.sentence, "let the request wait"), "the host never has that");
    granted(model_acquire(model, 0, 6 * MIB, LOCATION_RAM, 0));
    model_free(model);
}

Test(refusals, a_refusal_names_what_others_claim_of_the_hosts_memory)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    struct input host = {.kind = INPUT_HOST_MEMORY, .host = {10 * MIB, 32 * MIB}};
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    model_feed(model, &host);
    cr_expect_null(model_acquire_waiting(model, 1, 12 * MIB, 60000));
    expect_words(
        model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY,
        "of which 0 bytes are promised to recent grants, 12 MiB claimed by requests that wait: 0 bytes are free.",
        "or raise the host's memory.");
    model_free(model);
}

Test(refusals, the_exact_number_follows_a_number_in_another_unit)
{
    struct model *model = model_new(0, MODEL_PAGE + 1024, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 1, LOCATION_RAM, 0));
    expect_words(model_acquire(model, 0, 1, LOCATION_RAM, 0), ERROR_LIMIT, ": 1 KiB are free (1024 bytes).",
                 "max_physical_bytes");
    model_free(model);
}

Test(refusals, a_refusal_for_either_location_names_the_one_that_could_help)
{
    struct model *model = model_new(0, 16 * MIB, 4 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 10 * MIB, LOCATION_RAM, 0));
    expect_words(model_acquire(model, 0, 8 * MIB, LOCATION_AUTO, 0), ERROR_LIMIT, "of RAM were asked for",
                 "max_physical_bytes");
    struct model *files = model_new(0, 4 * MIB, 16 * MIB);
    model_open(files, 0, LIMIT_DEFAULT);
    granted(model_acquire(files, 0, 10 * MIB, LOCATION_MMAP, 0));
    expect_words(model_acquire(files, 0, 8 * MIB, LOCATION_AUTO, 0), ERROR_LIMIT, "of mapped files were asked for",
                 "max_mapped_bytes");
    model_free(files);
    model_free(model);
}

Test(refusals, a_refusal_says_whether_the_request_or_the_class_asked_for_huge_pages)
{
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.has_huge_pages = true;
    rule.quota.huge_pages = HUGE_PAGES_ALWAYS;
    struct model *model = with_rule(64 * MIB, &rule);
    model_open(model, 0, LIMIT_DEFAULT);
    struct request request = acquire(MIB, LOCATION_RAM);
    expect_words(model_request(model, 0, &request), ERROR_NOT_SUPPORTED, "by the lease or by the configuration of",
                 "class default");
    request = acquire(MIB, LOCATION_RAM);
    request.acquire.has_huge_pages = true;
    request.acquire.huge_pages = HUGE_PAGES_ALWAYS;
    const struct reply *reply = model_request(model, 0, &request);
    expect_words(reply, ERROR_NOT_SUPPORTED, "asked for always; ask with TRY", "vm.nr_hugepages");
    model_free(model);
}

/* ---- answers ---- */

/* The first, the second, ... allocation fails, until the request is granted. A request that is not granted is answered.
 */
static void expect_answers(struct model *model, const struct request *asked, int least)
{
    int failed = -1;
    const struct reply *reply = NULL;
    for (long number = 1; !reply || reply->kind != REPLY_GRANT; number++, failed++) {
        struct request request = *asked;
        exhaustion_arm(number);
        reply = model_request(model, 0, &request);
        exhaustion_arm(0);
        cr_assert(reply, "allocation %ld failed, and nothing was answered", number);
        if (reply->kind != REPLY_GRANT) {
            expect_words(reply, ERROR_SYSTEM, "out of memory", "tables");
            cr_expect_eq(reply->error.system_errno, 0);
            cr_expect_eq(reply->error.refusal.limit_bytes, 0);
        }
        cr_assert(!broker_check(model->broker), "%s", broker_check(model->broker));
    }
    cr_expect_geq(failed, least);
}

Test(refusals, every_request_is_answered_whatever_memory_fails)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    struct request request = acquire(MIB, LOCATION_RAM);
    expect_answers(model, &request, 3); /* the segment, the lease, its slot */
    request = acquire(MIB, LOCATION_MMAP);
    memcpy(request.acquire.file, "file", 5);
    expect_answers(model, &request, 3); /* the segment, the lease, its file; there is a slot */
    uint64_t lease = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    request = (struct request){.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = MIB}};
    expect_answers(model, &request, 1);
    model_free(model);
}

Test(refusals, a_request_that_cannot_wait_is_told_so)
{
    struct model *model = model_new(0, 4 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    exhaustion_arm(1);
    expect_words(model_acquire_waiting(model, 0, MIB, 1000), ERROR_SYSTEM, "out of memory", "tables");
    cr_expect(exhaustion_has_struck());
    exhaustion_arm(0);
    cr_expect_eq(model_status(model).waiting, 0);
    model_free(model);
}

/* ---- which sessions get which event ---- */

static const struct reply *broadcast(const struct model *model, enum reply_kind kind)
{
    for (size_t i = 0; i < model->effects.count; i++) {
        const struct effect *effect = &model->effects.effects[i];
        if (effect->kind == EFFECT_BROADCAST && effect->reply.reply.kind == kind) {
            return &effect->reply.reply;
        }
    }
    return NULL;
}

Test(refusals, all_sessions_are_told_of_new_limits_pressure_and_shutdown)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    model->options.settings.limits = (struct byte_limits){5 * MIB, 6 * MIB, 7 * MIB};
    model->options.settings.times = (struct lease_times){1, 2, 3, 4};
    model_configure(model);
    const struct reply *reply = broadcast(model, EVENT_LIMITS_CHANGED);
    cr_assert(reply && !reply->is_answer);
    cr_expect_eq(reply->limits_changed.host_limits.max_bytes, 5 * MIB);
    cr_expect_eq(reply->limits_changed.host_limits.max_physical_bytes, 6 * MIB);
    cr_expect_eq(reply->limits_changed.host_limits.max_mapped_bytes, 7 * MIB);
    cr_expect_eq(reply->limits_changed.times.ttl_min_ms, 1);
    cr_expect_eq(reply->limits_changed.times.ttl_max_ms, 2);
    cr_expect_eq(reply->limits_changed.times.ttl_default_ms, 3);
    cr_expect_eq(reply->limits_changed.times.reconnect_grace_ms, 4);
    cr_expect_eq(model_status(model).limits.max_bytes, 5 * MIB);
    struct input pressure = {.kind = INPUT_PRESSURE, .pressure = PRESSURE_FULL};
    model_feed(model, &pressure);
    reply = broadcast(model, EVENT_PRESSURE);
    cr_assert(reply);
    cr_expect_eq(reply->pressure, PRESSURE_FULL);
    model_feed(model, &pressure);
    cr_expect_null(broadcast(model, EVENT_PRESSURE), "it is no news");
    struct input end = {.kind = INPUT_SHUTDOWN};
    model_feed(model, &end);
    cr_expect(broadcast(model, EVENT_SHUTTING_DOWN));
    model_free(model);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Evictions for requests that a file would do for: none in vain, however long the request has waited. */
#include "tests/unit/core/publishing.h"

TestSuite(evictions_or_files);

static struct model *model;
static uint64_t own, request;

static struct reply answer_of(int peer, uint64_t bytes, enum location location)
{
    const struct reply *reply = model_acquire(model, peer, bytes, location, 0);
    cr_assert(reply && reply->kind == REPLY_GRANT);
    return *reply;
}

static bool is_there(void)
{
    return model_status(model).blocks.evicted == 0;
}

/* A cache of a mebibyte in 4 MiB of RAM, and user 1001, who may have one lease, has it, and waits for RAM or a file.
 * `files`: bytes of them; 0: any number. */
static void begin(uint64_t files)
{
    struct policy_rule rule = user_rule(1001);
    const struct policy policy = {.rules = &rule, .rule_count = 1};
    rule.quota.max_leases = 1;
    model = model_new(0, 4 * MIB, files);
    model->options.settings.policy = &policy;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    model_open(model, 2, LIMIT_DEFAULT);
    leave_block(model, 0, "cache", LIFETIME_CACHE);
    own = answer_of(1, MIB, LOCATION_RAM).grant.lease;
    struct request either = {.kind = REQUEST_ACQUIRE};
    either.acquire = (struct acquire_request){
        .bytes = 4 * MIB, .location = LOCATION_AUTO, .ttl_ms = 60000, .numa_node = -1, .wait_ms = 60000};
    cr_assert_null(model_request(model, 1, &either));
    request = either.id;
}

static enum location granted_in(void)
{
    const struct reply *reply = model_answer(model, request);
    (void)granted(reply);
    return reply->grant.location;
}

/* It takes a file at once, so it needs nothing in RAM. */
Test(evictions_or_files, a_late_request_takes_a_file_and_no_block_goes)
{
    begin(0);
    model_pass(model, 6000);
    model_release(model, 1, own);
    cr_expect_eq(granted_in(), LOCATION_MMAP);
    cr_expect(is_there(), "a block was evicted in vain");
    model_free(model);
}

Test(evictions_or_files, a_late_request_without_a_file_has_a_block_evicted)
{
    begin(3 * MIB);
    model_pass(model, 6000);
    model_release(model, 1, own);
    model_pass(model, 1);
    cr_expect_eq(granted_in(), LOCATION_RAM);
    cr_expect_not(is_there());
    model_free(model);
}

/* The file is free soon. */
Test(evictions_or_files, a_late_request_waits_for_a_file_that_is_being_freed)
{
    begin(4 * MIB);
    uint64_t file = answer_of(2, 4 * MIB, LOCATION_MMAP).grant.lease;
    model_pass(model, 6000);
    model->hold_frees = true;
    model_release(model, 2, file);
    model_release(model, 1, own);
    cr_expect_null(model_answer(model, request));
    cr_expect(is_there(), "a block was evicted in vain");
    model_finish(model);
    cr_expect_eq(granted_in(), LOCATION_MMAP);
    model_free(model);
}

Test(evictions_or_files, a_request_that_becomes_late_takes_what_was_evicted_for_it)
{
    begin(0);
    model_pass(model, 4900);
    model->hold_frees = true;
    model_release(model, 1, own);
    cr_expect_not(is_there());
    model_pass(model, 1000);
    cr_expect_null(model_answer(model, request), "it takes a file, and the block was evicted in vain");
    model_finish(model);
    model_pass(model, 300);
    cr_expect_eq(granted_in(), LOCATION_RAM);
    model_free(model);
}

/* What the kernel does not give back is waited for no longer. */
Test(evictions_or_files, a_late_request_takes_a_file_if_evicted_bytes_stay_away)
{
    begin(0);
    model_pass(model, 4900);
    model->hold_frees = true;
    model_release(model, 1, own);
    model_pass(model, 6000);
    cr_expect_eq(granted_in(), LOCATION_MMAP);
    model->hold_frees = false;
    model_finish(model);
    model_free(model);
}

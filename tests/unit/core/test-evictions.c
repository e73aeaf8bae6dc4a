/* SPDX-License-Identifier: Apache-2.0 */
/* Evicting caches: only those without a view, the longest unused first, as few as do, and none in vain. */
#include <stdio.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/text.h"
#include "tests/unit/core/sharing.h"

TestSuite(evictions);

static struct model *model;

static void publish_cache(int peer, const char *name, uint64_t bytes, uint64_t *ret_lease)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = bytes, .location = LOCATION_RAM, .ttl_ms = 60000, .numa_node = -1, .publishable = true};
    uint64_t lease = granted(model_request(model, peer, &request));
    request = (struct request){.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = lease, .lifetime = LIFETIME_CACHE, .access = BLOCK_ACCESS_ALL};
    text_copy(request.publish.name, MESSAGE_NAME_SIZE, name);
    cr_assert_eq(model_request(model, peer, &request)->kind, REPLY_DONE);
    if (ret_lease) {
        *ret_lease = lease;
    } else {
        model_release(model, peer, lease);
    }
}

static const struct reply *attach(int peer, const char *name)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK, .attach_block = {.has_owner = true, .owner = 1000}};
    text_copy(request.attach_block.name, MESSAGE_NAME_SIZE, name);
    return model_request(model, peer, &request);
}

static bool is_there(const char *name)
{
    static struct block_entry entries[64];
    bool more;
    size_t count = broker_list_blocks(model->broker, &model_root, 0, model->now, entries, 64, &more);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(entries[i].name, name) == 0 && entries[i].ended == END_NONE) {
            return true;
        }
    }
    return false;
}

static void begin(uint64_t max_physical)
{
    model = model_new(0, max_physical, 0);
    model_open_as(model, 0, "a", 1000);
    model_open_as(model, 1, "b", 1001);
}

Test(evictions, the_longest_unused_goes_first_and_no_more_than_is_needed)
{
    begin(8 * MIB);
    publish_cache(0, "one", 2 * MIB, NULL);
    publish_cache(0, "two", 2 * MIB, NULL);
    publish_cache(0, "three", 2 * MIB, NULL);
    const struct reply *view = attach(1, "one");
    cr_assert_eq(view->kind, REPLY_ATTACHED);
    model_release(model, 1, view->attached.lease); /* it was used last */
    granted(model_acquire(model, 1, 4 * MIB, LOCATION_RAM, 0));
    cr_expect(is_there("one") && !is_there("two") && is_there("three"));
    const struct reply *reply = attach(0, "two");
    cr_expect_eq(reply->error.code, ERROR_BLOCK_ENDED);
    cr_expect_eq(reply->error.ended, END_EVICTED);
    model_free(model);
}

Test(evictions, a_small_one_is_spared_if_a_large_one_does)
{
    begin(8 * MIB);
    publish_cache(0, "small", MIB, NULL);
    publish_cache(0, "large", 4 * MIB, NULL);
    granted(model_acquire(model, 1, 7 * MIB, LOCATION_RAM, 0));
    cr_expect(is_there("small") && !is_there("large"));
    model_free(model);
}

Test(evictions, nothing_is_evicted_in_vain)
{
    begin(8 * MIB);
    publish_cache(0, "idle", 2 * MIB, NULL);
    publish_cache(0, "used", 2 * MIB, NULL);
    cr_assert_eq(attach(1, "used")->kind, REPLY_ATTACHED);
    refused(model_acquire(model, 1, 7 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect(is_there("idle") && is_there("used"));
    granted(model_acquire(model, 1, 6 * MIB, LOCATION_RAM, 0));
    cr_expect(!is_there("idle") && is_there("used"));
    model_free(model);
}

Test(evictions, a_publisher_that_lives_is_told)
{
    uint64_t lease;
    begin(8 * MIB);
    publish_cache(0, "n", 4 * MIB, &lease);
    cr_expect_null(model_acquire(model, 1, 6 * MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request;
    model_pass(model, 1);
    granted(model_answer(model, request));
    cr_expect_eq(model_events(model, 0, EVENT_LEASE_ENDED), 1);
    refused(model_release(model, 0, lease), ERROR_LEASE_ENDED);
    model_free(model);
}

Test(evictions, a_request_waits_until_the_bytes_are_free)
{
    begin(8 * MIB);
    publish_cache(0, "n", 4 * MIB, NULL);
    model->hold_frees = true;
    cr_expect_null(model_acquire(model, 1, 6 * MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request;
    cr_expect_not(is_there("n"));
    model_finish(model);
    granted(model_answer(model, request));
    model_free(model);
}

Test(evictions, what_a_reserve_would_take_is_not_counted_on)
{
    begin(16 * MIB);
    model->options.settings.policy = &model_policy; /* class c has a reserve of 4 MiB */
    model_configure(model);
    model_open_as(model, 2, "c1", 1002);
    publish_cache(2, "reserved", 4 * MIB, NULL);
    granted(model_acquire(model, 1, 12 * MIB, LOCATION_RAM, 0));
    refused(model_acquire(model, 1, MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect(is_there("reserved"), "its bytes would go back to the reserve");
    granted(model_acquire(model, 2, 2 * MIB, LOCATION_RAM, 0));
    cr_expect_not(is_there("reserved"), "for its own class it goes");
    model_free(model);
}

/* What a class with a reserve frees goes back to its reserve: it is not free to others, even with the cache's bytes. */
Test(evictions, bytes_that_go_back_to_a_reserve_are_not_counted_on)
{
    begin(16 * MIB);
    model->options.settings.policy = &model_policy; /* class c has a reserve of 4 MiB */
    model_configure(model);
    model_open_as(model, 2, "c1", 1002);
    publish_cache(0, "n", 2 * MIB, NULL);
    granted(model_acquire(model, 1, 8 * MIB, LOCATION_RAM, 0));
    uint64_t lease = granted(model_acquire(model, 2, 4 * MIB, LOCATION_RAM, 0));
    cr_expect_null(model_acquire_waiting(model, 1, 7 * MIB, 60000));
    cr_expect(is_there("n"));
    model_release(model, 2, lease);
    cr_expect(is_there("n"), "it would be evicted in vain");
    cr_expect_eq(model_status(model).waiting, 1);
    model_free(model);
}

Test(evictions, the_hosts_memory_counts_as_well)
{
    begin(0);
    publish_cache(0, "n", 4 * MIB, NULL);
    struct input host = {.kind = INPUT_HOST_MEMORY, .host = {2 * MIB, 64 * MIB}};
    model_feed(model, &host);
    refused(model_acquire(model, 1, 7 * MIB, LOCATION_RAM, 0), ERROR_HOST_MEMORY);
    cr_expect(is_there("n"));
    model->hold_frees = true;
    cr_expect_null(model_acquire(model, 1, 5 * MIB, LOCATION_RAM, 0));
    cr_expect_not(is_there("n"));
    model_free(model);
}

Test(evictions, many_are_evicted_in_several_steps)
{
    begin(48 * MIB);
    for (int i = 0; i < 48; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%d", i);
        publish_cache(0, name, MIB, NULL);
    }
    granted(model_acquire(model, 1, 40 * MIB, LOCATION_RAM, 0));
    cr_expect(is_there("n40") && !is_there("n39"));
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    model_free(model);
}

static size_t listed_under(const char *name, size_t place)
{
    const struct block *block = block_table_named(&model->broker->blocks, 1000, name), *listed;
    size_t count = 0;
    TAILQ_FOREACH(listed, &block->account.above[place]->idle[LOCATION_RAM], in_idle[place]) {
        count++;
    }
    return count;
}

/* There may be very many caches of others: a request that the limit of its user refuses must not look at them. */
Test(evictions, for_a_users_limit_the_caches_of_others_are_not_looked_at)
{
    struct policy_rule rule = user_rule(1000);
    rule.quota.limits.max_physical_bytes = 4 * MIB;
    model = with_rule(64 * MIB, &rule);
    model_open_as(model, 0, "a", 1000);
    model_open_as(model, 1, "b", 1001);
    publish_cache(1, "other", MIB, NULL);
    publish_cache(1, "another", MIB, NULL);
    publish_cache(0, "own", 2 * MIB, NULL);
    cr_expect_eq(listed_under("own", 1), 1);
    cr_expect_eq(listed_under("own", ACCOUNT_ABOVE_MAX - 1), 3);
    granted(model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 0));
    cr_expect(is_there("other") && is_there("another") && !is_there("own"));
    model_free(model);
}

Test(evictions, for_the_clients_own_limit_nothing_is_evicted)
{
    begin(16 * MIB);
    publish_cache(0, "n", 2 * MIB, NULL);
    model_open(model, 2, 2 * MIB); /* and twice that, of all kinds */
    granted(model_acquire(model, 2, 3 * MIB, LOCATION_RAM, 0));
    refused(model_acquire(model, 2, 2 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect(is_there("n"));
    model_free(model);
}

static void put_in_class(const char *name, uint64_t max_physical)
{
    static struct policy_member member = {.kind = MEMBER_USER, .id = 1000};
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, name);
    const struct policy policy = {.rules = &rule, .rule_count = 1};
    rule.quota.limits.max_physical_bytes = max_physical;
    rule.members = &member;
    rule.member_count = 1;
    model->options.settings.policy = &policy;
    model_configure(model);
    model->options.settings.policy = NULL; /* the broker has a copy */
}

Test(evictions, after_a_reload_a_cache_is_looked_at_for_its_new_class)
{
    begin(64 * MIB);
    put_in_class("before", 64 * MIB);
    publish_cache(0, "one", MIB, NULL);
    publish_cache(0, "two", 2 * MIB, NULL);
    put_in_class("after", 4 * MIB);
    cr_expect_eq(listed_under("one", 3), 2);
    cr_expect_eq(listed_under("one", ACCOUNT_ABOVE_MAX - 1), 2);
    granted(model_acquire(model, 0, 2 * MIB, LOCATION_RAM, 0));
    cr_expect(!is_there("one") && is_there("two"));
    model_free(model);
}

/* ---- with others that wait ---- */

/* User 1000 holds 3 MiB and a cache of 6 MiB, user 1001 holds 8 MiB, and a request of user 1000 waits for 12 MiB. */
static void begin_full(void)
{
    begin(17 * MIB);
    granted(model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, 8 * MIB, LOCATION_RAM, 0));
    publish_cache(0, "n", 6 * MIB, NULL);
    cr_assert_null(model_acquire_waiting(model, 0, 12 * MIB, 60000));
    cr_assert(is_there("n"));
}

/* User 1000 holds less without the block, so that their own request would go first; and is in the way, if it does. */
Test(evictions, whom_a_block_was_evicted_for_goes_first)
{
    begin_full();
    model->hold_frees = true;
    cr_expect_null(model_acquire(model, 1, 6 * MIB, LOCATION_RAM, 0));
    uint64_t request = model->next_request;
    cr_expect_not(is_there("n"));
    model_finish(model);
    model_pass(model, 1);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).waiting, 1);
    model_free(model);
}

/* Behind an older request of its user, which waits for a file. */
Test(evictions, whom_a_block_was_evicted_for_has_one_turn_of_two)
{
    begin_full();
    model->options.settings.limits.max_mapped_bytes = 4 * MIB;
    model_configure(model);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_MMAP, 0));
    struct request file = {.kind = REQUEST_ACQUIRE};
    file.acquire = (struct acquire_request){
        .bytes = 4 * MIB, .location = LOCATION_MMAP, .ttl_ms = 60000, .numa_node = -1, .wait_ms = 60000};
    cr_assert_null(model_request(model, 1, &file));
    model->hold_frees = true;
    cr_expect_null(model_acquire_waiting(model, 1, 6 * MIB, 60000));
    uint64_t request = model->next_request;
    cr_expect_not(is_there("n"));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000), "it is not to take what comes free");
    model_finish(model);
    model_pass(model, 1);
    granted(model_answer(model, request));
    cr_expect_eq(model_status(model).waiting, 3);
    model_free(model);
}

Test(evictions, requests_of_two_users_may_each_have_a_block_evicted)
{
    begin(23 * MIB);
    model_open_as(model, 2, "c", 1002);
    granted(model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, 8 * MIB, LOCATION_RAM, 0));
    publish_cache(0, "n", 6 * MIB, NULL);
    publish_cache(0, "m", 6 * MIB, NULL);
    model->hold_frees = true;
    cr_expect_null(model_acquire_waiting(model, 1, 6 * MIB, 60000));
    cr_expect_null(model_acquire_waiting(model, 2, 6 * MIB, 60000));
    uint64_t request = model->next_request;
    cr_expect(!is_there("n") && !is_there("m"));
    model_finish(model);
    model_pass(model, 1);
    granted(model_answer(model, request - 1));
    granted(model_answer(model, request));
    model_free(model);
}

/* Memory that the kernel does not give back must not keep the queue in another order for ever. */
Test(evictions, nobody_goes_first_for_longer_than_bytes_take_to_come_free)
{
    begin_full();
    model->hold_frees = true;
    cr_expect_null(model_acquire_waiting(model, 1, 6 * MIB, 60000));
    cr_expect_null(model_acquire_waiting(model, 1, 6 * MIB, 60000));
    uint64_t request = model->next_request - 1;
    cr_expect_not(is_there("n"));
    model_pass(model, 6000);
    model_finish(model);
    model_pass(model, 300);
    cr_expect_null(model_answer(model, request), "user 1000 holds less, and their request goes first");
    cr_expect_eq(model_status(model).waiting, 3);
    model_free(model);
}

Test(evictions, nothing_goes_for_a_request_that_may_not_wait)
{
    begin_full();
    model->options.settings.queue.waiting_max = 1;
    model_configure(model);
    refused(model_acquire(model, 1, 6 * MIB, LOCATION_RAM, 0), ERROR_LIMIT);
    cr_expect(is_there("n"));
    model_free(model);
}

/* At the end of its wait a request is looked at for the last time. */
Test(evictions, nothing_goes_for_a_request_whose_wait_ends)
{
    begin(8 * MIB);
    publish_cache(0, "n", 4 * MIB, NULL);
    uint64_t view = attach(1, "n")->attached.lease;
    cr_assert_null(model_acquire_waiting(model, 1, 6 * MIB, 1000));
    uint64_t request = model->next_request;
    model->now += 1000 * NANOSECONDS_PER_MILLISECOND;
    model_release(model, 1, view);
    refused(model_answer(model, request), ERROR_LIMIT);
    cr_expect(is_there("n"));
    model_free(model);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A request is resolved when it arrives, and again when new settings take effect while it waits. */
#include <criterion/criterion.h>

#include "tests/unit/core/sharing.h"

static uint64_t waits(struct model *model, struct acquire_request acquire)
{
    struct request request = {.kind = REQUEST_ACQUIRE, .acquire = acquire};
    request.acquire.wait_ms = 60000;
    cr_expect_null(model_request(model, 1, &request));
    return request.id;
}

/* A host that one client has filled. */
static struct model *begin(uint64_t *ret_lease)
{
    struct model *model = model_new(0, 4 * MIB, 4 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    model_open(model, 1, LIMIT_DEFAULT);
    *ret_lease = granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 0));
    return model;
}

Test(demands, a_waiting_request_is_refused_if_new_settings_rule_it_out)
{
    uint64_t lease;
    struct model *model = begin(&lease);
    uint64_t id = waits(
        model, (struct acquire_request){.bytes = MIB, .location = LOCATION_RAM, .numa_node = -1, .ttl_ms = 60000});
    model->options.settings.times.ttl_max_ms = 50000;
    model_configure(model);
    refused(model_answer(model, id), ERROR_INVALID);
    cr_expect_eq(model_status(model).waiting, 0);
    model_free(model);
}

Test(demands, the_sum_of_waiting_bytes_follows_new_settings)
{
    uint64_t lease;
    model_huge_page_bytes = 2 * MIB;
    struct model *model = begin(&lease);
    model->gives_huge_pages = true;
    uint64_t id = waits(model, (struct acquire_request){.bytes = MIB, .location = LOCATION_RAM, .numa_node = -1});
    struct policy_rule rule = one_rule(PRINCIPAL_CLASS, POLICY_DEFAULT_CLASS);
    rule.quota.has_huge_pages = true;
    rule.quota.huge_pages = HUGE_PAGES_TRY;
    struct policy policy = {.rules = &rule, .rule_count = 1};
    model->options.settings.policy = &policy;
    model_configure(model);
    model->options.settings.policy = NULL;
    cr_expect_null(model_answer(model, id));
    cr_expect_null(broker_check(model->broker), "%s", broker_check(model->broker));
    model_release(model, 0, lease);
    const struct reply *reply = model_answer(model, id);
    granted(reply);
    cr_expect_eq(reply->grant.bytes, 2 * MIB, "it takes a huge page now");
    model_free(model);
}

Test(demands, an_extension_takes_nothing_from_the_lease_of_another_session)
{
    uint64_t lease;
    struct model *model = begin(&lease);
    struct request request = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = MIB}};
    refused(model_request(model, 1, &request), ERROR_NO_SUCH_LEASE);
    model_free(model);
}

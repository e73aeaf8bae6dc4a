/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what quotas and the pool promise can be kept. */
#include <inttypes.h>

#include "daemon/config/quotas.h"
#include "proto/base/size.h"

static int check_rule(struct config_draft *draft, size_t index)
{
    const struct policy_rule *rule = &draft->config->policy.rules[index];
    const struct setting_origin *origin = &draft->reserves[index];
    const struct quota *quota = &rule->quota;
    uint64_t most = size_min(quota->limits.max_physical_bytes, quota->limits.max_bytes);
    char reserve[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES];
    if (quota->reserve_bytes > most) {
        return draft_fail(draft, origin->file, origin->line, NULL,
                          "[%s%s] reserve_bytes: %s are reserved, but its own limit is %s; reserve less or allow more",
                          quotas_prefix(rule->kind), rule->name, size_to_text(quota->reserve_bytes, reserve),
                          size_to_text(most, limit));
    }
    if (quota->charge == CHARGE_CLIENT && quota->huge_pages != HUGE_PAGES_NEVER) {
        const struct setting_origin *huge = &draft->huge[index];
        return draft_fail(
            draft, huge->file, huge->line, NULL,
            "[%s%s] huge: huge pages are filled, and paid for, by the broker, and charge = client says that "
            "clients pay; take one of the two away",
            quotas_prefix(rule->kind), rule->name);
    }
    return 0;
}

/* A size that never fits would be passed over without a word. */
static int check_pool(struct config_draft *draft)
{
    const struct pool_settings *pool = &draft->config->pool;
    const struct setting_origin *origin = &draft->origins[SETTING_POOL_SIZES];
    char size[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < pool->size_count; i++) {
        if (pool->sizes[i] > pool->bytes) {
            return draft_fail(draft, origin->file, origin->line, &settings[SETTING_POOL_SIZES],
                              "a segment of %s can never be ready: [pool] pool_bytes is %s; raise that, or leave the "
                              "size out",
                              size_to_text(pool->sizes[i], size), size_to_text(pool->bytes, limit));
        }
    }
    return 0;
}

int quotas_check(struct config_draft *draft)
{
    const struct config *config = draft->config;
    uint64_t most = size_min(config->limits.max_physical_bytes, config->limits.max_bytes);
    uint64_t sum = 0;
    const struct setting_origin nowhere = {0}, *last = &nowhere;
    char sum_text[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        int result = check_rule(draft, i);
        if (result < 0) {
            return result;
        }
        sum = size_add_saturated(sum, config->policy.rules[i].quota.reserve_bytes);
        last = draft->reserves[i].file ? &draft->reserves[i] : last;
    }
    if (sum > most) {
        return draft_fail(draft, last->file, last->line, NULL,
                          "reserve_bytes: all reserves together are %s (%" PRIu64
                          " bytes), but there are only %s of RAM to lend ([limits] max_physical_bytes and max_bytes); "
                          "reserve less, or raise those",
                          size_to_text(sum, sum_text), sum, size_to_text(most, limit));
    }
    if (config->pool.bytes > most) {
        return draft_fail(draft, draft->origins[SETTING_POOL_BYTES].file, draft->origins[SETTING_POOL_BYTES].line,
                          &settings[SETTING_POOL_BYTES], "it is more than all the RAM that there is to lend (%s)",
                          size_to_text(most, limit));
    }
    return check_pool(draft);
}

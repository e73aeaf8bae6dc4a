/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/quotas_check.h"

#include <inttypes.h>

#include "daemon/config/quotas.h"
#include "proto/base/size.h"

/* Fails about a key of a rule, where it was set. */
static int fail_key(struct config_draft *draft, size_t index, enum section_key_id id, const char *what)
{
    const struct policy_rule *rule = &draft->config->policy.rules[index];
    const struct setting_origin *origin = &draft->rules[index].keys[id];
    char section[POLICY_NAME_SIZE + 16];
    (void)snprintf(section, sizeof section, "%s%s", quotas_prefix(rule->kind), rule->name);
    const struct config_place place = {origin->file, origin->line, section, section_keys[id].key};
    return draft_fail(draft, &place, "%s", what);
}

static int check_rule(struct config_draft *draft, size_t index)
{
    const struct quota *quota = &draft->config->policy.rules[index].quota;
    uint64_t most = size_min(quota->limits.max_physical_bytes, quota->limits.max_bytes);
    char reserve[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES], what[160];
    if (quota->reserve_bytes > most) {
        (void)snprintf(what, sizeof what, "%s are reserved, but its own limit is %s; reserve less or allow more",
                       size_to_text(quota->reserve_bytes, reserve), size_to_text(most, limit));
        return fail_key(draft, index, SECTION_KEY_RESERVE_BYTES, what);
    }
    if (quota->charge == CHARGE_CLIENT && quota->huge_pages != HUGE_PAGES_NEVER) {
        return fail_key(draft, index, SECTION_KEY_HUGE,
                        "the broker fills huge pages and is charged for them, but charge = client says that clients "
                        "pay; take one of the two away");
    }
    return 0;
}

/* The broker would ignore a size that never fits. */
static int check_pool(struct config_draft *draft)
{
    const struct pool_settings *pool = &draft->config->broker.pool;
    char size[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < pool->sizes.count; i++) {
        if (pool->sizes.bytes[i] > pool->bytes) {
            return draft_fail_setting(
                draft, SETTING_POOL_SIZES,
                "a segment of %s can never be ready: [pool] pool_bytes is %s; raise that, or leave the "
                "size out",
                size_to_text(pool->sizes.bytes[i], size), size_to_text(pool->bytes, limit));
        }
    }
    return 0;
}

int quotas_check(struct config_draft *draft)
{
    const struct config *config = draft->config;
    uint64_t most = size_min(config->broker.limits.max_physical_bytes, config->broker.limits.max_bytes);
    uint64_t sum = 0;
    struct config_place last = {0};
    char sum_text[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES];
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        int result = check_rule(draft, i);
        if (result < 0) {
            return result;
        }
        sum = size_add_saturated(sum, config->policy.rules[i].quota.reserve_bytes);
        const struct setting_origin *origin = &draft->rules[i].keys[SECTION_KEY_RESERVE_BYTES];
        if (origin->file) {
            last = (struct config_place){.file = origin->file, .line = origin->line};
        }
    }
    if (sum > most) {
        return draft_fail(draft, &last,
                          "reserve_bytes: all reserves together are %s (%" PRIu64
                          " bytes), but there are only %s of RAM to lend ([limits] max_physical_bytes and max_bytes); "
                          "reserve less, or raise those",
                          size_to_text(sum, sum_text), sum, size_to_text(most, limit));
    }
    if (config->broker.pool.bytes > most) {
        return draft_fail_setting(draft, SETTING_POOL_BYTES, "it is more than all the RAM that there is to lend (%s)",
                                  size_to_text(most, limit));
    }
    return check_pool(draft);
}

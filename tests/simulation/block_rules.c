/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/block_rules.h"

#include <string.h>

#include <criterion/criterion.h>

#include "proto/base/size.h"
#include "tests/simulation/virtual_time.h"
#include "tests/simulation/world_config.h"

#define MIB UINT64_C(1048576)

enum {
    LATE_MS = 1000, /* a loop whose steps take time counts it as the daemon's own */
    USAGE_MAX = 64,
};

static const struct identity root = {.pid = 1};

static uint32_t views_of(const struct block_entry *entry)
{
    return entry->views - (entry->publisher ? 1 : 0);
}

static const struct ruled_block *find(const struct block_rules *rules, uint64_t number)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->blocks[i].entry.block == number) {
            return &rules->blocks[i];
        }
    }
    return NULL;
}

const struct block_entry *block_rules_named(const struct block_rules *rules, uint32_t owner, const char *name)
{
    const struct block_entry *named = NULL;
    for (size_t i = 0; i < rules->count; i++) {
        const struct block_entry *entry = &rules->blocks[i].entry;
        if (entry->ended == END_NONE && entry->owner == owner && strcmp(entry->name, name) == 0) {
            cr_assert(!named, "user %u has two blocks with the name %s", owner, name);
            named = entry;
        }
    }
    return named;
}

static size_t list(const struct broker *broker, uint64_t now, struct block_entry entries[RULED_BLOCKS])
{
    bool more;
    size_t count = broker_list_blocks(broker, &root, 0, now, entries, RULED_BLOCKS, &more);
    cr_assert(!more);
    return count;
}

/* The bytes stay the owner's until they are free, whoever reads them, and whoever has died. */
static void check_owners_pay(const struct block_rules *rules, const struct broker *broker, uint64_t now)
{
    struct usage_entry entries[USAGE_MAX];
    bool more;
    size_t count = broker_list_usage(broker, &root, 0, now, entries, USAGE_MAX, &more);
    cr_assert(!more);
    for (size_t i = 0; i < count; i++) {
        uint64_t memory = 0, files = 0;
        for (size_t j = 0; j < rules->count && entries[i].kind == USAGE_USER; j++) {
            const struct block_entry *entry = &rules->blocks[j].entry;
            if (entry->owner == entries[i].id) {
                *(location_is_memory(entry->location) ? &memory : &files) += entry->bytes;
            }
        }
        cr_assert(entries[i].physical_bytes >= memory && entries[i].mapped_bytes >= files,
                  "user %u pays for less than they publish", entries[i].id);
    }
}

static void check_ended(const struct block_entry *entry)
{
    cr_assert(entry->ended != END_EVICTED || views_of(entry) == 0, "block %llu was evicted, and has %u views",
              (unsigned long long)entry->block, views_of(entry));
    cr_assert(entry->ended != END_EVICTED || entry->lifetime == LIFETIME_CACHE, "what is no cache was evicted");
}

void block_rules_look(struct block_rules *rules, const struct broker *broker, uint64_t now)
{
    static struct block_entry entries[RULED_BLOCKS];
    static struct ruled_block next[RULED_BLOCKS];
    struct status_reply status = {0};
    size_t count = list(broker, now, entries);
    for (size_t i = 0; i < count; i++) {
        const struct ruled_block *before = find(rules, entries[i].block);
        bool has_ended = entries[i].ended != END_NONE, had_ended = before && before->ended_at;
        cr_assert(has_ended || !had_ended, "a block that ended has its name again");
        next[i] = (struct ruled_block){entries[i], !has_ended ? 0 : had_ended ? before->ended_at : now};
        rules->counts.ends_with_views += has_ended && !had_ended && views_of(&entries[i]) > 0;
        if (has_ended) {
            check_ended(&entries[i]);
        }
    }
    memcpy(rules->blocks, next, count * sizeof *next);
    rules->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].ended) {
            (void)block_rules_named(rules, entries[i].owner, entries[i].name);
        }
    }
    check_owners_pay(rules, broker, now);
    broker_fill_status(broker, &status);
    rules->counts.evictions += status.blocks.evicted - rules->evicted;
    rules->evicted = status.blocks.evicted;
}

void block_rules_check_view(const struct block_rules *rules, const struct known_view *view, uint32_t uid, uint64_t now)
{
    const struct ruled_block *block = find(rules, view->block);
    cr_assert(block, "the bytes of block %llu are gone under a reader", (unsigned long long)view->block);
    cr_assert_neq(block->entry.ended, END_EVICTED, "block %llu was evicted under a reader",
                  (unsigned long long)view->block);
    cr_assert_gt(views_of(&block->entry), 0);
    cr_assert(!block->ended_at || block->entry.owner == uid ||
                  now <= block->ended_at + (WORLD_SHARING_GRACE_MS + LATE_MS) * MS,
              "user %u holds block %llu of another user for too long", uid, (unsigned long long)view->block);
}

/* Whatever is evicted or waits: what others have left of their reserves is theirs. */
void block_rules_check_grant(const struct broker *broker, const char *class_name, uint64_t now)
{
    struct usage_entry entries[USAGE_MAX];
    struct status_reply status = {0};
    bool more;
    size_t count = broker_list_usage(broker, &root, 0, now, entries, USAGE_MAX, &more);
    broker_fill_status(broker, &status);
    uint64_t taken = status.used_physical_bytes - status.pooled_bytes;
    for (size_t i = 0; i < count; i++) {
        bool has_reserve = entries[i].kind == USAGE_CLASS || entries[i].kind == USAGE_RESERVATION;
        if (has_reserve && strcmp(entries[i].name, class_name) != 0) {
            taken += size_subtract_floored(entries[i].reserve_bytes, entries[i].physical_bytes);
        }
    }
    cr_assert_leq(taken, WORLD_RAM_MIB * MIB, "class %s is granted what is reserved for others", class_name);
}

void block_rules_check_end(const struct block_rules *rules, uint64_t number, enum end_reason reason)
{
    const struct ruled_block *block = find(rules, number);
    cr_assert(!block || !block->ended_at || block->entry.ended == reason, "block %llu ended by %d, and %d is told",
              (unsigned long long)number, (int)block->entry.ended, (int)reason);
}

void block_rules_check_restart(struct block_rules *rules, const struct broker *broker, uint64_t now)
{
    static struct block_entry entries[RULED_BLOCKS];
    size_t count = list(broker, now, entries);
    for (size_t i = 0; i < rules->count; i++) {
        struct ruled_block *before = &rules->blocks[i];
        const struct block_entry *after = NULL;
        for (size_t j = 0; j < count; j++) {
            after = entries[j].block == before->entry.block ? &entries[j] : after;
        }
        cr_assert(after && after->ended == before->entry.ended && after->views == before->entry.views &&
                      after->owner == before->entry.owner && strcmp(after->name, before->entry.name) == 0,
                  "block %llu is not as it was before the restart", (unsigned long long)before->entry.block);
        before->ended_at = before->ended_at ? now : 0; /* the grace time begins again */
    }
    rules->evicted = 0;
    rules->counts.restarts_with_blocks += rules->count > 0;
}

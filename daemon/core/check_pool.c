/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: what is ready and what is being made, in all and of each size. */
#include "daemon/core/check.h"

static const char *check_ready(const struct pool *pool, uint64_t pooled)
{
    const struct segment *segment;
    const char *wrong = NULL;
    uint64_t ready = 0;
    TAILQ_FOREACH(segment, &pool->ready, in_pool) {
        wrong = require(wrong, segment->state == SEGMENT_POOLED, "the pool holds a segment that is not its own");
        ready++;
    }
    return require(wrong, ready == pooled, "a segment of the pool is not in its list");
}

static const char *check_size(const struct broker *broker, const struct pool_size *size)
{
    const struct segment *segment = segment_tree_next(broker, 0);
    uint32_t ready = 0, making = 0;
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        bool is_its = !segment->lease && !segment->block && segment->charge.bytes == size->bytes;
        ready += is_its && segment->state == SEGMENT_POOLED;
        making += is_its && segment->state == SEGMENT_MAKING;
    }
    const char *wrong = require(NULL, size->ready == ready, "the pool miscounts what is ready of a size");
    return require(wrong, size->making == making, "the pool miscounts what is made of a size");
}

const char *check_pool(const struct broker *broker)
{
    const struct pool *pool = &broker->pool;
    const struct segment *segment = segment_tree_next(broker, 0);
    uint64_t pooled = 0, making = 0;
    for (; segment; segment = segment_tree_next(broker, segment->id)) {
        pooled += segment->state == SEGMENT_POOLED;
        making += !segment->lease && segment->state == SEGMENT_MAKING;
    }
    const char *wrong = check_ready(pool, pooled);
    wrong = require(wrong, making == pool->making, "the pool miscounts what is being made");
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        wrong = wrong ? wrong : check_size(broker, &pool->sizes[i]);
    }
    return wrong;
}

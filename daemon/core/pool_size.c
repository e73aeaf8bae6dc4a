/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/pool.h"

#include <assert.h>

struct pool_size *pool_size_find(struct pool *pool, uint64_t bytes)
{
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        if (pool->sizes[i].bytes == bytes) {
            return &pool->sizes[i];
        }
    }
    return NULL;
}

static bool is_idle(const struct pool_size *size)
{
    return !size->is_named && !size->ready && !size->making;
}

/* The place for a size: its own, a free one, or that of the size that was asked for the longest ago. */
struct pool_size *pool_size_get(struct pool *pool, uint64_t bytes)
{
    struct pool_size *size = pool_size_find(pool, bytes);
    for (size_t i = 0; !size && i < POOL_SIZES_MAX; i++) {
        size = pool->sizes[i].bytes == 0 ? &pool->sizes[i] : NULL;
    }
    if (size) {
        size->bytes = bytes;
        return size;
    }
    for (size_t i = 0; i < POOL_SIZES_MAX; i++) {
        struct pool_size *other = &pool->sizes[i];
        if (is_idle(other) && (!size || other->asked_at < size->asked_at)) {
            size = other;
        }
    }
    if (size) {
        *size = (struct pool_size){.bytes = bytes};
    }
    return size;
}

void pool_size_count_making(struct pool *pool, uint64_t bytes, bool add)
{
    struct pool_size *size = pool_size_find(pool, bytes); /* one that has something in the making keeps its place */
    assert(size && (add || (size->making > 0 && pool->making > 0)));
    size->making = add ? size->making + 1 : size->making - 1;
    pool->making = add ? pool->making + 1 : pool->making - 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/revocable.h"

#include <assert.h>

#include "daemon/core/principal.h"
#include "daemon/core/session.h"

/* By size, and of one size the newest first. */
static int compare_sizes(const struct lease *a, const struct lease *b)
{
    int by_size = (a->bytes > b->bytes) - (a->bytes < b->bytes);
    return by_size ? by_size : (a->id < b->id) - (a->id > b->id);
}

TREE_GENERATE(revocable_tree, lease, by_revocable, compare_sizes)

void revocable_insert(struct lease *lease)
{
    struct share *share = lease->session->share;
    struct revocable_set *set = &share->revocable[lease->location];
    assert(!lease->revocable);
    RB_INSERT(revocable_tree, &set->leases, lease);
    set->bytes += lease->bytes;
    lease->revocable = set;
}

void revocable_remove(struct lease *lease)
{
    if (lease->revocable) {
        RB_REMOVE(revocable_tree, &lease->revocable->leases, lease);
        lease->revocable->bytes -= lease->bytes;
        lease->revocable = NULL;
    }
}

struct lease *revocable_smallest(struct revocable_set *set, uint64_t least_bytes)
{
    struct lease key = {.bytes = least_bytes, .id = UINT64_MAX};
    return RB_NFIND(revocable_tree, &set->leases, &key);
}

struct lease *revocable_largest(struct revocable_set *set)
{
    struct lease *oldest = RB_MAX(revocable_tree, &set->leases);
    return oldest ? revocable_smallest(set, oldest->bytes) : NULL;
}

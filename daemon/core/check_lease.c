/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: their trees, their segments, and the sets of those that may be taken. */
#include "daemon/core/check.h"

static bool has_smaller_id(const struct lease *a, const struct lease *b)
{
    return a->id < b->id;
}

static bool is_smaller(const struct lease *a, const struct lease *b)
{
    return a->bytes < b->bytes || (a->bytes == b->bytes && a->id > b->id);
}

static bool is_due_before(const struct lease *a, const struct lease *b)
{
    return a->due < b->due || (a->due == b->due && a->id < b->id);
}

static bool stands_before(const struct lease *a, const struct lease *b)
{
    uint32_t one = a->session->identity.uid, other = b->session->identity.uid;
    return one < other || (one == other && a->id < b->id);
}

CHECK_TREE(check_users, lease, by_user, stands_before)
CHECK_TREE(check_ids, lease, by_id, has_smaller_id)
CHECK_TREE(check_dues, lease, by_due, is_due_before)
CHECK_TREE(check_revocable_tree, lease, by_revocable, is_smaller)

static const struct revocable_set *set_of(const struct lease *lease)
{
    const struct share *share = lease->session->share;
    bool has_bytes = !TAILQ_EMPTY(&lease->segments); /* else it is a view, or was published */
    bool may_be_taken = lease->state == LEASE_ALIVE && !lease->revoke_at && has_bytes;
    return !may_be_taken ? NULL : &share->revocable[lease->location];
}

static const char *check_its_segments(const struct broker *broker, const struct lease *lease)
{
    const struct segment *segment;
    const char *wrong = NULL;
    uint64_t bytes = 0, count = 0;
    TAILQ_FOREACH(segment, &lease->segments, in_lease) {
        bool is_known = segment_tree_next(broker, segment->id - 1) == segment;
        wrong = require(wrong, segment->lease == lease, "a lease has a segment of another one");
        wrong = require(wrong, is_known, "a lease has a segment that the tree does not");
        bytes += segment->state == SEGMENT_LIVE ? segment->charge.bytes : 0;
        count++;
    }
    wrong = require(wrong, count == lease->extents, "extents is not the number of a lease's segments");
    return require(wrong, bytes == lease->bytes || lease->state == LEASE_ENDED,
                   "a lease's size is not the sum of its segments");
}

const char *check_lease(const struct broker *broker, const struct lease *lease)
{
    const char *wrong = check_its_segments(broker, lease);
    wrong = require(wrong, lease->state != LEASE_MAKING || lease->extents == 1,
                    "a lease that has not begun has more than its first segment");
    wrong = require(wrong, lease->extents > 0 || (lease->block && lease->state == LEASE_ALIVE),
                    "a lease has neither a segment nor a block");
    wrong = require(wrong, lease->revocable == set_of(lease), "a lease is in the wrong revocable set, or in none");
    return require(wrong, lease->id < broker->next_lease, "a lease's number was not given out yet");
}

/* Leases that ended are known by their segments alone. */
static const char *check_ended(const struct broker *broker)
{
    const struct segment *segment = segment_tree_next(broker, 0);
    const char *wrong = NULL;
    uint64_t lent = 0, listed = 0;
    for (; !wrong && segment; segment = segment_tree_next(broker, segment->id)) {
        const struct lease *lease = segment->lease;
        lent += lease != NULL;
        if (lease && TAILQ_FIRST(&lease->segments) == segment) {
            listed += lease->extents;
            wrong = check_lease(broker, lease);
        }
    }
    return require(wrong, lent == listed, "a segment is not in its lease's list");
}

static const char *check_revocable(const struct broker *broker, const struct revocable_set *set)
{
    const struct lease *before = NULL, *lease = lease_table_next(&broker->leases, 0);
    const char *wrong = NULL;
    uint64_t bytes = 0, count = 0, in_tree = 0;
    for (; lease; lease = lease_table_next(&broker->leases, lease->id)) {
        bytes += lease->revocable == set ? lease->bytes : 0;
        count += lease->revocable == set;
    }
    wrong = require(wrong, check_revocable_tree(RB_ROOT(&set->leases), &before, &in_tree),
                    "a revocable set is out of order");
    wrong = require(wrong, in_tree == count, "a revocable set has other leases than those that name it");
    return require(wrong, bytes == set->bytes, "a revocable set's bytes are not the sum of its leases");
}

const char *check_leases(const struct broker *broker)
{
    const struct lease *before = NULL, *lease = lease_table_next(&broker->leases, 0);
    const struct session *session = check_walk_next(broker, NULL);
    const struct share *share;
    const char *wrong = NULL;
    uint64_t count = 0, users = 0, due = 0, alive = 0, of_sessions = 0;
    wrong = require(wrong, check_ids(RB_ROOT(&broker->leases.by_id), &before, &count), "the leases are out of order");
    before = NULL;
    wrong = require(wrong, check_users(RB_ROOT(&broker->leases.by_user), &before, &users),
                    "a user's leases are out of order");
    wrong = require(wrong, users == count, "the leases of all users are not all leases");
    before = NULL;
    wrong =
        require(wrong, check_dues(RB_ROOT(&broker->leases.by_due), &before, &due), "the due times are out of order");
    for (; !wrong && lease; lease = lease_table_next(&broker->leases, lease->id)) {
        alive += lease->state == LEASE_ALIVE;
        wrong = require(wrong, lease->state != LEASE_ENDED, "a lease that ended is in the table");
        wrong = wrong ? wrong : check_lease(broker, lease);
    }
    for (; session; session = check_walk_next(broker, session)) {
        of_sessions += session->lease_count;
    }
    wrong = require(wrong, count == of_sessions, "the table has other leases than the sessions");
    wrong = require(wrong, alive == broker->leases.alive, "the number of living leases (alive) is wrong");
    wrong = require(wrong, alive == due, "not every living lease has a due time");
    wrong = wrong ? wrong : check_ended(broker);
    TAILQ_FOREACH(share, &broker->principals.shares, in_table) {
        FOR_EACH_LOCATION(location)
        {
            wrong = wrong ? wrong : check_revocable(broker, &share->revocable[location]);
        }
    }
    return wrong;
}

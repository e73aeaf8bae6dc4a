/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: each has an owner, is charged to its owner, and is in the state that its lease allows. */
#include "daemon/core/check.h"

static bool has_smaller_id(const struct segment *a, const struct segment *b)
{
    return a->id < b->id;
}

CHECK_TREE(check_tree, segment, by_id, has_smaller_id)

static const char *check_pooled(const struct broker *broker, const struct segment *segment)
{
    const char *wrong = NULL;
    wrong = require(wrong, segment->charge.account == &broker->pool.account, "a segment is nobody's");
    wrong = require(wrong, !segment->doomed, "a segment of the pool is doomed");
    wrong = require(wrong, segment->state != SEGMENT_LIVE, "a segment of the pool is lent out");
    return require(wrong, location_is_memory(segment->charge.location), "a segment of the pool is a file");
}

/* Of sessions that a restart has not taken over: it is the host's until it is gone. */
static const char *check_left_over(const struct segment *segment)
{
    const char *wrong = require(NULL, segment->state == SEGMENT_FREEING, "a segment of nobody is not being freed");
    return require(wrong, !segment->doomed, "a segment of nobody is doomed");
}

static const char *check_published(const struct segment *segment)
{
    const struct block *block = segment->block;
    const char *wrong = NULL;
    wrong = require(wrong, block->segment == segment, "a block has another segment than the one that names it");
    wrong =
        require(wrong, segment->charge.account == &block->account, "a published segment is not charged to its block");
    wrong = require(wrong, segment->state == (block->state == BLOCK_FREEING ? SEGMENT_FREEING : SEGMENT_LIVE),
                    "a published segment is in another state than its block");
    return require(wrong, !segment->doomed && !segment->is_sealing, "a published segment is doomed, or being sealed");
}

static const char *check_unlent(const struct broker *broker, const struct segment *segment)
{
    if (segment->block) {
        return check_published(segment);
    }
    return segment->charge.account == &broker->host ? check_left_over(segment) : check_pooled(broker, segment);
}

static const char *check_lent(const struct segment *segment)
{
    const struct lease *lease = segment->lease;
    bool is_ended = lease->state == LEASE_ENDED;
    bool is_making = segment->state == SEGMENT_MAKING;
    const char *wrong = NULL;
    wrong = require(wrong, segment->charge.account == &lease->session->account,
                    "a segment is charged to another session's account");
    wrong = require(wrong, segment->charge.location == lease->location, "a segment lies elsewhere than its lease");
    wrong = require(wrong, segment->state != SEGMENT_POOLED, "a segment of a lease is in the pool");
    wrong = require(wrong, segment->state != SEGMENT_LIVE || lease->state == LEASE_ALIVE || segment->doomed,
                    "a segment is lent out under a lease that is not alive");
    wrong = require(wrong, segment->state != SEGMENT_FREEING || is_ended, "a living lease has a segment that is freed");
    wrong =
        require(wrong, !segment->is_sealing || segment->state == SEGMENT_LIVE, "a segment is sealed that is not lent");
    wrong = require(wrong, !segment->block || (segment->is_sealing && segment->block == lease->block),
                    "a segment is to be another block than its lease");
    return require(wrong, segment->doomed == is_ended || !(is_making || segment->is_sealing),
                   "a segment is doomed and its lease lives, or not");
}

/* Its publisher's lease is still to be ended. */
static bool is_evicted(const struct segment *segment)
{
    return !segment->lease && segment->block && segment->block->is_evicting;
}

static const char *check_segment(const struct broker *broker, const struct segment *segment)
{
    bool is_leaving = segment->state == SEGMENT_FREEING || segment->doomed || is_evicted(segment);
    bool is_whole = segment->charge.bytes && segment->charge.bytes % broker->options.page_bytes == 0;
    const char *wrong = segment->lease ? check_lent(segment) : check_unlent(broker, segment);
    wrong = require(wrong, segment->state != SEGMENT_NEW, "a segment is neither made nor being made");
    wrong = require(wrong, is_whole, "a charge is not whole pages");
    wrong = require(wrong, segment->charge.freeing == is_leaving,
                    "a segment and its charge disagree on whether it is being freed");
    return require(wrong, segment->id < broker->next_segment, "a segment's number was not given out yet");
}

const char *check_segments(const struct broker *broker)
{
    const struct segment *before = NULL, *segment = segment_tree_next(broker, 0);
    const char *wrong = NULL;
    uint64_t count = 0, granted_since = 0;
    wrong = require(wrong, check_tree(RB_ROOT(&broker->segments), &before, &count), "the segments are out of order");
    wrong = require(wrong, count == broker->segment_count, "segment_count is not the number of segments");
    for (; !wrong && segment; segment = segment_tree_next(broker, segment->id)) {
        bool is_recent = location_is_memory(segment->charge.location) && segment->host_epoch == broker->host_epoch;
        granted_since += is_recent ? segment->charge.bytes : 0;
        wrong = check_segment(broker, segment);
    }
    return require(wrong, granted_since == broker->host_granted_since,
                   "host_granted_since is not what was granted since the last look at the host");
}

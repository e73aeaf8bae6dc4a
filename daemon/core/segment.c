/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a segment: new, being made, lent out or pooled, being freed. Whatever is counted while a segment is being
 * made (requests under way, makings of the pool) is counted here, where it enters and leaves that state, and nowhere
 * else: so the counts balance whichever way a making ends.
 */
#include "daemon/core/segment.h"

#include <assert.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/host_room.h"

/* ---- the tree of all segments ---- */

static int compare_ids(const struct segment *a, const struct segment *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

TREE_GENERATE(segment_id_tree, segment, by_id, compare_ids)

void segment_tree_insert(struct broker *broker, struct segment *segment)
{
    RB_INSERT(segment_id_tree, &broker->segments, segment);
    broker->segment_count++;
}

void segment_tree_remove(struct broker *broker, struct segment *segment)
{
    RB_REMOVE(segment_id_tree, &broker->segments, segment);
    broker->segment_count--;
}

struct segment *segment_tree_next(const struct broker *broker, uint64_t after)
{
    struct segment key = {.id = after + 1};
    return after == UINT64_MAX ? NULL
                               : RB_NFIND(segment_id_tree, TREE_FOR_LOOKUP(segment_id_tree, &broker->segments), &key);
}

struct segment *segment_find(const struct broker *broker, uint64_t id)
{
    struct segment *segment = segment_tree_next(broker, id - 1);
    return segment && segment->id == id ? segment : NULL;
}

/* ---- making ---- */

/* One segment more is being made for a session or the pool, or one less. */
static void count_making(struct broker *broker, const struct segment *segment, bool add)
{
    if (!segment->lease) {
        pool_size_count_making(&broker->pool, segment->charge.bytes, add);
        return;
    }
    struct session *session = segment->lease->session;
    struct principal *user = session->share->user;
    assert(add || (session->makings > 0 && user->under_way > 0));
    session->makings = add ? session->makings + 1 : session->makings - 1;
    user->under_way = add ? user->under_way + 1 : user->under_way - 1;
}

struct effect_make *segment_begin_making(struct step *step, struct segment *segment)
{
    struct broker *broker = step->broker;
    assert(segment->state == SEGMENT_NEW);
    if (!segment->id) {
        segment->id = broker->next_segment++;
        segment_tree_insert(broker, segment);
    }
    segment->state = SEGMENT_MAKING;
    count_making(broker, segment, true);
    host_room_count(broker, segment);
    struct effect_make *make = &effect_push(step->effects, EFFECT_MAKE_SEGMENT)->make;
    *make = (struct effect_make){.segment = segment->id,
                                 .location = segment->charge.location,
                                 .bytes = segment->charge.bytes,
                                 .least_bytes = segment->least_bytes,
                                 .options = segment->options};
    if (segment->lease) {
        make->identity = segment->lease->session->identity;
    }
    return make;
}

void segment_end_making(struct broker *broker, struct segment *segment)
{
    assert(segment->state == SEGMENT_MAKING);
    count_making(broker, segment, false);
    segment->state = SEGMENT_NEW;
}

/* ---- sealing and freeing ---- */

void segment_begin_sealing(struct step *step, struct segment *segment)
{
    assert(segment->state == SEGMENT_LIVE && !segment->is_sealing);
    segment->is_sealing = segment->is_published = true;
    effect_push(step->effects, EFFECT_SEAL_SEGMENT)->seal =
        (struct effect_seal){segment->id, segment->handle, segment->charge.bytes};
}

void segment_begin_freeing(struct step *step, struct segment *segment)
{
    charge_begin_free(&segment->charge);
    segment->state = SEGMENT_FREEING;
    segment->freeing_since = step->now;
    effect_push(step->effects, EFFECT_FREE_SEGMENT)->free =
        (struct effect_free){segment->id, segment->handle, segment->charge.location, segment->charge.bytes};
}

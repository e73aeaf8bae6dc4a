/* SPDX-License-Identifier: Apache-2.0 */
/* The model's daemon is killed, and another goes on. */
#include <errno.h>

#include "daemon/core/restore.h"
#include "tests/unit/core/shell_model.h"

/* A session that was over is gone with its leases. */
static bool restore_session(const struct model *model, struct broker *next, int peer)
{
    struct kept_session kept;
    const struct model_peer *of = &model->peers[peer];
    if (!of->session || !broker_keep_session(model->broker, of->session, &kept)) {
        return false;
    }
    cr_assert(broker_restore_session(next, &kept, model_cookie(peer), model->now) == 0);
    cr_assert(broker_restore_session(next, &kept, model_cookie(peer), model->now) == -EEXIST);
    return true;
}

static bool restore_block(const struct model *model, struct broker *next, struct model_segment *segment)
{
    struct kept_block kept;
    if (!broker_keep_block(model->broker, segment->id, model->now, &kept)) {
        return false;
    }
    cr_assert(broker_restore_block(next, &kept, model_handle(segment), model->now) == 0);
    cr_assert(broker_restore_block(next, &kept, model_handle(segment), model->now) == -EEXIST);
    segment->freeing = false;
    return true;
}

static void restore_views(const struct model *model, struct broker *next)
{
    uint64_t last = broker_keep_numbers(model->broker).lease;
    struct kept_view kept;
    for (uint64_t id = 1; id <= last; id++) {
        if (broker_keep_view(model->broker, id, &kept)) {
            cr_assert(broker_restore_view(next, &kept, model->now) == 0);
            cr_assert(broker_restore_view(next, &kept, model->now) == -EINVAL);
        }
    }
}

static bool restore_segment(const struct model *model, struct broker *next, struct model_segment *segment)
{
    struct kept_segment kept;
    if (restore_block(model, next, segment)) {
        return true;
    }
    segment->sealing = false;
    bool is_lent = segment->made && !segment->freeing && broker_keep_segment(model->broker, segment->id, &kept);
    if (!is_lent || broker_restore_segment(next, &kept, model_handle(segment), model->now) == -ENOENT) {
        return false;
    }
    cr_assert(broker_restore_segment(next, &kept, model_handle(segment), model->now) == -EEXIST);
    return true;
}

static void restore_reservations(const struct model *model, struct broker *next)
{
    struct kept_reservation kept = {0};
    while (broker_keep_reservation(model->broker, kept.id, model->now, &kept)) {
        cr_assert(broker_restore_reservation(next, &kept, model->now) == 0);
        cr_assert(broker_restore_reservation(next, &kept, model->now) < 0);
    }
}

void model_restart(struct model *model)
{
    struct broker *next = broker_new(&model->options);
    struct kept_numbers numbers = broker_keep_numbers(model->broker);
    cr_assert(next);
    restore_reservations(model, next);
    for (int peer = 0; peer < MODEL_PEERS; peer++) {
        model->peers[peer].look = 0;
        if (!restore_session(model, next, peer)) {
            model->peers[peer] = (struct model_peer){0};
        }
    }
    for (size_t i = 0; i < model->segment_count;) {
        if (restore_segment(model, next, &model->segments[i])) {
            i++;
        } else {
            model_forget_segment(model, &model->segments[i]);
        }
    }
    restore_views(model, next);
    broker_restore_numbers(next, &numbers);
    broker_restore_done(next, model->now);
    broker_free(model->broker);
    board_model_clear(&model->boards); /* objects end with their broker */
    model->broker = next;
    const char *wrong = broker_check(next);
    cr_assert(!wrong, "%s", wrong);
    struct status_reply status = model_status(model);
    cr_assert_eq(model_existing(model, LOCATION_RAM), status.used_physical_bytes);
    cr_assert_eq(model_existing(model, LOCATION_MMAP), status.used_mapped_bytes);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Another broker in the place of the one before, from what the core says is to be kept. */
#include <unistd.h>

#include <criterion/criterion.h>

#include "daemon/core/restore.h"
#include "tests/simulation/shell_pure.h"
#include "tests/simulation/virtual_time.h"

static void restore_reservations(const struct shell *shell, struct broker *next)
{
    struct kept_reservation kept = {0};
    while (broker_keep_reservation(shell->broker, kept.id, shell->now, &kept)) {
        cr_assert(broker_restore_reservation(next, &kept, shell->now) == 0);
    }
}

static void restore_sessions(struct shell *shell, struct broker *next)
{
    struct cookie *cookie;
    SLIST_FOREACH(cookie, &shell->all, next)
    {
        struct kept_session kept;
        bool is_kept =
            cookie->session && !cookie->is_over && broker_keep_session(shell->broker, cookie->session, &kept);
        cookie->is_connected = false;
        cookie->is_over = !is_kept;
        cr_assert(!is_kept || broker_restore_session(next, &kept, cookie, shell->now) == 0);
    }
}

/* False: it is gone with the daemon. */
static bool restore_segment(struct shell *shell, struct broker *next, struct pure_segment *segment)
{
    struct kept_block block;
    struct kept_segment lent;
    if (broker_keep_block(shell->broker, segment->id, shell->now, &block)) {
        segment->is_freeing = false;
        cr_assert(broker_restore_block(next, &block, shell, shell->now) == 0);
        return true;
    }
    return segment->is_made && !segment->is_freeing && broker_keep_segment(shell->broker, segment->id, &lent) &&
           broker_restore_segment(next, &lent, shell, shell->now) == 0;
}

static void restore_segments(struct shell *shell, struct broker *next)
{
    struct pure_segment *segment = TAILQ_FIRST(&shell->segments), *following;
    for (; segment; segment = following) {
        following = TAILQ_NEXT(segment, next);
        if (!restore_segment(shell, next, segment)) {
            pure_forget_segment(shell, segment);
        }
    }
}

static void restore_views(const struct shell *shell, struct broker *next)
{
    uint64_t last = broker_keep_numbers(shell->broker).lease;
    for (uint64_t id = 1; id <= last; id++) {
        struct kept_view kept;
        if (broker_keep_view(shell->broker, id, &kept)) {
            cr_assert(broker_restore_view(next, &kept, shell->now) == 0);
        }
    }
}

void pure_restart(struct shell *shell)
{
    const struct broker_options options = {.settings = config_broker_settings(shell->config),
                                           .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
                                           .daemon_uid = getuid(),
                                           .first_revision = shell->now};
    struct broker *next = broker_new(&options);
    struct kept_numbers numbers = broker_keep_numbers(shell->broker);
    cr_assert(next);
    pure_drop_results(&shell->ready);
    pure_drop_results(&shell->working);
    pure_drop_results(&shell->looking);
    board_model_clear(&shell->boards);
    restore_reservations(shell, next);
    restore_sessions(shell, next);
    restore_segments(shell, next);
    restore_views(shell, next);
    broker_restore_numbers(next, &numbers);
    broker_restore_done(next, shell->now);
    broker_free(shell->broker);
    shell->broker = next;
}

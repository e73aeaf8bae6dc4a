/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at boards; nothing changes. */
#include "daemon/core/broker_state.h"
#include "daemon/core/visibility.h"
#include "proto/base/text.h"

uint64_t broker_board_bytes(const struct broker *broker)
{
    return broker->boards.figures.board_bytes;
}

static void fill(const struct board *board, struct board_entry *entry)
{
    *entry = (struct board_entry){.board = board->id,
                                  .owner = board->owner,
                                  .objects = board->object_count,
                                  .object_bytes = board->object_bytes,
                                  .group_objects = board->group_count,
                                  .all_objects = board->all_count,
                                  .kept_objects = board->kept_count,
                                  .bytes = account_used(&board->account, LEDGER_MAX_BYTES),
                                  .has_ended = board->has_ended};
    text_copy(entry->class, sizeof entry->class, board->share->class->name);
}

/* Boards are in the order of their numbers. */
size_t broker_list_boards(const struct broker *broker, const struct identity *viewer, uint64_t after,
                          struct board_entry *entries, size_t max, bool *ret_more)
{
    const struct board *board;
    size_t count = 0;
    *ret_more = false;
    TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
        bool is_shown = board->id > after && visibility_shows_user(broker, viewer, board->owner);
        if (is_shown && count == max) {
            *ret_more = true;
            break;
        }
        if (is_shown) {
            fill(board, &entries[count++]);
        }
    }
    return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/board_refusal.h"

#include <stdio.h>

#include "daemon/core/answer.h"
#include "daemon/core/refusal.h"
#include "daemon/core/sharing_limit.h"
#include "proto/base/size.h"

void board_refuse_full(struct step *step, struct session *session, const struct board *board, uint64_t request_id)
{
    const char *whose = session->share->user->whose;
    uint64_t more_bytes = board_part_bytes(board->part_count);
    char used[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES], more[SIZE_TEXT_BYTES];
    size_to_text(session->share->user->board_bytes, used);
    step->broker->boards.figures.refused++;
    if (board->part_count == BOARD_PARTS_MAX) {
        answer_error(
            step, session->peer, request_id, ERROR_TOO_MANY,
            "the objects of %s have no room: their boards have %s, and a board has at most %d parts; remove some",
            whose, used, BOARD_PARTS_MAX);
        return;
    }
    struct error_reply *error = sharing_limit_refuse(step, session, LIMIT_KIND_BOARD_BYTES, more_bytes, request_id);
    if (error) {
        (void)snprintf(
            error->sentence, sizeof error->sentence,
            "[sharing] max_board_bytes of %s is %s: the user's boards have %s, and the next part has %s; remove "
            "objects, or raise that",
            whose, size_to_text(error->refusal.limit_bytes, most), used, size_to_text(more_bytes, more));
    }
}

static void write_sentence(const struct denial *denial, const struct refusal *refusal,
                           char sentence[MESSAGE_SENTENCE_SIZE])
{
    char asked[SIZE_TEXT_BYTES], limit[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES], left[SIZE_TEXT_BYTES];
    size_to_text(refusal->asked_bytes, asked);
    if (denial->is_paused) {
        (void)snprintf(sentence, MESSAGE_SENTENCE_SIZE,
                       "the user's board of objects needs %s of RAM more, but the machine is under memory pressure and "
                       "grants of RAM are paused until it ends ([pressure] pause_ram_at)",
                       asked);
        return;
    }
    (void)snprintf(sentence, MESSAGE_SENTENCE_SIZE,
                   "the user's board of objects needs %s of RAM more, and the %s's %s is %s, of which %s are used: %s "
                   "are free; remove objects, release leases, or raise that",
                   asked, refusal->whose, refusal->limit, size_to_text(refusal->limit_bytes, limit),
                   size_to_text(refusal->used_bytes, used), size_to_text(refusal->free_bytes, left));
}

void board_refuse(struct step *step, struct session *session, const struct denial *denial, uint64_t request_id)
{
    const struct wish wish = {.bytes = denial->excess.asked_bytes, .location = LOCATION_BOARDS};
    bool comes_free = denial->excess.frees_suffice;
    if (!comes_free) { /* else it is asked for again, and is refused for good or not at all */
        refusal_note(step, session, &wish, denial);
        step->broker->boards.figures.refused++;
    }
    struct reply *reply = answer_to(step, session->peer, request_id, REPLY_ERROR);
    if (!reply) {
        return;
    }
    struct refusal refusal;
    denial_figures(denial, &refusal);
    reply->error = (struct error_reply){.code = denial->code, .refusal = refusal, .comes_free = comes_free};
    write_sentence(denial, &refusal, reply->error.sentence);
}

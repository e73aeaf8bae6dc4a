/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/core/sharing_limit.h"

#include <stdio.h>

#include "daemon/core/answer.h"
#include "daemon/core/refusal.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

struct refusal sharing_limit_figures(const struct broker *broker, const struct session *session, enum limit_kind kind,
                                     uint64_t asked)
{
    const struct sharing_settings *settings = &broker->options.settings.sharing;
    const struct principal *user = session->share->user;
    const struct {
        uint64_t used, most;
    } of[LIMIT_KINDS] = {
        [LIMIT_KIND_BLOCKS] = {user->blocks, settings->blocks_max},
        [LIMIT_KIND_VIEWS] = {user->views, settings->views_max},
        [LIMIT_KIND_OBJECTS] = {user->objects, settings->objects_max},
        [LIMIT_KIND_BOARD_BYTES] = {user->board_bytes, settings->board_bytes_max},
        [LIMIT_KIND_WATCHES] = {session->watch_count, settings->watches_max},
        [LIMIT_KIND_USER_WATCHES] = {user->watches, settings->watches_per_user_max},
    };
    struct refusal figures = {.limit_kind = kind,
                              .limit_bytes = of[kind].most,
                              .asked_bytes = asked,
                              .used_bytes = of[kind].used,
                              .free_bytes = size_subtract_floored(of[kind].most, of[kind].used)};
    text_copy(figures.limit, sizeof figures.limit, limit_kind_name(kind));
    text_copy(figures.whose, sizeof figures.whose, kind == LIMIT_KIND_WATCHES ? session->account.whose : user->whose);
    return figures;
}

struct error_reply *sharing_limit_refuse(struct step *step, struct session *session, enum limit_kind kind,
                                         uint64_t asked, uint64_t request_id)
{
    bool is_memory = limit_kind_is_in_bytes(kind);
    const struct wish wish = {
        .bytes = asked, .location = is_memory ? LOCATION_BOARDS : LOCATION_UNSPECIFIED, .sharing = kind};
    session->last_refusal = sharing_limit_figures(step->broker, session, kind, asked);
    refusal_remember(step, session, &wish, wish.location);
    struct reply *reply = answer_to(step, session->peer, request_id, REPLY_ERROR);
    if (!reply) {
        return NULL;
    }
    reply->error = (struct error_reply){.code = ERROR_TOO_MANY, .refusal = session->last_refusal};
    return &reply->error;
}

bool sharing_limit_check(struct step *step, struct session *session, enum limit_kind kind, uint64_t request_id)
{
    static const char *const ways[LIMIT_KINDS] = {
        [LIMIT_KIND_BLOCKS] = "or unpublish some (one that has ended counts until its last view is closed)",
        [LIMIT_KIND_VIEWS] = "or close some",
        [LIMIT_KIND_OBJECTS] = "or remove some",
        [LIMIT_KIND_WATCHES] = "end some, or watch a shorter prefix",
        [LIMIT_KIND_USER_WATCHES] = "end some, or watch a shorter prefix",
    };
    const struct refusal figures = sharing_limit_figures(step->broker, session, kind, 1);
    if (figures.free_bytes) {
        return true;
    }
    struct error_reply *error = sharing_limit_refuse(step, session, kind, 1, request_id);
    if (error && !figures.limit_bytes) {
        (void)snprintf(error->sentence, sizeof error->sentence,
                       "[sharing] %s is 0: nobody may have %s; an administrator can raise that", figures.limit,
                       limit_kind_unit(kind));
    } else if (error) {
        (void)snprintf(
            error->sentence, sizeof error->sentence, "%s has %llu %s, and [sharing] %s is %llu; raise that, %s",
            kind == LIMIT_KIND_WATCHES ? "this session" : figures.whose, (unsigned long long)figures.used_bytes,
            limit_kind_unit(kind), figures.limit, (unsigned long long)figures.limit_bytes, ways[kind]);
    }
    return false;
}

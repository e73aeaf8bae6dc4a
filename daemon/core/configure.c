/* SPDX-License-Identifier: Apache-2.0 */
/* Taking other settings into force while sessions live. */
#include "daemon/core/configure.h"

#include <string.h>

#include "daemon/core/revocable.h"

/* A session takes what it holds to the revocable sets of its new share, and what it published to that share. */
static void move_leases(struct broker *broker, struct session *session)
{
    struct lease *lease;
    for (lease = session_next_lease(session, 0); lease; lease = session_next_lease(session, lease->id)) {
        if (lease->revocable) {
            revocable_remove(lease);
            revocable_insert(lease);
        }
        if (lease->block && lease->block->publisher == lease) {
            session->share->references++;
            block_join(broker, lease->block, session->share);
        }
    }
}

/* One that is over stays where it was. */
static void regroup(struct broker *broker, struct session *session)
{
    const struct policy_client client = session_client(session);
    struct share *before = session->share;
    struct share *share = share_join_again(&broker->principals, before, &client, &session->reason);
    if (!share) {
        session->reason = (struct class_reason){.rule = CLASS_RULE_UNSPECIFIED};
        return;
    }
    share_count_session(before, false);
    share_count_leases(before, session->lease_count, false);
    share_count_leases(share, session->lease_count, true);
    session_join(&broker->principals, session, share);
    waiting_follow_session(session);
    move_leases(broker, session);
    share_leave(&broker->principals, before);
}

static void regroup_all(struct broker *broker)
{
    struct session *session = session_table_next(&broker->sessions, 0);
    for (; session; session = session_table_following(session)) {
        regroup(broker, session);
    }
}

/* A class that the policy does not name any more, and that is not the one of last resort, was a reservation. */
static bool is_lost(const struct principal *class)
{
    return !class->is_named && strcmp(class->name, POLICY_DEFAULT_CLASS) != 0;
}

/* Another class may get the name: what was published or put, and left, in this one goes to the class that its user has.
 * NULL: it stays, or memory is short. */
static struct share *share_of_left(struct broker *broker, const struct share *before)
{
    const struct identity owner = {.uid = before->user->id};
    const struct policy_client client = {.identity = &owner, .name = ""};
    struct class_reason reason;
    return is_lost(before->class) ? share_join(&broker->principals, &client, &reason) : NULL;
}

static void move_left_blocks(struct broker *broker)
{
    struct block *block = block_table_next(&broker->blocks, 0);
    for (; block; block = block_table_next(&broker->blocks, block->id)) {
        struct share *share = share_of_left(broker, block->share);
        if (share) {
            block_join(broker, block, share);
        }
    }
}

static void move_left_boards(struct broker *broker)
{
    struct board *board;
    TAILQ_FOREACH(board, &broker->boards.boards, in_table) {
        struct share *share = share_of_left(broker, board->share);
        if (share) {
            board_join(broker, board, share);
        }
    }
}

static bool has_another_path(const struct broker *broker, const struct session *session)
{
    const struct policy_client client = session_client(session);
    const char *before = session->reason.rule == CLASS_RULE_RESERVATION ? session->reason.pattern : NULL;
    return policy_reserved_path(broker->principals.policy, &client) != before;
}

void configure_regroup_reserved(struct broker *broker)
{
    struct session *session = session_table_next(&broker->sessions, 0);
    for (; session; session = session_table_following(session)) {
        if (is_lost(session->share->class) || has_another_path(broker, session)) {
            regroup(broker, session);
        }
    }
    move_left_blocks(broker);
    move_left_boards(broker);
}

void configure_broker(struct step *step, const struct broker_settings *settings)
{
    struct broker *broker = step->broker;
    broker->options.settings = *settings;
    broker->options.settings.policy = NULL;
    broker->host.limits = settings->limits;
    broker->retry_waiting = true;
    broker->settings_number++;
    /* short of memory: the policy stays as it was */
    (void)reservation_configure(&broker->reservations, settings->policy, &broker->principals);
    regroup_all(broker);
    move_left_blocks(broker);
    move_left_boards(broker);
    broker->reservations.is_draining = broker->reservations.count > 0;
    pool_configure(broker);
    struct reply *reply = &effect_push(step->effects, EFFECT_BROADCAST)->reply.reply;
    *reply = (struct reply){.kind = EVENT_LIMITS_CHANGED};
    reply->limits_changed = (struct limits_event){.host_limits = settings->limits, .times = settings->times};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who watches names: the groups of those that wait, and the lists that they stand in. */
#include <string.h>

#include "daemon/core/check.h"

static bool group_goes_before(const struct watch_group *a, const struct watch_group *b)
{
    if (a->owner != b->owner) {
        return a->owner < b->owner;
    }
    return a->is_owners == b->is_owners ? strcmp(a->prefix, b->prefix) < 0 : b->is_owners;
}

static bool ends_before(const struct watch *a, const struct watch *b)
{
    return a->until < b->until || (a->until == b->until && a->number < b->number);
}

CHECK_TREE(check_prefixes, watch_group, by_prefix, group_goes_before)
CHECK_TREE(check_ends, watch, by_until, ends_before)

struct found {
    uint64_t waiting, fresh, ready;
};

static const char *check_watch(const struct watch_table *table, const struct watch *watch, struct found *found)
{
    const struct watch_group *group = watch->group;
    const char *wrong = NULL;
    found->waiting += group != NULL;
    found->fresh += !group;
    if (group) {
        wrong = require(wrong, watch->owner == group->owner && strcmp(watch->prefix, group->prefix) == 0,
                        "a watch is in the group of another prefix");
        wrong = require(wrong, watch->is_owners == group->is_owners,
                        "a watch of the owner is among others', or the reverse");
        wrong = require(wrong, !watch->is_list, "a watch waits for a list");
    }
    return require(wrong, watch->after <= table->changes.revision || !group, "a watch waits that knows the future");
}

static const char *check_sessions_watches(const struct broker *broker, struct found *found)
{
    const struct session *session = check_walk_next(broker, NULL);
    const char *wrong = NULL;
    for (; session; session = check_walk_next(broker, session)) {
        const struct watch *watch;
        uint32_t count = 0;
        TAILQ_FOREACH(watch, &session->watches, in_session) {
            wrong = require(wrong, watch->session == session, "a watch is another session's");
            wrong = wrong ? wrong : check_watch(&broker->watches, watch, found);
            count++;
        }
        wrong = require(wrong, count == session->watch_count, "a session miscounts its watches");
        wrong = require(wrong, !count || session->state != SESSION_OVER, "a session that is over watches");
    }
    return wrong;
}

static const char *check_groups(const struct watch_group *group, struct found *found)
{
    const struct watch *watch;
    const char *wrong = NULL;
    uint64_t after = 0;
    if (!group) {
        return NULL;
    }
    wrong = require(wrong, !TAILQ_EMPTY(&group->watches), "a group has no watches");
    TAILQ_FOREACH(watch, &group->watches, in_list) {
        wrong = require(wrong, watch->group == group, "a watch is listed in another group");
        wrong = require(wrong, watch->after >= after, "the watches of a group are out of order");
        after = watch->after;
    }
    wrong = require(wrong, !group->is_ready || (group->first_match && group->first_match <= group->last_match),
                    "a group is ready for nothing");
    found->ready += group->is_ready;
    wrong = wrong ? wrong : check_groups(RB_LEFT(group, by_prefix), found);
    return wrong ? wrong : check_groups(RB_RIGHT(group, by_prefix), found);
}

const char *check_watches(const struct broker *broker)
{
    const struct watch_table *table = &broker->watches;
    const struct watch_group *group, *group_before = NULL;
    const struct watch *watch, *before = NULL;
    struct found found = {0};
    uint64_t groups = 0, ends = 0, ready = 0, fresh = 0;
    const char *wrong = check_sessions_watches(broker, &found);
    wrong = wrong ? wrong : check_groups(RB_ROOT(&table->groups), &found);
    wrong = require(wrong, check_prefixes(RB_ROOT(&table->groups), &group_before, &groups),
                    "the groups of watches are out of order");
    wrong =
        require(wrong, check_ends(RB_ROOT(&table->by_until), &before, &ends), "the ends of watches are out of order");
    TAILQ_FOREACH(group, &table->ready, in_ready) {
        wrong = require(wrong, group->is_ready, "a group is listed as ready, and is not");
        ready++;
    }
    TAILQ_FOREACH(watch, &table->fresh, in_list) {
        wrong = require(wrong, !watch->group, "a watch that waits is listed as new");
        fresh++;
    }
    return require(wrong, ready == found.ready && fresh == found.fresh && ends == found.waiting,
                   "a list of watches has others than it should");
}

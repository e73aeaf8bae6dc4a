/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the sums of listings with the limits in effect. */
#include "tests/fuzz/fuzz_limits.h"

#include <string.h>

const uint32_t fuzz_users[FUZZ_USERS] = {0, 7, 1000, 1001, 1002};

static struct policy_member members[] = {{.kind = MEMBER_CLIENT, .name = "a*"},
                                         {.kind = MEMBER_CLIENT, .name = "b?"},
                                         {.kind = MEMBER_USER, .id = 1002},
                                         {.kind = MEMBER_GROUP, .id = 5}};
enum { RULES = 6, RULE_OF_EACH_USER = 0, RULE_OF_1001 = 1, RULE_OF_A = 3, RULE_OF_B = 4 };
static struct policy_rule rules[RULES] = {
    {.kind = PRINCIPAL_USER, .name = "*", .is_each = true},
    {.kind = PRINCIPAL_USER, .name = "1001", .id = 1001},
    {.kind = PRINCIPAL_GROUP, .name = "5", .id = 5},
    {.kind = PRINCIPAL_CLASS, .name = "a", .members = &members[0], .member_count = 1},
    {.kind = PRINCIPAL_CLASS, .name = "b", .members = &members[1], .member_count = 3},
    {.kind = PRINCIPAL_CLASS, .name = POLICY_DEFAULT_CLASS},
};
struct policy fuzz_policy = {.rules = rules, .rule_count = RULES};

/* What sessions hold: of the host, of each client by its number, of each user, and of the classes a and b. */
struct holdings {
    struct status_reply host;
    struct session_entry sessions[MODEL_PEERS];
    size_t count;
    struct byte_limits of_user[FUZZ_USERS], of_class[2];
};

static struct holdings before;

static void add(struct byte_limits *sum, const struct session_entry *session)
{
    sum->max_physical_bytes += session->physical_bytes;
    sum->max_mapped_bytes += session->mapped_bytes;
    sum->max_bytes += session->physical_bytes + session->mapped_bytes;
}

static struct holdings look_at_holdings(const struct model *model)
{
    struct holdings now = {.host = model_status(model)};
    bool more;
    now.count = broker_list_sessions(model->broker, &model_root, 0, model->now, now.sessions, MODEL_PEERS, &more);
    for (size_t i = 0; i < now.count; i++) {
        for (size_t user = 0; user < FUZZ_USERS; user++) {
            if (fuzz_users[user] == now.sessions[i].uid) {
                add(&now.of_user[user], &now.sessions[i]);
            }
        }
        if (strcmp(now.sessions[i].class, "a") == 0 || strcmp(now.sessions[i].class, "b") == 0) {
            add(&now.of_class[now.sessions[i].class[0] - 'a'], &now.sessions[i]);
        }
    }
    return now;
}

/* Nothing above a limit becomes more. */
static void check_limits(const struct byte_limits *limits, const struct byte_limits *used,
                         const struct byte_limits *were_used)
{
    cr_assert(used->max_bytes <= limits->max_bytes || used->max_bytes <= were_used->max_bytes);
    cr_assert(used->max_physical_bytes <= limits->max_physical_bytes ||
              used->max_physical_bytes <= were_used->max_physical_bytes);
    cr_assert(used->max_mapped_bytes <= limits->max_mapped_bytes ||
              used->max_mapped_bytes <= were_used->max_mapped_bytes);
}

static struct byte_limits used_by_host(const struct status_reply *status)
{
    return (struct byte_limits){status->used_bytes, status->used_physical_bytes, status->used_mapped_bytes};
}

static struct byte_limits used_by_session(const struct session_entry *session)
{
    return (struct byte_limits){session->physical_bytes + session->mapped_bytes, session->physical_bytes,
                                session->mapped_bytes};
}

static void check_session(const struct session_entry *now)
{
    struct byte_limits used = used_by_session(now), was = {0};
    for (size_t i = 0; i < before.count; i++) {
        if (before.sessions[i].session == now->session) {
            was = used_by_session(&before.sessions[i]);
        }
    }
    check_limits(&now->limits, &used, &was);
}

static void check_principals(const struct holdings *now)
{
    for (size_t user = 0; user < FUZZ_USERS; user++) {
        const struct policy_rule *rule = &rules[fuzz_users[user] == 1001 ? RULE_OF_1001 : RULE_OF_EACH_USER];
        check_limits(&rule->quota.limits, &now->of_user[user], &before.of_user[user]);
    }
    check_limits(&rules[RULE_OF_A].quota.limits, &now->of_class[0], &before.of_class[0]);
    check_limits(&rules[RULE_OF_B].quota.limits, &now->of_class[1], &before.of_class[1]);
}

/* Their classes are what everybody is in. */
static void check_accounts(const struct model *model, const struct status_reply *host)
{
    static struct usage_entry accounts[MESSAGE_USAGE_MAX];
    uint64_t bytes = 0, waiting = 0;
    bool more;
    size_t count = broker_list_usage(model->broker, &model_root, 0, model->now, accounts, MESSAGE_USAGE_MAX, &more);
    for (size_t i = 0; i < count; i++) {
        bool is_class = accounts[i].kind == USAGE_CLASS || accounts[i].kind == USAGE_RESERVATION;
        cr_assert(accounts[i].bytes == accounts[i].physical_bytes + accounts[i].mapped_bytes);
        cr_assert(accounts[i].bytes <= accounts[i].peak_bytes && accounts[i].freeing_bytes <= accounts[i].bytes);
        bytes += is_class ? accounts[i].bytes : 0;
        waiting += is_class ? accounts[i].waiting : 0;
    }
    cr_assert(!more && waiting == host->waiting && bytes <= host->used_bytes);
}

void limits_before_step(const struct model *model)
{
    before = look_at_holdings(model);
}

void limits_after_step(const struct model *model, bool parties_too)
{
    struct holdings now = look_at_holdings(model);
    struct byte_limits used = used_by_host(&now.host), were_used = used_by_host(&before.host);
    check_limits(&now.host.limits, &used, &were_used);
    cr_assert(used.max_bytes == used.max_physical_bytes + used.max_mapped_bytes);
    cr_assert(now.host.freeing_bytes <= used.max_bytes);
    check_accounts(model, &now.host);
    for (size_t i = 0; i < now.count; i++) {
        check_session(&now.sessions[i]);
    }
    if (parties_too && model->options.settings.policy) {
        check_principals(&now);
    }
}

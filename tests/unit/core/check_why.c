/* SPDX-License-Identifier: Apache-2.0 */
/* Every claim of an explanation, recomputed from the tables by other means than the broker's. */
#include "tests/unit/core/check_why.h"

#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/deadline.h"
#include "daemon/core/denial.h"
#include "daemon/core/earliest.h"
#include "daemon/core/host_room.h"
#include "proto/base/size.h"

static const struct principal *principal_named(const struct session *session, const char *whose)
{
    const struct principal *const principals[PRINCIPAL_KINDS] = {session->share->user, session->share->group,
                                                                 session->share->class};
    for (int i = 0; i < PRINCIPAL_KINDS; i++) {
        if (principals[i] && strcmp(principals[i]->whose, whose) == 0) {
            return principals[i];
        }
    }
    return NULL;
}

static const struct account *account_named(const struct model *model, const struct session *session, const char *whose)
{
    const struct principal *principal = principal_named(session, whose);
    return principal ? &principal->account : strcmp(whose, "host") == 0 ? &model->broker->host : &session->account;
}

/* What the leases under an account give back that end by then. */
static uint64_t ends_by(const struct model *model, const struct account *account, enum ledger_limit limit,
                        bool counts_leases, uint64_t when)
{
    const struct lease *lease = lease_table_next(&model->broker->leases, 0);
    uint64_t sum = 0;
    for (; lease; lease = lease_table_next(&model->broker->leases, lease->id)) {
        const struct session *session = lease->session;
        bool is_detached = session->state == SESSION_DETACHED;
        uint64_t end = is_detached ? session->grace_until : deadline_renewed(lease);
        end = lease->revoke_at ? size_min(end, lease->revoke_at) : end;
        bool counts =
            lease->state == LEASE_ALIVE && end <= when && account_is_descendant_of(&session->account, account);
        if (counts && (counts_leases || ledger_limit_counts(limit, lease->location))) {
            sum += counts_leases ? 1 : lease->bytes;
        }
    }
    return sum;
}

/* "enough could come free in ..." */
static void check_time(const struct model *model, const struct why_entry *entry, const struct account *account,
                       enum ledger_limit limit, bool counts_leases)
{
    const struct refusal *refusal = &entry->refusal;
    uint64_t comes = 0;
    if (!counts_leases) {
        bool is_hosts = account == &model->broker->host && limit != LEDGER_MAX_MAPPED_BYTES;
        comes = ledger_counted(account->freeing, limit) + (is_hosts ? pool_bytes(&model->broker->pool) : 0);
    }
    uint64_t taken = refusal->used_bytes + refusal->reserved_bytes + refusal->claimed_bytes + refusal->asked_bytes;
    uint64_t lacking = size_subtract_floored(taken, size_add_saturated(refusal->limit_bytes, comes));
    if (entry->earliest_ms == 0) {
        cr_assert(lacking == 0 || ends_by(model, account, limit, counts_leases,
                                          model->now + NANOSECONDS_PER_MILLISECOND) >= lacking,
                  "why says that enough is free, and it is not");
    } else if (entry->earliest_ms != UINT64_MAX) {
        /* a lease examined a second ago may have been renewed since */
        uint64_t end = model->now + (entry->earliest_ms + 1) * NANOSECONDS_PER_MILLISECOND;
        cr_assert(lacking > 0, "why says that enough comes free later, and it is free now");
        cr_assert(ends_by(model, account, limit, counts_leases, end) >= lacking,
                  "why says that %llu come free by a time, and they do not", (unsigned long long)lacking);
    }
}

/* The tables' own counts, and what the user may have. */
static void check_sharing(const struct model *model, const struct session *session, const struct why_entry *entry)
{
    const struct refusal *refusal = &entry->refusal;
    const struct principal *user = session->share->user;
    const struct sharing_settings *settings = &model->broker->options.settings.sharing;
    enum limit_kind kind = refusal->limit_kind;
    uint64_t used = kind == LIMIT_KIND_BLOCKS         ? user->blocks
                    : kind == LIMIT_KIND_VIEWS        ? user->views
                    : kind == LIMIT_KIND_OBJECTS      ? user->objects
                    : kind == LIMIT_KIND_BOARD_BYTES  ? user->board_bytes
                    : kind == LIMIT_KIND_USER_WATCHES ? user->watches
                                                      : session->watch_count;
    uint64_t most = kind == LIMIT_KIND_BLOCKS         ? settings->blocks_max
                    : kind == LIMIT_KIND_VIEWS        ? settings->views_max
                    : kind == LIMIT_KIND_OBJECTS      ? settings->objects_max
                    : kind == LIMIT_KIND_BOARD_BYTES  ? settings->board_bytes_max
                    : kind == LIMIT_KIND_USER_WATCHES ? settings->watches_per_user_max
                                                      : settings->watches_max;
    cr_assert(refusal->used_bytes == used && refusal->limit_bytes == most);
    cr_assert_eq(entry->earliest_ms, used + refusal->asked_bytes <= most ? 0 : UINT64_MAX);
    cr_assert_str_eq(refusal->whose, kind == LIMIT_KIND_WATCHES ? "client" : user->whose);
}

static void check_entry(const struct model *model, const struct why_entry *entry)
{
    const struct broker *broker = model->broker;
    const struct session *session = session_table_find(&broker->sessions, entry->session);
    const struct refusal *refusal = &entry->refusal;
    if (!session) { /* it is over: the figures are those of then */
        return;
    }
    if (limit_kind_is_of_sharing(refusal->limit_kind)) {
        check_sharing(model, session, entry);
        return;
    }
    const struct principal *principal = principal_named(session, refusal->whose);
    const struct account *account = account_named(model, session, refusal->whose);
    if (refusal->limit_kind == LIMIT_KIND_LEASES) {
        cr_assert(principal && principal->leases == refusal->used_bytes &&
                  principal->quota.max_leases == refusal->limit_bytes);
        bool is_full = refusal->free_bytes == 0; /* of a view there may be room by now */
        cr_assert(is_full || entry->earliest_ms == 0, "why says that leases are full, and one is free");
        check_time(model, entry, account, LEDGER_MAX_BYTES, true);
        return;
    }
    if (refusal->limit_kind == LIMIT_KIND_PAUSED) {
        cr_assert(host_room_is_paused(broker), "why says that no RAM is granted now, and it is");
        cr_assert(entry->earliest_ms == UINT64_MAX);
        return;
    }
    enum ledger_limit limit = LEDGER_MAX_PHYSICAL_BYTES;
    if (refusal->limit_kind == LIMIT_KIND_AVAILABLE_MEMORY) {
        cr_assert(refusal->limit_bytes == broker->host_available_bytes &&
                  refusal->used_bytes == broker->host_granted_since);
        cr_assert(refusal->free_bytes < refusal->asked_bytes, "why says that the host is short, and it is not");
    } else {
        cr_assert(refusal->limit_kind >= LIMIT_KIND_BYTES && refusal->limit_kind <= LIMIT_KIND_MAPPED_BYTES,
                  "why names an unknown limit: %s", refusal->limit);
        limit = (enum ledger_limit)(refusal->limit_kind - LIMIT_KIND_BYTES);
        cr_assert(refusal->limit_bytes == account_limit(account, limit));
        cr_assert(refusal->used_bytes == account_used(account, limit));
        bool is_free = refusal->free_bytes >= refusal->asked_bytes;
        cr_assert(!is_free || entry->earliest_ms == 0, "why says that enough is free, and that it comes later");
    }
    check_time(model, entry, account, limit, false);
}

void check_why(struct model *model)
{
    static struct why_entry entries[MESSAGE_WHY_MAX];
    for (size_t i = 0; i < EARLIEST_REMEMBERED; i++) {
        model->broker->forecast[i].at = 0; /* a result from a moment ago may have changed */
    }
    size_t count = broker_explain(model->broker, &model_root, 0, model->now, entries, MESSAGE_WHY_MAX);
    for (size_t i = 0; i < count; i++) {
        check_entry(model, &entries[i]);
    }
}

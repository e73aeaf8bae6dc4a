/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the broker: nothing here changes anything but the cursor of a walk over a session's leases. */
#include "daemon/core/broker.h"

#include <string.h>

#include "daemon/core/block_work.h"
#include "daemon/core/broker_state.h"
#include "daemon/core/deadline.h"
#include "daemon/core/expiry.h"
#include "daemon/core/queue.h"
#include "daemon/core/reservations.h"
#include "daemon/core/revoke.h"
#include "daemon/core/visibility.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

uint64_t broker_next_wakeup(const struct broker *broker)
{
    if (!TAILQ_EMPTY(&broker->sessions.over)) {
        return 0;
    }
    const struct lease *lease = lease_table_first_due(&broker->leases);
    const struct session *session = session_table_first_grace(&broker->sessions);
    uint64_t due = size_min(lease ? lease->due : UINT64_MAX, session ? session->grace_until : UINT64_MAX);
    due = size_min(due, queue_next_pass(broker));
    due = size_min(due, reservations_next_wakeup(broker));
    due = size_min(due, block_next_wakeup(broker));
    due = size_min(due, board_next_wakeup(broker));
    due = size_min(due, watch_next_wakeup(broker));
    const struct session *trimming = TAILQ_FIRST(&broker->trimming);
    due = size_min(due, trimming ? trimming->trim_until : UINT64_MAX);
    due = size_min(due, revoke_next_wakeup(broker));
    return size_min(due, pool_next_wakeup(broker));
}

size_t broker_peers_to_read(const struct broker *broker, uint64_t now, void **ret_peers, size_t max)
{
    size_t count = 0;
    struct lease *lease = lease_table_first_due(&broker->leases);
    /* no further than the next step checks: when all leases end at one instant, that is not all of them each time */
    for (int i = 0; i < EXPIRY_LEASES_PER_STEP && lease && lease->due <= now && count < max; i++) {
        if (deadline_needs_read(lease, now)) {
            ret_peers[count++] = lease->session->peer;
        }
        lease = lease_table_next_due(lease);
    }
    return count;
}

/* Takes as long wherever the tokens differ. */
static bool tokens_are_equal(const struct token *a, const struct token *b)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < MESSAGE_TOKEN_SIZE; i++) {
        difference = (uint8_t)(difference | (a->bytes[i] ^ b->bytes[i]));
    }
    return difference == 0;
}

void *broker_find_resumable(const struct broker *broker, uint64_t session, const struct token *token, uint32_t uid)
{
    const struct session *found = session_table_find(&broker->sessions, session);
    if (!found || !tokens_are_equal(&found->token, token) || found->identity.uid != uid) {
        return NULL;
    }
    return found->peer;
}

void broker_fill_welcome(const struct broker *broker, uint64_t session, struct welcome_reply *welcome)
{
    const struct session *found = session_table_find(&broker->sessions, session);
    welcome->host_limits = broker->options.settings.limits;
    welcome->times = broker->options.settings.times;
    welcome->client_limits = (struct byte_limits){LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    if (found) {
        welcome->session = found->id;
        welcome->token = found->token;
        welcome->client_limits = found->account.limits;
    }
}

static uint64_t unfilled_reserves(const struct broker *broker)
{
    const struct account *account;
    uint64_t bytes = 0;
    LIST_FOREACH(account, &broker->reserves, in_reserves) {
        bytes += account_unfilled_reserve(account);
    }
    return bytes;
}

/* What the limits leave beside the reserves of the configuration. */
static uint64_t reservable_bytes(const struct broker *broker)
{
    const struct byte_limits *limits = &broker->host.limits;
    uint64_t most = size_min(limits->max_physical_bytes, limits->max_bytes);
    if (most != LIMIT_OFF) {
        most = size_subtract_floored(most, reservation_policy_sum(broker->reservations.configured));
    }
    return size_min(most, broker->options.settings.reservations.bytes_max);
}

void broker_fill_status(const struct broker *broker, struct status_reply *status)
{
    const struct account *host = &broker->host;
    status->limits = host->limits;
    status->used_bytes = account_used(host, LEDGER_MAX_BYTES);
    status->used_physical_bytes = account_used(host, LEDGER_MAX_PHYSICAL_BYTES);
    status->used_mapped_bytes = account_used(host, LEDGER_MAX_MAPPED_BYTES);
    status->freeing_bytes = ledger_counted(host->freeing, LEDGER_MAX_BYTES);
    status->freeing_physical_bytes = ledger_counted(host->freeing, LEDGER_MAX_PHYSICAL_BYTES);
    status->sessions = broker->sessions.count;
    status->leases = broker->leases.alive;
    status->segments = broker->segment_count;
    status->counters = broker->counters;
    status->pooled_bytes = pool_ready_bytes(&broker->pool);
    status->pool_hits = broker->pool.hits;
    status->pool_misses = broker->pool.misses;
    status->waiting = broker->waiting_count;
    status->reserved_bytes = unfilled_reserves(broker);
    status->reservable_bytes = reservable_bytes(broker);
    status->pressure = broker->pressure;
    status->remembered = broker->learned.count;
    status->blocks = broker->blocks.figures;
    status->objects = broker->boards.figures;
}

uint32_t broker_slots_wanted(const struct broker *broker, uint64_t id)
{
    const struct session *session = session_table_find(&broker->sessions, id);
    return session ? session->lease_count + session->name_wait_count + (uint32_t)session->waiting_count + 1 : 0;
}

static void fill_session(const struct session *session, uint64_t now, struct session_entry *entry)
{
    *entry = (struct session_entry){
        .session = session->id,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .gid = session->identity.gid,
        .charged_uid = identity_charged(&session->identity),
        .connected = session->state == SESSION_CONNECTED,
        .leases = session->lease_count,
        .physical_bytes = account_used(&session->account, LEDGER_MAX_PHYSICAL_BYTES),
        .mapped_bytes = account_used(&session->account, LEDGER_MAX_MAPPED_BYTES),
        .limits = session->account.limits,
        .priority = session->share->priority,
        .weight = session->share->weight,
        .class_rule = session->reason.rule,
        .held_ms = size_subtract_floored(deadline_held_until(session), now) / NANOSECONDS_PER_MILLISECOND,
    };
    text_copy(entry->class, sizeof entry->class, session->share->class->name);
    text_copy(entry->class_pattern, sizeof entry->class_pattern,
              session->reason.pattern ? session->reason.pattern : "");
    text_end_whole(entry->class_pattern);
    memcpy(entry->name, session->name, sizeof entry->name);
}

bool broker_shows_session(const struct broker *broker, const struct identity *viewer, uint64_t id)
{
    const struct session *session = session_table_find(&broker->sessions, id);
    return session && visibility_shows(broker, viewer, session);
}

void broker_describe(const struct broker *broker, uint64_t session, const char **ret_client, const char **ret_class)
{
    const struct session *found = session_table_find(&broker->sessions, session);
    if (found) {
        *ret_client = found->name;
        *ret_class = found->share->class->name;
    }
}

/* What a viewer may not see is not looked at: a page costs what it returns. */
static const struct session *next_shown_session(const struct broker *broker, const struct identity *viewer,
                                                uint64_t after)
{
    return visibility_shows_all(broker, viewer) ? session_table_next(&broker->sessions, after)
                                                : session_table_next_of_user(&broker->sessions, viewer->uid, after);
}

size_t broker_list_sessions(const struct broker *broker, const struct identity *viewer, uint64_t after, uint64_t now,
                            struct session_entry *entries, size_t max, bool *ret_more)
{
    const struct session *session = next_shown_session(broker, viewer, after);
    size_t count = 0;
    for (; session && count < max; session = next_shown_session(broker, viewer, session->id)) {
        fill_session(session, now, &entries[count++]);
    }
    *ret_more = session;
    return count;
}

static void fill_lease(const struct lease *lease, uint64_t now, struct lease_entry *entry)
{
    const struct session *session = lease->session;
    const struct segment *own = TAILQ_FIRST(&lease->segments);
    const struct block *block = own ? NULL : lease->block; /* of a view, or a lease that was published */
    const struct segment *first = own ? own : block->segment;
    bool is_memory = location_is_memory(lease->location);
    *entry = (struct lease_entry){
        .lease = lease->id,
        .session = session->id,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .bytes = lease->bytes,
        .used_bytes = lease->used_bytes,
        .location = lease->location,
        .extents = lease->extents,
        .ttl_ms = (uint32_t)(lease->ttl_ns / NANOSECONDS_PER_MILLISECOND),
        .remaining_ms = size_subtract_floored(deadline_of(lease), now) / NANOSECONDS_PER_MILLISECOND,
        .huge_pages = first->has_huge_pages,
        .numa_node = is_memory ? lease->options.numa_node : -1,
        .prefaulted = first->options.prefault && is_memory,
        .charge = segment_charged_to(first),
        .interleaved = lease->options.interleave && is_memory,
        .block = block ? block->id : 0,
    };
    memcpy(entry->name, block ? block->name : lease->name, sizeof entry->name);
    memcpy(entry->client, session->name, sizeof entry->client);
    text_copy(entry->class, sizeof entry->class, session->share->class->name);
}

/* `of`: whose leases are wanted; NULL: everybody's whom the viewer may see. */
static const struct lease *next_shown_lease(const struct broker *broker, const struct identity *viewer,
                                            const struct session *of, uint64_t after)
{
    if (of) {
        return session_next_lease(of, after);
    }
    return visibility_shows_all(broker, viewer) ? lease_table_next(&broker->leases, after)
                                                : lease_table_next_of_user(&broker->leases, viewer->uid, after);
}

size_t broker_list_leases(const struct broker *broker, const struct identity *viewer, uint64_t session, uint64_t after,
                          uint64_t now, struct lease_entry *entries, size_t max, bool *ret_more)
{
    const struct session *of = session_table_find(&broker->sessions, session);
    bool is_nobody = session && !of;
    const struct lease *lease = is_nobody ? NULL : next_shown_lease(broker, viewer, of, after);
    size_t count = 0;
    for (; lease && count < max; lease = next_shown_lease(broker, viewer, of, lease->id)) {
        if (lease->state == LEASE_ALIVE) {
            fill_lease(lease, now, &entries[count++]);
        }
    }
    *ret_more = lease;
    return count;
}

static struct segment_view view_of(const struct segment *segment)
{
    return (struct segment_view){
        .id = segment->id,
        .lease = segment->lease ? segment->lease->id : 0,
        .is_block = segment->block && !segment->lease && segment->state == SEGMENT_LIVE,
        .state = segment->state,
        .location = segment->charge.location,
        .bytes = segment->charge.bytes,
        .handle = segment->handle,
    };
}

bool broker_next_segment(const struct broker *broker, uint64_t after, struct segment_view *ret)
{
    const struct segment *segment = segment_tree_next(broker, after);
    if (segment) {
        *ret = view_of(segment);
    }
    return segment;
}

size_t broker_look_at_next_lease(struct broker *broker, uint64_t session, struct segment_view ret[LEASE_EXTENTS_MAX])
{
    struct session *found = session_table_find(&broker->sessions, session);
    struct lease *next = found ? session_next_lease(found, found->looked_at) : NULL;
    const struct lease *lease = next || !found ? next : session_next_lease(found, 0);
    const struct segment *segment;
    size_t count = 0;
    if (!lease) {
        return 0;
    }
    found->looked_at = lease->id;
    TAILQ_FOREACH(segment, &lease->segments, in_lease) {
        ret[count++] = view_of(segment);
    }
    return count;
}

void broker_ledger_totals(const struct broker *broker, uint64_t *ret_physical, uint64_t *ret_mapped)
{
    *ret_physical = account_used(&broker->host, LEDGER_MAX_PHYSICAL_BYTES);
    *ret_mapped = account_used(&broker->host, LEDGER_MAX_MAPPED_BYTES);
}

uint64_t broker_passes(const struct broker *broker)
{
    return broker->pass;
}

bool broker_is_short(const struct broker *broker)
{
    return broker->waiting_count > 0;
}

bool broker_is_empty(const struct broker *broker)
{
    return broker->shutting_down && TAILQ_EMPTY(&broker->sessions.over) && !broker->segment_count;
}

bool broker_has_unkept_blocks(const struct broker *broker)
{
    return !TAILQ_EMPTY(&broker->blocks.unkept);
}

/* ---- remembered sizes ---- */

const struct learned_table *broker_learned(const struct broker *broker)
{
    return &broker->learned;
}

void broker_restore_learned(struct broker *broker, const struct learned_key *key, uint64_t bytes)
{
    learned_note(&broker->learned, key, bytes);
}

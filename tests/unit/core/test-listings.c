/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of listings and reports. */
#include <string.h>

#include "daemon/core/broker_state.h"
#include "daemon/core/visibility.h"
#include "tests/unit/core/sharing.h"

TestSuite(listings);

static struct request acquire(uint64_t bytes, enum location location, const char *name)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = location, .numa_node = -1};
    (void)stpncpy(request.acquire.name, name, sizeof request.acquire.name - 1);
    return request;
}

/* Two sessions: one of the class a with a lease in RAM and one in a file, one of the class c that waits. */
static struct model *busy(void)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model->options.settings.policy = &model_policy;
    model_configure(model);
    model_open_as(model, 0, "a1", 1000);
    model_open_as(model, 1, "c1", 1001);
    struct request request = acquire(3 * MIB + 1, LOCATION_RAM, "ram");
    request.acquire.numa_node = 1;
    request.acquire.prefault = true;
    request.acquire.ttl_ms = 50000;
    granted(model_request(model, 0, &request));
    request = acquire(5 * MIB, LOCATION_MMAP, "file");
    granted(model_request(model, 0, &request));
    request = acquire(MIB, LOCATION_RAM, "woven");
    request.acquire.interleave = true;
    granted(model_request(model, 0, &request));
    model_pass(model, 1000);
    request = acquire(62 * MIB, LOCATION_RAM, "wanted");
    request.acquire.wait_ms = 9000;
    cr_expect_null(model_request(model, 1, &request));
    model_pass(model, 500);
    return model;
}

Test(listings, sessions)
{
    struct model *model = busy();
    struct session_entry entries[3];
    bool more = true;
    cr_assert_eq(broker_list_sessions(model->broker, &model_root, 0, model->now, entries, 3, &more), 2);
    cr_expect_not(more);
    const struct session_entry *first = &entries[0], *second = &entries[1];
    cr_expect_eq(first->session, model->peers[0].session);
    cr_expect(first->pid == 100 && first->uid == 1000 && first->gid == 0 && first->connected);
    cr_expect_eq(first->leases, 3);
    cr_expect_eq(first->physical_bytes, 4 * MIB + MODEL_PAGE);
    cr_expect_eq(first->mapped_bytes, 5 * MIB);
    cr_expect_eq(first->limits.max_bytes, LIMIT_OFF);
    cr_expect(first->priority == 0 && first->weight == 1);
    cr_expect_str_eq(first->class, "a");
    cr_expect_str_eq(first->name, "a1");
    cr_expect(second->pid == 101 && second->uid == 1001 && second->leases == 0 && second->physical_bytes == 0);
    cr_expect_eq(second->priority, 2);
    cr_expect_str_eq(second->class, "c");
    struct identity other = {.pid = 1, .uid = 1001};
    cr_assert_eq(broker_list_sessions(model->broker, &other, 0, model->now, entries, 3, &more), 1, "one's own");
    cr_expect_eq(entries[0].uid, 1001);
    cr_assert_eq(broker_list_sessions(model->broker, &model_root, 0, model->now, entries, 1, &more), 1);
    cr_expect(more && entries[0].uid == 1000);
    cr_assert_eq(broker_list_sessions(model->broker, &model_root, entries[0].session, model->now, entries, 3, &more),
                 1);
    cr_expect_eq(entries[0].uid, 1001);
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = model->peers[0].session};
    model_feed(model, &gone);
    (void)broker_list_sessions(model->broker, &model_root, 0, model->now, entries, 3, &more);
    cr_expect_not(entries[0].connected);
    model_free(model);
}

Test(listings, leases)
{
    struct model *model = busy();
    struct lease_entry entries[4];
    bool more = true;
    cr_assert_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, entries, 4, &more), 3);
    cr_expect_not(more);
    const struct lease_entry *ram = &entries[0], *file = &entries[1], *woven = &entries[2];
    cr_expect_eq(ram->lease, 1);
    cr_expect_eq(ram->session, model->peers[0].session);
    cr_expect(ram->pid == 100 && ram->uid == 1000);
    cr_expect_eq(ram->bytes, 3 * MIB + MODEL_PAGE);
    cr_expect_eq(ram->used_bytes, 0);
    cr_expect(ram->location == LOCATION_RAM && ram->extents == 1 && ram->ttl_ms == 50000);
    cr_expect_eq(ram->remaining_ms, 48500);
    cr_expect(ram->numa_node == 1 && ram->prefaulted && !ram->interleaved && !ram->huge_pages);
    cr_expect_eq(ram->charge, CHARGE_BROKER);
    cr_expect_str_eq(ram->name, "ram");
    cr_expect_str_eq(ram->client, "a1");
    cr_expect(file->location == LOCATION_MMAP && file->bytes == 5 * MIB && file->ttl_ms == 30000);
    cr_expect(file->numa_node == -1 && !file->prefaulted && file->charge == CHARGE_UNSPECIFIED);
    cr_expect_str_eq(file->name, "file");
    cr_expect(woven->interleaved && !woven->prefaulted && woven->charge == CHARGE_CLIENT && woven->numa_node == -1);
    struct identity other = {.pid = 1, .uid = 1001};
    cr_expect_eq(broker_list_leases(model->broker, &other, 0, 0, model->now, entries, 4, &more), 0);
    uint64_t session = model->peers[0].session;
    cr_expect_eq(broker_list_leases(model->broker, &model_root, session, 1, model->now, entries, 1, &more), 1);
    cr_expect(more && entries[0].lease == 2);
    cr_expect_eq(broker_list_leases(model->broker, &model_root, session + 1, 0, model->now, entries, 4, &more), 0);
    const struct lease_use use = {1, MIB};
    struct request renew = {.kind = REQUEST_RENEW, .renew = {&use, 1}};
    const struct reply *reply = model_request(model, 0, &renew);
    cr_expect(reply->kind == REPLY_RENEWED && reply->renewed.leases == 3 && reply->renewed.ended_count == 0);
    (void)broker_list_leases(model->broker, &model_root, 0, 0, model->now, entries, 4, &more);
    cr_expect(entries[0].used_bytes == MIB && entries[0].remaining_ms == 50000);
    struct input gone = {.kind = INPUT_DISCONNECTED, .session = session};
    model_feed(model, &gone);
    (void)broker_list_leases(model->broker, &model_root, 0, 0, model->now, entries, 4, &more);
    cr_expect_eq(entries[0].remaining_ms, 10000, "the grace time");
    model_free(model);
}

Test(listings, the_queue_and_why)
{
    struct model *model = busy();
    struct queue_entry queue[2];
    struct why_entry why[2];
    bool more = true;
    cr_assert_eq(broker_list_queue(model->broker, &model_root, 0, model->now, queue, 2, &more), 1);
    cr_expect_not(more);
    cr_expect_eq(queue[0].place, 1);
    cr_expect_eq(queue[0].session, model->peers[1].session);
    cr_expect(queue[0].pid == 101 && queue[0].uid == 1001 && queue[0].request == model->next_request);
    cr_expect(queue[0].bytes == 62 * MIB && queue[0].location == LOCATION_RAM && queue[0].priority == 2);
    cr_expect(queue[0].waited_ms == 500 && queue[0].remaining_ms == 8500);
    cr_expect_str_eq(queue[0].name, "c1");
    cr_expect_str_eq(queue[0].class, "c");
    cr_expect_str_eq(queue[0].limit, "max_physical_bytes");
    cr_expect_str_eq(queue[0].whose, "host");
    struct identity other = {.pid = 1, .uid = 1000};
    cr_assert_eq(broker_list_queue(model->broker, &other, 0, model->now, queue, 2, &more), 1);
    cr_expect(queue[0].session == 0 && queue[0].pid == 0 && queue[0].request == 0 && queue[0].bytes == 62 * MIB);
    cr_expect_str_eq(queue[0].name, HIDDEN_NAME);
    cr_expect_eq(broker_list_queue(model->broker, &model_root, 1, model->now, queue, 2, &more), 0);
    cr_assert_eq(broker_explain(model->broker, &model_root, 0, model->now, why, 2), 1);
    cr_expect(why[0].waits && why[0].place == 1 && why[0].since_ms == 500 && why[0].location == LOCATION_RAM);
    cr_expect(why[0].session == model->peers[1].session && why[0].pid == 101 && why[0].uid == 1001);
    cr_expect_str_eq(why[0].name, "c1");
    const struct refusal *refusal = &why[0].refusal;
    cr_expect_eq(refusal->limit_bytes, 64 * MIB);
    cr_expect_eq(refusal->asked_bytes, 62 * MIB);
    cr_expect_eq(refusal->used_bytes, 4 * MIB + MODEL_PAGE);
    cr_expect_eq(refusal->free_bytes, 60 * MIB - MODEL_PAGE);
    cr_expect(refusal->reserved_bytes == 0 && refusal->claimed_bytes == 0, "its own, and its own");
    cr_assert_eq(refusal->holder_count, 1);
    cr_expect(refusal->holders[0].pid == 100 && refusal->holders[0].bytes == 4 * MIB + MODEL_PAGE);
    cr_expect_eq(why[0].earliest_ms, 48500, "the smaller one alone is not enough");
    cr_expect_eq(broker_explain(model->broker, &other, 0, model->now, why, 2), 0);
    cr_expect_eq(broker_explain(model->broker, &model_root, model->peers[0].session, model->now, why, 2), 0);
    cr_expect_eq(broker_explain(model->broker, &model_root, model->peers[1].session, model->now, why, 2), 1);
    model_free(model);
}

Test(listings, a_status)
{
    struct model *model = busy();
    struct status_reply status = model_status(model);
    cr_expect_eq(status.limits.max_physical_bytes, 64 * MIB);
    cr_expect_eq(status.limits.max_mapped_bytes, 64 * MIB);
    cr_expect_eq(status.used_bytes, 9 * MIB + MODEL_PAGE);
    cr_expect_eq(status.used_physical_bytes, 4 * MIB + MODEL_PAGE);
    cr_expect_eq(status.used_mapped_bytes, 5 * MIB);
    cr_expect_eq(status.freeing_bytes, 0);
    cr_expect(status.sessions == 2 && status.leases == 3 && status.segments == 3 && status.waiting == 1);
    cr_expect_eq(status.reserved_bytes, 4 * MIB);
    cr_expect_eq(status.counters.granted, 3);
    model->hold_frees = true;
    (void)model_release(model, 0, 1);
    (void)model_release(model, 0, 2);
    status = model_status(model);
    cr_expect_eq(status.freeing_bytes, 8 * MIB + MODEL_PAGE);
    cr_expect_eq(status.freeing_physical_bytes, 3 * MIB + MODEL_PAGE);
    cr_expect_eq(status.counters.released, 2);
    uint64_t physical, mapped;
    broker_ledger_totals(model->broker, &physical, &mapped);
    cr_expect(physical == 4 * MIB + MODEL_PAGE && mapped == 5 * MIB);
    model->hold_frees = false;
    model_finish(model);
    model_free(model);
}

Test(listings, a_grant)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    struct request request = acquire(MIB + 5, LOCATION_AUTO, "g");
    request.acquire.ttl_ms = 7000;
    request.acquire.prefault = true;
    const struct reply *reply = model_request(model, 0, &request);
    struct grant_reply grant = (granted(reply), reply->grant);
    cr_expect(grant.lease == 1 && grant.segment == 1 && grant.bytes == MIB + MODEL_PAGE);
    cr_expect(grant.location == LOCATION_RAM && grant.ttl_ms == 7000 && grant.slot == 0 && grant.generation == 1);
    cr_expect(!grant.huge_pages && grant.extents == 1 && grant.file_bytes == 0 && grant.charge == CHARGE_BROKER);
    cr_expect(grant.is_present && !grant.is_remembered && !grant.prefault);
    cr_expect_eq(reply->descriptors, 1);
    cr_expect_eq(model->slot_generation, 1);
    struct request extend = {.kind = REQUEST_EXTEND, .extend = {.lease = 1, .bytes = 2 * MIB}};
    reply = model_request(model, 0, &extend);
    grant = (granted(reply), reply->grant);
    cr_expect(grant.lease == 1 && grant.segment == 2 && grant.bytes == 2 * MIB && grant.extents == 2);
    cr_expect(grant.charge == CHARGE_CLIENT && !grant.is_present);
    request = acquire(MIB, LOCATION_MMAP, "f");
    memcpy(request.acquire.file, "file", 5);
    model->file_bytes = 100;
    reply = model_request(model, 0, &request);
    grant = (granted(reply), reply->grant);
    cr_expect(grant.location == LOCATION_MMAP && grant.file_bytes == MIB && grant.charge == CHARGE_UNSPECIFIED);
    cr_expect(grant.slot == 1 && grant.generation == 1 && !grant.is_present);
    struct segment_view view;
    cr_assert(broker_next_segment(model->broker, 1, &view));
    cr_expect(view.id == 2 && view.lease == 1 && view.state == SEGMENT_LIVE && view.location == LOCATION_RAM);
    cr_expect(view.bytes == 2 * MIB && view.handle == (void *)(uintptr_t)2);
    cr_expect_not(broker_next_segment(model->broker, 3, &view));
    model_free(model);
}

Test(listings, a_request_held_up_by_its_own_limit_sees_its_own_leases)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct why_entry why[1];
    model_open(model, 0, 2 * MIB);
    granted(model_acquire(model, 0, 4 * MIB, LOCATION_RAM, 9000));
    cr_expect_null(model_acquire_waiting(model, 0, MIB, 60000));
    cr_assert_eq(broker_explain(model->broker, &model_root, 0, model->now, why, 1), 1);
    cr_expect_str_eq(why[0].refusal.whose, "client");
    cr_expect_str_eq(why[0].refusal.limit, "max_physical_bytes");
    cr_expect_eq(why[0].refusal.limit_bytes, 4 * MIB);
    cr_assert_eq(why[0].refusal.holder_count, 1);
    cr_expect_eq(why[0].refusal.holders[0].bytes, 4 * MIB);
    cr_expect_eq(why[0].earliest_ms, 9000);
    model_free(model);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of the tables: welcomes, listings, looks at segments. */
#include "daemon/core/broker_state.h"
#include "tests/unit/core/sharing.h"

TestSuite(queries);

static struct model *with_session(void)
{
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    model_open(model, 0, LIMIT_DEFAULT);
    return model;
}

static struct request acquire(uint64_t bytes, enum location location)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = bytes, .location = location, .numa_node = -1, .name = "r"};
    return request;
}

static struct request extend(uint64_t lease, uint64_t bytes)
{
    return (struct request){.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = bytes}};
}

Test(queries, a_welcome_has_the_limits_of_the_session_or_of_the_host_for_a_monitor)
{
    struct model *model = with_session();
    struct welcome_reply welcome = {0};
    uint64_t session = model_open(model, 1, 8 * MIB);
    broker_fill_welcome(model->broker, session, &welcome);
    cr_expect_eq(welcome.session, session);
    cr_expect_eq(welcome.token.bytes[0], 1);
    cr_expect_eq(welcome.client_limits.max_bytes, 16 * MIB);
    cr_expect_eq(welcome.host_limits.max_physical_bytes, 64 * MIB);
    welcome = (struct welcome_reply){0};
    broker_fill_welcome(model->broker, 0, &welcome);
    cr_expect_eq(welcome.session, 0);
    cr_expect_eq(welcome.client_limits.max_bytes, LIMIT_OFF);
    cr_expect_eq(welcome.host_limits.max_physical_bytes, 64 * MIB);
    struct request request = acquire(MIB, LOCATION_RAM);
    refused(model_request(model, 2, &request), ERROR_MONITOR); /* it never opened a session */
    model_free(model);
}

Test(queries, a_listing_ends_after_the_last_number)
{
    struct model *model = with_session();
    struct lease_entry entry;
    bool more = true;
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    cr_expect_eq(broker_list_leases(model->broker, &model_root, 0, UINT64_MAX, model->now, &entry, 1, &more), 0);
    cr_expect_not(more);
    model_free(model);
}

/* A walk over all leases or sessions would find nothing here: their tables are taken away meanwhile. */
Test(queries, a_page_is_found_without_examining_other_entries)
{
    const struct identity mine = {.uid = 1000}, others = {.uid = 1001}, strangers = {.uid = 1002};
    struct model *model = model_new(0, 64 * MIB, 64 * MIB);
    struct broker *broker = model->broker;
    struct lease_entry leases[8];
    struct session_entry sessions[8];
    uint64_t own[3];
    bool more = false;
    model_open_as(model, 0, "mine", mine.uid);
    model_open_as(model, 1, "others", others.uid);
    model_open_as(model, 2, "mine too", mine.uid);
    for (int i = 0; i < 3; i++) {
        granted(model_acquire(model, 1, 4096, LOCATION_RAM, 0));
        own[i] = granted(model_acquire(model, 0, 4096, LOCATION_RAM, 0));
        granted(model_acquire(model, 2, 4096, LOCATION_RAM, 0));
    }
    const struct lease_table lease_table = broker->leases;
    const struct session_table session_table = broker->sessions;
    RB_INIT(&broker->leases.by_id);
    cr_expect_eq(broker_list_leases(broker, &mine, 0, 0, model->now, leases, 4, &more), 4, "of the user");
    cr_expect(more);
    cr_expect_eq(broker_list_leases(broker, &mine, 0, leases[3].lease, model->now, leases, 4, &more), 2);
    cr_expect_not(more);
    cr_expect_eq(broker_list_leases(broker, &strangers, 0, 0, model->now, leases, 4, &more), 0);
    RB_INIT(&broker->leases.by_user);
    cr_expect_eq(broker_list_leases(broker, &mine, model->peers[0].session, 0, model->now, leases, 2, &more), 2);
    cr_expect(more && leases[0].lease == own[0] && leases[1].lease == own[1]);
    cr_expect_eq(broker_list_leases(broker, &mine, model->peers[0].session, own[1], model->now, leases, 2, &more), 1);
    cr_expect(!more && leases[0].lease == own[2]);
    cr_expect_eq(broker_list_leases(broker, &mine, model->peers[0].session, UINT64_MAX, model->now, leases, 2, &more),
                 0);
    RB_INIT(&broker->sessions.by_id);
    cr_expect_eq(broker_list_leases(broker, &mine, 99, 0, model->now, leases, 2, &more), 0, "no such session");
    cr_expect_eq(broker_list_sessions(broker, &mine, 0, 0, sessions, 8, &more), 2);
    cr_expect_eq(broker_list_sessions(broker, &others, 0, 0, sessions, 8, &more), 1);
    cr_expect_eq(broker_list_sessions(broker, &others, sessions[0].session, 0, sessions, 8, &more), 0);
    broker->leases = lease_table;
    broker->sessions = session_table;
    model_free(model);
}

Test(queries, listings_come_in_pages)
{
    struct model *model = with_session();
    struct lease_entry leases[2];
    struct queue_entry queue[1];
    bool more;
    uint64_t ids[3];
    for (int i = 0; i < 3; i++) {
        ids[i] = granted(model_acquire(model, 0, 20 * MIB, LOCATION_RAM, 0));
        cr_assert(i < 1 || ids[i] > ids[i - 1]);
    }
    cr_expect_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, leases, 2, &more), 2);
    cr_expect(more && leases[1].lease == ids[1]);
    cr_expect_eq(broker_list_leases(model->broker, &model_root, 0, ids[1], model->now, leases, 2, &more), 1);
    cr_expect(!more && leases[0].lease == ids[2]);
    cr_expect_null(model_acquire_waiting(model, 0, 20 * MIB, 30000));
    cr_expect_null(model_acquire_waiting(model, 0, 21 * MIB, 30000));
    cr_expect_eq(broker_list_queue(model->broker, &model_root, 0, model->now, queue, 1, &more), 1);
    cr_expect(more && queue[0].place == 1 && queue[0].bytes == 20 * MIB);
    cr_expect_eq(broker_list_queue(model->broker, &model_root, 1, model->now, queue, 1, &more), 1);
    cr_expect(!more && queue[0].place == 2 && queue[0].bytes == 21 * MIB);
    model_free(model);
}

Test(queries, leases_in_files_are_not_listed_as_ram)
{
    struct model *model = with_session();
    struct lease_entry entry;
    bool more;
    struct request request = acquire(MIB, LOCATION_AUTO);
    request.acquire.prefault = request.acquire.interleave = true;
    uint64_t lease = granted(model_request(model, 0, &request));
    cr_assert_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, &entry, 1, &more), 1);
    cr_expect(entry.prefaulted && entry.interleaved);
    granted(model_acquire(model, 0, 63 * MIB, LOCATION_RAM, 0));
    cr_expect_eq(model_request(model, 0, &request)->grant.location, LOCATION_MMAP);
    cr_assert_eq(broker_list_leases(model->broker, &model_root, 0, lease + 1, model->now, &entry, 1, &more), 1);
    cr_expect(!entry.prefaulted && !entry.interleaved);
    model_free(model);
}

Test(queries, the_queue_shows_an_extension_of_a_lease_that_just_ended)
{
    struct model *model = with_session();
    struct queue_entry entries[2];
    bool more;
    uint64_t lease = granted(model_acquire(model, 0, 64 * MIB, LOCATION_RAM, 4000));
    struct request request = extend(lease, MIB);
    request.extend.wait_ms = 30000;
    for (int i = 0; i < 40; i++) { /* so many are looked at in the next tick only */
        cr_expect_null(model_request(model, 0, &request));
    }
    cr_assert_eq(broker_list_queue(model->broker, &model_root, 39, model->now, entries, 2, &more), 1);
    model_release(model, 0, lease);
    cr_expect_eq(broker_list_queue(model->broker, &model_root, 39, model->now, entries, 2, &more), 1);
    cr_expect_eq(entries[0].location, LOCATION_RAM);
    model_pass(model, 1);
    refused(model_answer(model, request.id), ERROR_LEASE_ENDED);
    model_free(model);
}

/* ---- looks at a session's segments, in turn ---- */

static struct segment_view views[LEASE_EXTENTS_MAX];

/* The lease that is shown; 0: none is. */
static uint64_t look(struct model *model, size_t count)
{
    cr_expect_eq(broker_look_at_next_lease(model->broker, model->peers[0].session, views), count);
    return count ? views[0].lease : 0;
}

Test(queries, each_lease_of_a_session_is_shown_in_its_turn)
{
    struct model *model = with_session();
    model_open(model, 1, LIMIT_DEFAULT);
    cr_expect_eq(broker_look_at_next_lease(model->broker, 4711, views), 0);
    cr_expect_eq(look(model, 0), 0);
    uint64_t first = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    granted(model_acquire(model, 1, MIB, LOCATION_RAM, 0));
    uint64_t second = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    uint64_t third = granted(model_acquire(model, 0, MIB, LOCATION_RAM, 0));
    struct request more = extend(second, 2 * MIB);
    granted(model_request(model, 0, &more));
    cr_expect_eq(look(model, 1), first);
    cr_expect_eq(look(model, 2), second);
    cr_expect(views[0].bytes == MIB && views[1].bytes == 2 * MIB && views[1].state == SEGMENT_LIVE);
    cr_expect_eq(look(model, 1), third);
    cr_expect_eq(look(model, 1), first, "and anew");
    model_release(model, 0, second);
    cr_expect_eq(look(model, 1), third, "whoever ends is passed over");
    model_release(model, 0, first);
    model_release(model, 0, third);
    cr_expect_eq(look(model, 0), 0);
    model_free(model);
}

Test(queries, learned_sizes_are_restored_before_the_first_client)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct learned_key key = {.uid = 1000, .class = POLICY_DEFAULT_CLASS, .client = "model", .workspace = "r"};
    broker_restore_learned(model->broker, &key, 3 * MIB);
    cr_expect_eq(broker_learned(model->broker)->count, 1);
    cr_expect_eq(model_status(model).remembered, 1);
    model_open(model, 0, LIMIT_DEFAULT);
    struct request request = acquire(MIB, LOCATION_RAM);
    request.acquire.use_learned = true;
    const struct reply *reply = model_request(model, 0, &request);
    granted(reply);
    cr_expect_eq(reply->grant.bytes, 3 * MIB);
    cr_expect(reply->grant.is_remembered);
    model_open_as(model, 1, "another", 1000);
    request = acquire(MIB, LOCATION_RAM);
    request.acquire.use_learned = true;
    reply = model_request(model, 1, &request);
    granted(reply);
    cr_expect_eq(reply->grant.bytes, MIB, "another client's name");
    cr_expect_not(reply->grant.is_remembered);
    model_free(model);
}

Test(queries, a_session_is_described_while_it_is_there)
{
    struct model *model = model_new(0, 8 * MIB, 0);
    const char *client = "gone", *class = "none";
    model_open_as(model, 0, "trainer", 1000);
    broker_describe(model->broker, model->peers[0].session + 1, &client, &class);
    cr_expect_str_eq(client, "gone");
    broker_describe(model->broker, model->peers[0].session, &client, &class);
    cr_expect_str_eq(client, "trainer");
    cr_expect_str_eq(class, "default");
    model_free(model);
}

Test(queries, passes_over_the_waiting_requests_are_counted)
{
    struct model *model = model_new(0, 4 * MIB, 0);
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t before = broker_passes(model->broker);
    struct request first = acquire(4 * MIB, LOCATION_RAM), second = first;
    second.acquire.wait_ms = 5000;
    (void)model_request(model, 0, &first);
    (void)model_request(model, 0, &second);
    model_release(model, 0, 1);
    cr_expect_gt(broker_passes(model->broker), before);
    model_free(model);
}

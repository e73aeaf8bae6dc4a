/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in the core: publishing, views, names, lifetimes, quotas. The model checks every invariant after each step. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/text.h"
#include "tests/unit/core/sharing.h"

TestSuite(blocks);

enum { OWNER, TWIN /* of the same user */, OTHER, PEER_COUNT };

static struct model *model;
static uint64_t session_lease;

/* Two sessions of user 1000 and one of user 1002, who is in group 7 as well as the first user. */
static void begin(uint64_t max_physical)
{
    model = model_new(0, max_physical, 0);
    model_open_as(model, OWNER, "a", 1000);
    model_open_as(model, TWIN, "b", 1000);
    model_open_as(model, OTHER, "c", 1002);
}

static void end(void)
{
    model_free(model);
}

static const struct reply *acquire(int peer, uint64_t bytes)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = bytes, .location = LOCATION_AUTO, .ttl_ms = 60000, .numa_node = -1, .publishable = true};
    return model_request(model, peer, &request);
}

static struct request publication(uint64_t lease, const char *name, enum lifetime lifetime)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = lease, .lifetime = lifetime, .access = BLOCK_ACCESS_ALL};
    text_copy(request.publish.name, MESSAGE_NAME_SIZE, name);
    return request;
}

static const struct reply *publish(int peer, uint64_t lease, const char *name, enum lifetime lifetime)
{
    struct request request = publication(lease, name, lifetime);
    return model_request(model, peer, &request);
}

/* A new block of a mebibyte. Returns the lease. */
static uint64_t publish_new(int peer, const char *name, enum lifetime lifetime)
{
    uint64_t lease = granted(acquire(peer, MIB));
    cr_assert_eq(publish(peer, lease, name, lifetime)->kind, REPLY_DONE);
    return lease;
}

static const struct reply *attach(int peer, const char *name, uint32_t wait_ms)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK,
                              .attach_block = {.has_owner = true, .owner = 1000, .wait_ms = wait_ms}};
    text_copy(request.attach_block.name, MESSAGE_NAME_SIZE, name);
    return model_request(model, peer, &request);
}

static uint64_t attached(const struct reply *reply)
{
    cr_assert(reply && reply->kind == REPLY_ATTACHED, "%s", reply ? reply->error.sentence : "no answer");
    return reply->attached.lease;
}

static void ended(const struct reply *reply, enum end_reason reason)
{
    cr_expect_eq(refused(reply, ERROR_BLOCK_ENDED)->error.ended, reason);
}

static const struct reply *unpublish(int peer, uint32_t owner, const char *name)
{
    struct request request = {.kind = REQUEST_UNPUBLISH, .unpublish = {true, owner, ""}};
    text_copy(request.unpublish.name, MESSAGE_NAME_SIZE, name);
    return model_request(model, peer, &request);
}

static uint64_t used(void)
{
    return model_status(model).used_bytes;
}

/* Renews for everybody while time passes. */
static void live(uint64_t milliseconds)
{
    for (; milliseconds > 0; milliseconds -= milliseconds < 10000 ? milliseconds : 10000) {
        model_pass(model, milliseconds < 10000 ? milliseconds : 10000);
        for (int peer = 0; peer < PEER_COUNT; peer++) {
            if (model->peers[peer].session) {
                model_renew(model, peer);
            }
        }
    }
}

/* ---- publishing ---- */

Test(blocks, a_published_lease_has_no_bytes_and_its_user_pays_once)
{
    begin(16 * MIB);
    session_lease = publish_new(OWNER, "n", LIFETIME_SESSION);
    struct session_entry sessions[4];
    struct lease_entry lease;
    bool more;
    cr_assert_eq(broker_list_sessions(model->broker, &model_root, 0, model->now, sessions, 4, &more), 3);
    cr_expect_eq(sessions[0].physical_bytes, 0);
    cr_expect_eq(broker_list_leases(model->broker, &model_root, 0, 0, model->now, &lease, 1, &more), 1);
    cr_expect(lease.lease == session_lease && lease.bytes == 0);
    attached(attach(TWIN, "n", 0));
    attached(attach(OTHER, "n", 0));
    cr_expect_eq(used(), MIB);
    cr_expect_eq(model->block.change, BLOCK_CHANGE_PUBLISHED);
    end();
}

Test(blocks, a_publication_is_refused_for_each_reason)
{
    begin(16 * MIB);
    uint64_t lease = granted(acquire(OWNER, MIB)), plain = granted(model_acquire(model, OWNER, MIB, LOCATION_RAM, 0));
    refused(publish(OWNER, 99, "n", LIFETIME_SESSION), ERROR_NO_SUCH_LEASE);
    refused(publish(TWIN, lease, "n", LIFETIME_SESSION), ERROR_NO_SUCH_LEASE);
    refused(publish(OWNER, plain, "n", LIFETIME_SESSION), ERROR_INVALID);
    struct request request = publication(lease, "n", LIFETIME_CACHE);
    request.publish.keep_ms = 5;
    refused(model_request(model, OWNER, &request), ERROR_INVALID);
    request = publication(lease, "n", LIFETIME_KEEP);
    request.publish.access = BLOCK_ACCESS_GROUP;
    request.publish.gid = 7;
    refused(model_request(model, OWNER, &request), ERROR_NOT_PERMITTED);
    model->seal_error = -EBUSY;
    refused(publish(OWNER, lease, "n", LIFETIME_SESSION), ERROR_STILL_WRITABLE);
    model->seal_error = -EPERM;
    refused(publish(OWNER, lease, "n", LIFETIME_SESSION), ERROR_INVALID);
    model->seal_error = -EIO;
    refused(publish(OWNER, lease, "n", LIFETIME_SESSION), ERROR_SYSTEM);
    model->seal_error = 0;
    cr_assert_eq(publish(OWNER, lease, "n", LIFETIME_SESSION)->kind, REPLY_DONE, "it can be published still");
    cr_expect_eq(publish(OWNER, lease, "n", LIFETIME_SESSION)->kind, REPLY_DONE, "a repetition");
    refused(publish(OWNER, lease, "m", LIFETIME_SESSION), ERROR_INVALID);
    uint64_t view = attached(attach(TWIN, "n", 0));
    refused(publish(TWIN, view, "n", LIFETIME_SESSION), ERROR_INVALID);
    model_release(model, OWNER, plain);
    refused(publish(OWNER, plain, "n", LIFETIME_SESSION), ERROR_LEASE_ENDED);
    model->hold_makes = true;
    cr_assert_null(acquire(OWNER, MIB));
    refused(publish(OWNER, view + 1, "n", LIFETIME_SESSION), ERROR_NO_SUCH_LEASE); /* a guess */
    model->hold_makes = false;
    model_finish(model);
    end();
}

Test(blocks, what_can_be_published_is_not_extended)
{
    begin(16 * MIB);
    uint64_t lease = granted(acquire(OWNER, MIB));
    struct request request = {.kind = REQUEST_EXTEND, .extend = {.lease = lease, .bytes = MIB}};
    refused(model_request(model, OWNER, &request), ERROR_INVALID);
    publish(OWNER, lease, "n", LIFETIME_SESSION);
    request.extend.lease = attached(attach(OWNER, "n", 0));
    refused(model_request(model, OWNER, &request), ERROR_INVALID);
    end();
}

Test(blocks, while_it_is_sealed_a_lease_can_end_and_is_freed_afterwards)
{
    begin(16 * MIB);
    uint64_t lease = granted(acquire(OWNER, MIB));
    model->hold_seals = true;
    cr_expect_null(publish(OWNER, lease, "n", LIFETIME_KEEP));
    uint64_t request = model->next_request;
    refused(publish(OWNER, lease, "n", LIFETIME_KEEP), ERROR_INVALID);
    model_release(model, OWNER, lease);
    refused(model_answer(model, request), ERROR_LEASE_ENDED);
    cr_expect_eq(used(), MIB);
    model_finish(model);
    cr_expect_eq(used(), 0);
    refused(attach(OWNER, "n", 0), ERROR_NO_SUCH_BLOCK);
    end();
}

Test(blocks, of_two_that_are_sealed_for_one_name_the_first_has_it)
{
    begin(16 * MIB);
    uint64_t one = granted(acquire(OWNER, MIB)), two = granted(acquire(TWIN, MIB));
    model->hold_seals = true;
    cr_expect_null(publish(OWNER, one, "n", LIFETIME_SESSION));
    uint64_t request = model->next_request;
    cr_expect_null(publish(TWIN, two, "n", LIFETIME_SESSION));
    model_finish(model);
    cr_expect_eq(model_answer(model, request)->kind, REPLY_DONE);
    refused(model_answer(model, request + 1), ERROR_NAME_TAKEN);
    model->hold_seals = false;
    refused(publish(TWIN, two, "n", LIFETIME_SESSION), ERROR_NAME_TAKEN);
    cr_expect_eq(publish(TWIN, two, "m", LIFETIME_SESSION)->kind, REPLY_DONE);
    end();
}

Test(blocks, a_grant_is_not_repeated_once_it_is_published)
{
    begin(16 * MIB);
    uint64_t lease = granted(acquire(OWNER, MIB));
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = MIB, .numa_node = -1, .publishable = true};
    request.acquire.repeats = model->next_request;
    cr_expect_eq(granted(model_request(model, OWNER, &request)), lease);
    model->seal_error = -EBUSY;
    publish(OWNER, lease, "n", LIFETIME_SESSION);
    refused(model_request(model, OWNER, &request), ERROR_INVALID);
    end();
}

Test(blocks, a_replacement_takes_the_name_and_the_old_views_stay)
{
    begin(16 * MIB);
    publish_new(OWNER, "n", LIFETIME_KEEP);
    uint64_t old = attached(attach(TWIN, "n", 0));
    uint64_t lease = granted(acquire(OWNER, 2 * MIB));
    struct request request = publication(lease, "n", LIFETIME_KEEP);
    request.publish.replace = true;
    cr_expect_eq(model_request(model, OWNER, &request)->kind, REPLY_DONE);
    const struct reply *reply = attach(TWIN, "n", 0);
    attached(reply);
    cr_expect_eq(reply->attached.bytes, 2 * MIB);
    cr_expect_eq(used(), 3 * MIB);
    live(20000);
    cr_expect_eq(model_release(model, TWIN, old)->kind, REPLY_DONE);
    cr_expect_eq(used(), 3 * MIB, "its publisher has it still");
    end();
}

/* ---- access ---- */

Test(blocks, who_may_not_attach_a_block_is_not_told_of_it)
{
    begin(16 * MIB);
    struct request request = publication(granted(acquire(OWNER, MIB)), "mine", LIFETIME_KEEP);
    request.publish.access = BLOCK_ACCESS_USER;
    model_request(model, OWNER, &request);
    attached(attach(TWIN, "mine", 0));
    refused(attach(OTHER, "mine", 0), ERROR_NO_SUCH_BLOCK);
    refused(unpublish(OTHER, 1000, "mine"), ERROR_NO_SUCH_BLOCK);
    publish_new(OWNER, "all", LIFETIME_KEEP);
    refused(unpublish(OTHER, 1000, "all"), ERROR_NOT_PERMITTED);
    struct block_entry entries[4];
    bool more;
    const struct identity other = {.pid = 1, .uid = 1002}, member = {.pid = 1, .uid = 1003, .gid = 7};
    cr_expect_eq(broker_list_blocks(model->broker, &other, 0, model->now, entries, 4, &more), 1);
    cr_expect_str_eq(entries[0].name, "all");
    cr_expect_eq(broker_list_blocks(model->broker, &model_root, 0, model->now, entries, 1, &more), 1);
    cr_expect(more);
    cr_expect(block_admits(BLOCK_ACCESS_GROUP, 1000, 7, &member) && !block_admits(BLOCK_ACCESS_GROUP, 1000, 7, &other));
    cr_expect_eq(unpublish(OWNER, 1000, "mine")->kind, REPLY_DONE);
    refused(attach(OTHER, "mine", 0), ERROR_NO_SUCH_BLOCK);
    ended(attach(TWIN, "mine", 0), END_UNPUBLISHED);
    struct input input = {.kind = INPUT_REQUEST, .peer = (void *)(uintptr_t)9};
    input.request = (struct input_request){.identity = model_root, .request = &request};
    request = (struct request){.id = 500, .kind = REQUEST_UNPUBLISH, .unpublish = {true, 1000, "all"}};
    model_feed(model, &input);
    cr_expect_eq(model_answer(model, 500)->kind, REPLY_DONE);
    refused(attach(OWNER, "all", 0), ERROR_BLOCK_ENDED);
    end();
}

/* ---- lifetimes ---- */

Test(blocks, a_session_block_ends_with_its_publisher)
{
    begin(16 * MIB);
    publish_new(OWNER, "n", LIFETIME_SESSION);
    uint64_t own = attached(attach(TWIN, "n", 0)), others = attached(attach(OTHER, "n", 0));
    struct input died = {.kind = INPUT_DIED, .session = model->peers[OWNER].session};
    model_feed(model, &died);
    ended(attach(TWIN, "n", 0), END_DIED);
    live(4900);
    cr_expect_eq(model_release(model, OTHER, 9999)->kind, REPLY_ERROR);
    cr_expect_eq(model_events(model, OTHER, EVENT_LEASE_ENDED), 0, "others have a grace time");
    live(200);
    cr_expect_eq(model_events(model, OTHER, EVENT_LEASE_ENDED), 1);
    refused(model_release(model, OTHER, others), ERROR_LEASE_ENDED);
    live(100000);
    cr_expect_eq(used(), MIB, "its user's own view keeps it");
    model_release(model, TWIN, own);
    cr_expect_eq(used(), 0);
    end();
}

Test(blocks, a_block_without_views_ends_with_its_publisher_at_once)
{
    begin(16 * MIB);
    uint64_t lease = publish_new(OWNER, "n", LIFETIME_SESSION);
    model_release(model, OWNER, lease);
    cr_expect_eq(used(), 0);
    ended(attach(TWIN, "n", 0), END_RELEASED);
    end();
}

Test(blocks, a_kept_block_stays_until_its_time_is_over)
{
    begin(16 * MIB);
    struct request request = publication(granted(acquire(OWNER, MIB)), "n", LIFETIME_KEEP);
    struct block_entry entry;
    bool more;
    request.publish.keep_ms = 30000;
    model_request(model, OWNER, &request);
    model_release(model, OWNER, request.publish.lease);
    live(10000);
    cr_expect_eq(broker_list_blocks(model->broker, &model_root, 0, model->now, &entry, 1, &more), 1);
    cr_expect(entry.keep_ms == 20000 && entry.age_ms == 10000 && !entry.publisher && entry.views == 0);
    live(20000);
    cr_expect_eq(used(), 0);
    ended(attach(TWIN, "n", 0), END_EXPIRED);
    end();
}

Test(blocks, a_grace_that_is_not_needed_any_more_ends)
{
    begin(16 * MIB);
    publish_new(OWNER, "n", LIFETIME_KEEP);
    attached(attach(TWIN, "n", 0));
    uint64_t others = attached(attach(OTHER, "n", 0));
    unpublish(OWNER, 1000, "n");
    model_release(model, OTHER, others);
    live(10000);
    cr_expect_eq(used(), MIB);
    end();
}

Test(blocks, the_brokers_end_ends_what_is_kept)
{
    begin(300 * MIB);
    for (int i = 0; i < 60; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%d", i);
        model_release(model, OWNER, publish_new(OWNER, name, LIFETIME_KEEP));
    }
    model_feed(model, &(struct input){.kind = INPUT_SHUTDOWN});
    model_pass(model, 1);
    cr_expect(broker_is_empty(model->broker));
    end();
}

/* ---- quotas ---- */

Test(blocks, a_user_has_so_many_blocks_and_views)
{
    begin(16 * MIB);
    model->options.settings.sharing = (struct sharing_settings){.blocks_max = 2, .views_max = 2, .grace_ms = 1000};
    model_configure(model);
    publish_new(OWNER, "a", LIFETIME_KEEP);
    uint64_t second = publish_new(TWIN, "b", LIFETIME_SESSION), lease = granted(acquire(OWNER, MIB));
    refused(publish(OWNER, lease, "c", LIFETIME_KEEP), ERROR_TOO_MANY);
    attached(attach(OWNER, "a", 0));
    uint64_t view = attached(attach(TWIN, "b", 0));
    refused(attach(TWIN, "a", 0), ERROR_TOO_MANY);
    attached(attach(OTHER, "a", 0));
    model_release(model, TWIN, view);
    attached(attach(TWIN, "a", 0));
    model_release(model, TWIN, second);
    cr_expect_eq(publish(OWNER, lease, "c", LIFETIME_KEEP)->kind, REPLY_DONE);
    end();
}

Test(blocks, a_view_is_refused_beyond_the_slots_and_with_a_ttl_that_is_not_granted)
{
    begin(16 * MIB);
    publish_new(OWNER, "n", LIFETIME_KEEP);
    struct request request = {.kind = REQUEST_ATTACH_BLOCK, .attach_block = {.name = "n", .ttl_ms = 1}};
    refused(model_request(model, TWIN, &request), ERROR_INVALID);
    struct session *session = session_table_find(&model->broker->sessions, model->peers[TWIN].session);
    request = (struct request){.id = 900, .kind = REQUEST_ATTACH_BLOCK, .attach_block = {.has_owner = true}};
    request.attach_block.owner = 1000;
    text_copy(request.attach_block.name, MESSAGE_NAME_SIZE, "n");
    struct input input = {.kind = INPUT_REQUEST, .session = session->id, .peer = session->peer};
    input.request = (struct input_request){.room = {1, 2}, .request = &request};
    model_feed(model, &input);
    attached(model_answer(model, 900));
    request.id = 901;
    model_feed(model, &input);
    refused(model_answer(model, 901), ERROR_TOO_MANY);
    end();
}

/* ---- waiting for a name ---- */

Test(blocks, those_who_wait_for_a_name_have_it_when_it_is_published)
{
    begin(16 * MIB);
    cr_expect_null(attach(TWIN, "n", 5000));
    uint64_t first = model->next_request;
    cr_expect_null(attach(OTHER, "n", 5000));
    cr_expect_null(attach(OTHER, "m", 4000));
    live(1000);
    publish_new(OWNER, "n", LIFETIME_SESSION);
    attached(model_answer(model, first));
    attached(model_answer(model, first + 1));
    cr_expect_null(model_answer(model, first + 2));
    live(2900);
    cr_expect_null(model_answer(model, first + 2));
    live(200);
    refused(model_answer(model, first + 2), ERROR_NO_SUCH_BLOCK);
    end();
}

Test(blocks, a_wait_ends_with_its_connection_and_when_it_is_cancelled)
{
    begin(16 * MIB);
    struct request cancel = {.kind = REQUEST_CANCEL};
    cr_expect_null(attach(OTHER, "n", 5000));
    cancel.cancel_request = model->next_request;
    model_request(model, OTHER, &cancel);
    refused(model_answer(model, cancel.cancel_request), ERROR_CANCELLED);
    cr_expect_null(attach(TWIN, "n", 50000));
    cr_expect_null(attach(OTHER, "n", 50000));
    uint64_t lost = model->next_request;
    struct input died = {.kind = INPUT_DIED, .session = model->peers[OTHER].session};
    model_feed(model, &died);
    publish_new(OWNER, "n", LIFETIME_SESSION);
    cr_expect_null(model_answer(model, lost));
    attached(model_answer(model, lost - 1));
    end();
}

Test(blocks, so_many_may_wait_for_names)
{
    begin(16 * MIB);
    model->options.settings.queue.waiting_per_session_max = 1;
    model_configure(model);
    cr_expect_null(attach(TWIN, "n", 5000));
    refused(attach(TWIN, "n", 5000), ERROR_TOO_MANY);
    model->options.settings.queue.waiting_per_user_max = 1;
    model_configure(model);
    refused(attach(OWNER, "n", 5000), ERROR_TOO_MANY);
    model->options.settings.queue.waiting_max = 1;
    model_configure(model);
    refused(attach(OTHER, "n", 5000), ERROR_TOO_MANY);
    end();
}

Test(blocks, many_who_wait_are_served_in_several_steps)
{
    enum { WAITING = 60 };
    begin(16 * MIB);
    uint64_t first = model->next_request + 1;
    for (int i = 0; i < WAITING; i++) {
        cr_expect_null(attach(i % 2 ? TWIN : OTHER, "n", 50000));
    }
    publish_new(OWNER, "n", LIFETIME_SESSION);
    model_pass(model, 0);
    for (int i = 0; i < WAITING; i++) {
        attached(model_answer(model, first + (uint64_t)i));
    }
    cr_expect_leq(model->largest_step, EFFECTS_MAX);
    end();
}

/* ---- what is remembered ---- */

Test(blocks, a_user_does_not_push_out_what_is_remembered_of_others)
{
    begin(16 * MIB);
    struct request request = publication(granted(acquire(OTHER, MIB)), "others", LIFETIME_SESSION);
    model_request(model, OTHER, &request);
    model_release(model, OTHER, request.publish.lease);
    for (int i = 0; i < 100; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%d", i);
        model_release(model, OWNER, publish_new(OWNER, name, LIFETIME_SESSION));
    }
    ended(attach(OWNER, "n99", 0), END_RELEASED);
    ended(attach(OWNER, "n36", 0), END_RELEASED);
    refused(attach(OWNER, "n35", 0), ERROR_NO_SUCH_BLOCK);
    request = (struct request){.kind = REQUEST_ATTACH_BLOCK, .attach_block = {.name = "others"}};
    ended(model_request(model, OTHER, &request), END_RELEASED);
    end();
}

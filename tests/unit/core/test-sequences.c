/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random sequences of everything that can happen, against the invariants: the model checks them after every step. The
 * number of sequences can be set with MEMBROKER_SEQUENCES; a failure names its seed, and MEMBROKER_SEED runs that one
 * alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/broker_state.h"
#include "proto/base/size.h"
#include "tests/unit/core/check_why.h"
#include "tests/unit/core/environment.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/random_requests.h"
#include "tests/unit/core/shell_model.h"

enum { STEPS = 250, PEERS = 6 };
#define MAX_PHYSICAL (UINT64_C(64) << 20)
#define MAX_MAPPED   (UINT64_C(96) << 20)
#define MAX_BYTES    (UINT64_C(128) << 20)

static struct request random_block_request(uint64_t lease)
{
    static const uint8_t metadata[] = "a schema";
    struct request request = {.kind = REQUEST_PUBLISH};
    switch (random_below(10)) {
    case 9:
        return random_watch();
    case 8:
        return random_object_request();
    case 0:
        request.kind = REQUEST_UNPUBLISH;
        request.unpublish = (struct unpublish_request){random_below(2), 1000 + (uint32_t)random_below(3), ""};
        random_name(request.unpublish.name);
        return request;
    case 1:
    case 2:
    case 3:
        request.kind = REQUEST_ATTACH_BLOCK;
        request.attach_block = (struct attach_block_request){.has_owner = random_below(4) > 0,
                                                             .owner = 1000 + (uint32_t)random_below(PEERS),
                                                             .wait_ms = (uint32_t)random_below(2) * 9000,
                                                             .ttl_ms = random_below(8) ? 0 : 7000};
        random_name(request.attach_block.name);
        return request;
    default:
        request.publish = (struct publish_request){.lease = lease,
                                                   .lifetime = (enum lifetime)random_below(3),
                                                   .access = (enum block_access)random_below(3),
                                                   .replace = random_below(2),
                                                   .metadata = {metadata, random_below(2) * sizeof metadata}};
        bool keeps = request.publish.lifetime == LIFETIME_KEEP || random_below(32) == 0;
        request.publish.keep_ms = keeps ? (uint32_t)random_below(2) * 20000 : 0;
        random_name(request.publish.name);
        return request;
    }
}

static uint64_t newest_lease[PEERS]; /* that was granted to this peer as publishable */

static bool is_about_blocks; /* most of the sequence is */

static struct request random_publishable(void)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = random_below(12 << 20),
                                               .location = random_below(8) < 6 ? LOCATION_RAM : LOCATION_MMAP,
                                               .wait_ms = (uint32_t)random_below(2) * 9000,
                                               .publishable = true,
                                               .numa_node = -1};
    return request;
}

static struct request random_request(int peer)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    uint64_t lease = 1 + random_below(40);
    switch (random_below(is_about_blocks ? 36 : 18)) {
    case 12:
        request.kind = REQUEST_CANCEL;
        request.cancel_request = 1 + random_below(200);
        return request;
    case 13:
        request.kind = REQUEST_TRIMMED;
        return request;
    case 14:
    case 15:
    case 18:
    case 19:
    case 20:
    case 21:
        return random_publishable();
    case 16:
    case 17:
    case 22 ... 35:
        return random_block_request(random_below(8) ? newest_lease[peer] : lease);
    case 0:
    case 1:
        request.kind = REQUEST_RELEASE;
        request.release_lease = lease;
        return request;
    case 2:
        request.kind = REQUEST_EXTEND;
        request.extend = (struct extend_request){.lease = lease,
                                                 .bytes = random_below(16 << 20),
                                                 .prefault = random_below(2),
                                                 .wait_ms = random_below(3) ? 0 : (uint32_t)random_below(9000)};
        return request;
    case 3:
    case 4:
        request.kind = REQUEST_RENEW;
        return request;
    case 5:
        request.kind = REQUEST_REVOKE;
        request.revoke_lease = lease;
        return request;
    case 6:
        request.kind = random_below(8) ? REQUEST_RENEW : REQUEST_BYE;
        return request;
    default:
        request.acquire = (struct acquire_request){.bytes = random_below(10) ? random_below(40 << 20) : UINT64_MAX,
                                                   .location = (enum location)random_below(4),
                                                   .ttl_ms = random_below(3) ? 0 : (uint32_t)random_below(70000),
                                                   .wait_ms = random_below(3) ? 0 : (uint32_t)random_below(20000),
                                                   .learned = random_below(4) == 0,
                                                   .use_learned = random_below(8) == 0,
                                                   .prefault = random_below(8) == 0,
                                                   .interleave = random_below(16) == 0,
                                                   .has_huge_pages = random_below(4) == 0,
                                                   .huge_pages = (enum huge_pages)random_below(3),
                                                   .numa_node = random_below(16) ? -1 : 0};
        if (random_below(8) == 0) {
            (void)snprintf(request.acquire.file, sizeof request.acquire.file, "file%d", (int)random_below(3));
        }
        if (random_below(3) == 0) {
            request.acquire.bytes = (1 + random_below(3)) << 20; /* sizes that come again: the pool's */
        }
        return request;
    }
}

static void happen_to_session(struct model *model, int peer)
{
    static const enum input_kind kinds[] = {INPUT_DISCONNECTED, INPUT_RESUMED, INPUT_DIED, INPUT_READ};
    struct input input = {.kind = kinds[random_below(4)], .session = model->peers[peer].session};
    if (input.kind != INPUT_DIED || random_below(4) == 0) {
        model_feed(model, &input);
    }
}

/* The model's, or the same with few leases for one class. */
static const struct policy *random_policy(void)
{
    static struct policy_rule rules[3];
    static const struct policy few = {.rules = rules, .rule_count = 3};
    memcpy(rules, model_policy.rules, sizeof rules);
    rules[1].quota.max_leases = 2;
    const struct policy *const policies[] = {NULL, NULL, &model_policy, &few};
    return policies[random_below(4)];
}

static void change_settings(struct model *model)
{
    struct broker_settings *settings = &model->options.settings;
    uint64_t share = 1 + random_below(2);
    settings->limits = (struct byte_limits){MAX_BYTES / share, MAX_PHYSICAL / share, MAX_MAPPED / share};
    settings->times = (struct lease_times){1000, 60000, 30000, 5000};
    settings->policy = random_policy();
    settings->queue.trim_ms = random_below(2) ? 0 : 100;
    settings->queue.revoke_for_priority = random_below(2);
    settings->queue.waiting_max = random_below(4) ? 1024 : 2;
    settings->queue.waiting_per_user_max = random_below(4) ? 256 : 1;
    settings->pool =
        (struct pool_settings){.bytes = random_below(2) ? 0 : 8 << 20,
                               .sizes = {.bytes = {1 << 20, 0, 2 << 20, 1 << 20}, .count = random_below(5)}};
    settings->requests_max = random_below(2) ? 0 : 4;
    settings->user_requests_max = random_below(2) ? 0 : 6;
    settings->user_sessions_max = random_below(2) ? 0 : 5;
    settings->queue.ageing_ms = random_below(2) ? 0 : 1000;
    settings->sharing = (struct sharing_settings){.blocks_max = random_below(4) ? 64 : 2,
                                                  .views_max = random_below(4) ? 64 : 2,
                                                  .grace_ms = 3000,
                                                  .objects_max = 20,
                                                  .board_bytes_max = 512 << 10,
                                                  .watches_max = random_below(4) ? 8 : 1,
                                                  .watches_per_user_max = random_below(4) ? 16 : 2};
    settings->pause_at = (enum pressure)random_below(3);
    settings->reservations.hold_ms = 20000 * (uint32_t)random_below(4);
    model->hold_looks = random_below(2);
    model->peers[random_below(4)].is_frozen = random_below(2);
    model_configure(model);
}

static struct request random_reservation(void)
{
    static const char *const names[] = {"r0", "r1", "a", "r2"};
    static const char *const paths[] = {"/jobs.slice/jobs-1.slice", "/jobs.slice", "/other",
                                        "/jobs.slice/jobs-2.slice"};
    static const enum request_kind kinds[] = {REQUEST_RESERVE,   REQUEST_RESERVE, REQUEST_ATTACH,
                                              REQUEST_UNRESERVE, REQUEST_SUSPEND, REQUEST_SUSPEND};
    struct request request = {.kind = kinds[random_below(6)]};
    const char *name = names[random_below(4)];
    const struct control_group_list groups = {.paths = &paths[random_below(3)], .count = random_below(3)};
    if (request.kind == REQUEST_ATTACH) {
        request.attach.groups = groups;
        (void)strcpy(request.attach.name, name);
    } else if (request.kind == REQUEST_SUSPEND) {
        request.suspend.ends = random_below(2);
        (void)strcpy(request.suspend.name, name);
    } else if (request.kind == REQUEST_UNRESERVE) {
        (void)strcpy(request.unreserve.name, name);
    } else {
        request.reserve = (struct reserve_request){.terms = {.bytes = (1 + random_below(3)) << 22,
                                                             .mapped_bytes = random_below(2) << 22,
                                                             .has_uid = random_below(4) == 0,
                                                             .has_priority = random_below(2),
                                                             .priority = (uint32_t)random_below(4),
                                                             .expires_ms = (uint32_t)random_below(2) * 9000},
                                                   .groups = groups};
        request.reserve.terms.uid = request.reserve.terms.has_uid ? 1000 + (uint32_t)random_below(3) : 0;
        (void)strcpy(request.reserve.terms.name, name);
    }
    return request;
}

/* By anybody, of any of a few; most ask as the administrator does. */
static void change_reservations(struct model *model)
{
    struct input input = {.kind = INPUT_EMPTIED, .peer = (void *)(uintptr_t)MODEL_PEERS};
    struct request request = random_reservation();
    struct reservation_groups given_up;
    if (random_below(5) == 0 && broker_next_given_up(model->broker, random_below(20), &given_up)) {
        input.emptied = (struct input_emptied){&given_up.reservation, 1};
    } else {
        input.kind = INPUT_REQUEST;
        input.request =
            (struct input_request){.identity = {.pid = 1, .uid = random_below(8) ? 0 : 1001}, .request = &request};
    }
    model_feed(model, &input);
}

static void happen_to_all(struct model *model)
{
    struct input input = {.kind = INPUT_HOST_MEMORY, .host = {random_below(256 << 20), 256 << 20}};
    switch (random_below(4)) {
    case 0:
        change_settings(model);
        return;
    case 3:
        change_reservations(model);
        return;
    case 1:
        input = (struct input){.kind = INPUT_PRESSURE, .pressure = (enum pressure)random_below(3)};
        break;
    default:
        break;
    }
    model_feed(model, &input);
}

static const int errors[] = {-ENOMEM, -ENOSPC, -EDQUOT, -EMFILE, -ENFILE, -ENODEV, -EOPNOTSUPP,
                             -EACCES, -EPERM,  -EBUSY,  -EMLINK, -ESTALE, -EIO};

static bool makings_fail; /* each second one: RAM alone, or the file after it as well */

static int fail_making(const struct effect_make *make)
{
    (void)make;
    return makings_fail && random_below(2) ? errors[random_below(sizeof errors / sizeof *errors)] : 0;
}

static void open_session(struct model *model, int peer)
{
    static const char *const names[] = {"a1", "b1", "c1", "other"};
    static const char *const groups[] = {"/\n", "/jobs.slice/jobs-1.slice/step\n", "/\n/jobs.slice/jobs-2.slice\n"};
    switch (random_below(4)) {
    case 0:
        (void)model_open_in(model, peer, names[random_below(4)], groups[random_below(3)]);
        break;
    case 1:
        (void)model_open_as(model, peer, names[random_below(4)], 1000 + (uint32_t)random_below(3));
        break;
    default:
        (void)model_open(model, peer, random_below(32 << 20));
        break;
    }
}

static void note_grant(int peer, const struct reply *reply)
{
    if (reply && reply->kind == REPLY_GRANT && reply->descriptors == 2) {
        newest_lease[peer] = reply->grant.lease;
    }
}

static void happen(struct model *model)
{
    int peer = (int)random_below(PEERS);
    struct request request;
    if (!model->peers[peer].session) {
        if (!model->peers[peer].is_over) {
            open_session(model, peer);
        }
        model_finish(model);
        return;
    }
    switch (random_below(10)) {
    case 0:
        model_pass(model, random_below(8000));
        break;
    case 1:
        model->hold_makes = random_below(2);
        model->hold_frees = random_below(2);
        model->gives_huge_pages = random_below(2);
        makings_fail = random_below(3) == 0;
        model->hold_seals = random_below(2);
        model->seal_error = random_below(4) ? 0 : random_below(2) ? -EBUSY : -EPERM;
        break;
    case 2:
        model_finish(model);
        break;
    case 3:
        happen_to_session(model, peer);
        break;
    case 4:
        if (random_below(8) == 0) {
            model_restart(model);
        } else {
            happen_to_all(model);
        }
        break;
    default:
        request = random_request(peer);
        note_grant(peer, model_request(model, peer, &request));
        break;
    }
}

static void check_limits(const struct model *model, const struct status_reply *before)
{
    struct status_reply after = model_status(model);
    const struct byte_limits *limits = &after.limits;
    cr_assert(after.used_physical_bytes <= limits->max_physical_bytes ||
              after.used_physical_bytes <= before->used_physical_bytes);
    cr_assert(after.used_mapped_bytes <= limits->max_mapped_bytes ||
              after.used_mapped_bytes <= before->used_mapped_bytes);
    cr_assert(after.used_bytes <= limits->max_bytes || after.used_bytes <= before->used_bytes);
    cr_assert(after.used_bytes == after.used_physical_bytes + after.used_mapped_bytes);
}

/* Requests that were promised evicted bytes; they stand before all others. */
static size_t count_promised(const struct model *model)
{
    const struct waiting *waiting;
    size_t count = 0;
    TAILQ_FOREACH(waiting, &model->broker->promised, in_promised) {
        count += model->now < waiting->promised_until;
    }
    return count;
}

/* Looking changes nothing. */
static void look(struct model *model)
{
    static struct queue_entry queue[MESSAGE_QUEUE_MAX];
    static struct why_entry why[MESSAGE_WHY_MAX];
    static struct session_entry sessions[4];
    static struct lease_entry leases[4];
    static struct block_entry blocks[4];
    bool more;
    struct status_reply status = model_status(model);
    struct identity anybody = {.pid = 1, .uid = 1000 + (uint32_t)random_below(3)};
    (void)broker_list_sessions(model->broker, &anybody, random_below(8), model->now, sessions, 4, &more);
    (void)broker_list_leases(model->broker, &anybody, random_below(4), random_below(40), model->now, leases, 4, &more);
    (void)broker_list_blocks(model->broker, &anybody, random_below(8), model->now, blocks, 4, &more);
    (void)broker_list_queue(model->broker, &anybody, random_below(3), model->now, queue, 2, &more);
    (void)broker_explain(model->broker, &anybody, random_below(8), model->now, why, 2);
    size_t promised = count_promised(model);
    size_t count = broker_list_queue(model->broker, &model_root, 0, model->now, queue, MESSAGE_QUEUE_MAX, &more);
    cr_assert(more || count == status.waiting);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(queue[i].place, i + 1);
        cr_assert(i <= promised || queue[i].priority <= queue[i - 1].priority);
    }
    check_why(model);
    cr_assert(broker_explain(model->broker, &model_root, 0, model->now, why, MESSAGE_WHY_MAX) >=
              size_min(count, MESSAGE_WHY_MAX));
}

/* Ends everything: whatever happened, nothing must be left. */
static void drain(struct model *model)
{
    struct input shutdown = {.kind = INPUT_SHUTDOWN};
    model->hold_makes = model->hold_frees = model->hold_looks = false;
    model_finish(model);
    look(model);
    model_feed(model, &shutdown);
    model_pass(model, 1);
    model_finish(model);
    model_pass(model, 1);
    cr_assert(broker_is_empty(model->broker));
    cr_assert(model->segment_count == 0);
    cr_assert(model_status(model).used_bytes == 0);
}

/* Now and then there is no memory for the core itself. */
static void starve(bool begins)
{
    exhaustion_arm(begins && random_below(8) == 0 ? 1 + (long)random_below(3) : 0);
}

static uint64_t run(uint64_t seed, void (*around_step)(bool begins))
{
    model_huge_page_bytes = seed % 2 ? 0 : 2 << 20;
    struct model *model = model_new(MAX_BYTES, MAX_PHYSICAL, MAX_MAPPED);
    model->around_step = around_step;
    model->fail_making = fail_making;
    makings_fail = false;
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < STEPS; i++) {
        struct status_reply before = model_status(model); /* a restart may only take away from it */
        happen(model);
        check_limits(model, &before);
        if (random_below(16) == 0) {
            look(model);
        }
    }
    drain(model);
    cr_assert(model->largest_step <= EFFECTS_MAX);
    uint64_t trace = model->trace;
    model_free(model);
    return trace;
}

static uint64_t running;

static void name_seed(void)
{
    if (running) {
        (void)fprintf(stderr, "the last seed was %llu (MEMBROKER_SEED runs it alone)\n", (unsigned long long)running);
    }
}

Test(sequences, random_operations_keep_every_invariant, .timeout = 3600, .fini = name_seed)
{
    uint64_t only = from_environment("MEMBROKER_SEED", 0);
    uint64_t count = from_environment("MEMBROKER_SEQUENCES", 300);
    for (running = only ? only : 1; running <= (only ? only : count); running++) {
        (void)run(running, NULL);
    }
    running = 0;
}

Test(sequences, allocations_that_fail_keep_every_invariant, .timeout = 3600, .fini = name_seed)
{
    uint64_t only = from_environment("MEMBROKER_SEED", 0);
    uint64_t count = from_environment("MEMBROKER_SEQUENCES", 300);
    for (running = only ? only : 1; running <= (only ? only : count); running++) {
        (void)run(running, starve);
    }
    running = 0;
}

Test(sequences, blocks_keep_every_invariant, .timeout = 3600, .fini = name_seed)
{
    uint64_t only = from_environment("MEMBROKER_SEED", 0);
    uint64_t count = from_environment("MEMBROKER_SEQUENCES", 300);
    is_about_blocks = true;
    for (running = only ? only : 1; running <= (only ? only : count); running++) {
        (void)run(running, running % 4 ? NULL : starve);
    }
    running = 0;
}

Test(sequences, the_same_inputs_give_the_same_decisions)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t trace = run(seed, NULL);
        cr_expect_eq(run(seed, NULL), trace);
    }
}

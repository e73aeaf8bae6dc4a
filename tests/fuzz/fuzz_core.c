/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that the core takes, in any order: the input is a list of choices (fuzz_input.h) of what happens, to whom,
 * and with which numbers. After each step the model of the shell checks every invariant, and fuzz_limits.c every limit.
 */
#include <errno.h>
#include <stdio.h>

#include "daemon/core/restore.h"
#include "proto/base/size.h"
#include "proto/base/text.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_limits.h"
#include "tests/fuzz/fuzz_reservations.h"
#include "tests/unit/core/exhaustion.h"
#include "tests/unit/core/shell_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 8, STEPS_MAX = 300, USES_MAX = 40, NAMES = 5 };

static const char *const names[NAMES] = {"a1", "b1", "c1", "other", ""};

/* The control groups of whom a session is opened for; the first are unknown. */
enum { GROUPS = 4 };
static const char *const groups[GROUPS] = {NULL, "/\n", "/jobs.slice/jobs-1.slice/step\n",
                                           "/\n/jobs.slice/jobs-2.slice\n"};

static struct model *model;
static struct fuzz_input *bytes;

static uint64_t take(size_t count)
{
    return fuzz_take(bytes, count);
}

static bool choose(void)
{
    return fuzz_choice(bytes);
}

static uint32_t below(uint32_t bound)
{
    return fuzz_below(bytes, bound);
}

static bool rarely(void)
{
    return below(16) == 0;
}

static bool parties_change; /* in this step the members of classes change */
static long starve_at;      /* which allocation of the next step fails; 0: none does */

static void around_step(bool begins)
{
    if (begins) {
        limits_before_step(model);
        exhaustion_arm(starve_at);
        starve_at = 0;
        return;
    }
    exhaustion_arm(0);
    limits_after_step(model, !parties_change);
    parties_change = false;
}

/* ---- what clients do ---- */

static struct identity take_identity(void)
{
    struct identity identity = {.pid = 1 + (int32_t)below(4), .uid = fuzz_users[below(FUZZ_USERS)], .gid = below(8)};
    identity.group_count = below(3);
    identity.groups[0] = below(8);
    identity.groups[1] = below(8);
    identity.has_more_groups = rarely();
    return identity;
}

static void *peer_cookie(int peer)
{
    return (void *)(uintptr_t)(peer + 1);
}

/* Mostly a session that there is. */
static uint64_t take_session(int *ret_peer)
{
    *ret_peer = (int)below(PEERS);
    return rarely() ? take(1) : model->peers[*ret_peer].session;
}

static uint64_t take_lease(void)
{
    return rarely() ? take(8) : 1 + below(48);
}

static uint64_t take_repeated(void)
{
    return rarely() ? model->next_request - take(1) % 8 : 0;
}

static void fill_acquire(struct acquire_request *acquire)
{
    uint64_t wishes = take(2);
    *acquire = (struct acquire_request){
        .bytes = fuzz_size(bytes),
        .location = (enum location)below(4),
        .ttl_ms = wishes & 1 ? (uint32_t)take(4) : 0,
        .has_huge_pages = wishes & 2,
        .huge_pages = (enum huge_pages)(wishes & 2 ? below(3) : 0),
        .numa_node = wishes & 4 ? (int32_t)below(3) : -1,
        .interleave = wishes & 8,
        .prefault = wishes & 16,
        .wait_ms = wishes & 32 ? (uint32_t)take(2) : 0,
        .learned = wishes & 64,
        .use_learned = wishes & 128,
        .repeats = take_repeated(),
        .publishable = wishes & 1024,
    };
    text_copy(acquire->name, sizeof acquire->name, names[below(NAMES)]);
    if (wishes & 256) {
        (void)snprintf(acquire->file, sizeof acquire->file, "file%u", below(3));
        acquire->location = wishes & 512 ? LOCATION_MMAP : acquire->location;
    }
}

static void fill_renew(struct renew_request *renew)
{
    static struct lease_use use[USES_MAX];
    renew->use = use;
    renew->use_count = below(USES_MAX + 1);
    for (size_t i = 0; i < renew->use_count; i++) {
        use[i] = (struct lease_use){take_lease(), fuzz_size(bytes)};
    }
}

static void fill_request(struct request *request)
{
    switch ((int)request->kind) {
    case REQUEST_ACQUIRE:
        fill_acquire(&request->acquire);
        break;
    case REQUEST_EXTEND:
        request->extend = (struct extend_request){.lease = take_lease(),
                                                  .bytes = fuzz_size(bytes),
                                                  .prefault = choose(),
                                                  .wait_ms = choose() ? (uint32_t)take(2) : 0,
                                                  .repeats = take_repeated()};
        break;
    case REQUEST_RENEW:
        fill_renew(&request->renew);
        break;
    case REQUEST_CANCEL:
        request->cancel_request = model->next_request - take(1) % 16;
        break;
    case REQUEST_TRIMMED:
        request->trimmed_bytes = fuzz_size(bytes);
        break;
    case REQUEST_PUBLISH:
    case REQUEST_ATTACH_BLOCK:
    case REQUEST_UNPUBLISH:
    case REQUEST_PUT:
    case REQUEST_REMOVE:
    case REQUEST_WATCH_BLOCKS:
        fuzz_fill_block(request, take_lease(), bytes);
        break;
    case REQUEST_RESERVE:
    case REQUEST_ATTACH:
    case REQUEST_UNRESERVE:
    case REQUEST_SUSPEND:
        fuzz_fill_reservation(request, bytes);
        break;
    default:
        request->release_lease = take_lease();
        break;
    }
}

static void ask(enum request_kind kind)
{
    struct request request = {.kind = kind};
    int peer;
    struct input input = {.kind = INPUT_REQUEST, .session = take_session(&peer), .peer = peer_cookie(peer)};
    fill_request(&request);
    request.id = rarely() ? 0 : ++model->next_request;
    input.request.request = &request;
    input.request.identity = take_identity();
    if (fuzz_is_about_reservations(request.kind)) {
        parties_change = true; /* the members of reservations leave their classes */
        input.request.identity.uid = choose() ? 0 : input.request.identity.uid;
    }
    input.request.file_bytes = choose() ? fuzz_size(bytes) : 0;
    model_feed(model, &input);
}

static void open_session(void)
{
    int peer = (int)below(PEERS);
    struct input input = {.kind = INPUT_OPEN_SESSION, .peer = peer_cookie(peer)};
    input.open.request_id = take(1);
    input.open.identity = take_identity();
    input.open.token.bytes[0] = (uint8_t)peer;
    input.open.hello = (struct hello_request){.heap_bytes = choose() ? fuzz_size(bytes) : LIMIT_DEFAULT,
                                              .max_bytes = choose() ? fuzz_size(bytes) : LIMIT_DEFAULT,
                                              .max_physical_bytes = choose() ? fuzz_size(bytes) : LIMIT_DEFAULT};
    text_copy(input.open.hello.name, sizeof input.open.hello.name, names[below(NAMES)]);
    input.open.control_groups = groups[below(GROUPS)];
    if (!model->peers[peer].session && !model->peers[peer].is_over) {
        model_feed(model, &input);
    }
}

static void happen_to_session(enum input_kind kind)
{
    int peer;
    struct input input = {.kind = kind, .session = take_session(&peer), .peer = peer_cookie(peer)};
    model_feed(model, &input);
}

/* As the shell's watch does it. */
static void tamper(void)
{
    struct segment_view segment;
    struct input input = {.kind = INPUT_SEGMENT_TAMPERED};
    if (broker_next_segment(model->broker, take(1), &segment) && segment.state == SEGMENT_LIVE) {
        input.segment.segment = segment.id;
        model_feed(model, &input);
    }
}

/* ---- what happens to all ---- */

static uint64_t take_limit(void)
{
    return choose() ? LIMIT_OFF : fuzz_size(bytes);
}

static void take_quota(struct quota *quota)
{
    *quota = quota_none();
    if (choose()) {
        return;
    }
    quota->limits = (struct byte_limits){take_limit(), take_limit(), take_limit()};
    quota->max_leases = choose() ? LIMIT_OFF : below(8);
    quota->max_sessions = choose() ? LIMIT_OFF : 1 + below(4);
    quota->reserve_bytes = choose() ? 0 : take(1) << 18;
    quota->has_priority = choose();
    quota->priority = quota->has_priority ? below(4) : 0;
    quota->has_weight = choose();
    quota->weight = quota->has_weight ? 1 + (uint32_t)take(2) : 1;
    quota->charge = (enum charged_to)below(3);
    quota->has_huge_pages = choose();
    quota->huge_pages = (enum huge_pages)below(3);
}

static void take_list(struct access_list *list)
{
    list->count = below(4) ? 0 : 1;
    list->ids[0] = fuzz_users[below(FUZZ_USERS)];
}

static void take_policy(void)
{
    for (size_t i = 0; i < fuzz_policy.rule_count; i++) {
        take_quota(&fuzz_policy.rules[i].quota);
    }
    fuzz_policy.access = (struct access){.see_all = choose()};
    take_list(&fuzz_policy.access.allow_users);
    take_list(&fuzz_policy.access.deny_users);
    take_list(&fuzz_policy.access.admin_users);
}

static void take_settings(struct broker_settings *settings)
{
    uint64_t flags = take(2);
    settings->limits = (struct byte_limits){take_limit(), take_limit(), take_limit()};
    settings->times = (struct lease_times){1000, 60000, flags & 1 ? 30000 : 1000, flags & 2 ? 10000 : 0};
    settings->queue = (struct queue_settings){.waiting_max = flags & 4 ? 1024 : below(4),
                                              .wait_max_ms = flags & 8 ? 3600000 : (uint32_t)take(2),
                                              .ageing_ms = flags & 16 ? 60000 : (uint32_t)take(2),
                                              .trim_ms = flags & 32 ? 100 : 0,
                                              .revoke_for_priority = flags & 64,
                                              .revoke_grace_ms = flags & 128 ? 1000 : 0};
    settings->pool = (struct pool_settings){.bytes = flags & 256 ? fuzz_size(bytes) : 0, .sizes.count = below(4)};
    for (size_t i = 0; i < settings->pool.sizes.count; i++) {
        settings->pool.sizes.bytes[i] = fuzz_size(bytes);
    }
    settings->requests_max = flags & 512 ? 4 : 0;
    settings->user_requests_max = flags & 2048 ? 5 : 0;
    settings->user_sessions_max = flags & 4096 ? 3 : 0;
    settings->reservations.hold_ms = flags & 8192 ? (uint32_t)take(2) : 0;
    settings->pause_at = (enum pressure)below(3);
    settings->policy = flags & 1024 ? &fuzz_policy : NULL;
    if (settings->policy) {
        take_policy();
    }
}

/* Short of memory the core keeps sessions where they were, under limits of before: test-sequences.c does that. */
static void configure(void)
{
    starve_at = 0;
    take_settings(&model->options.settings);
    parties_change = true;
    model_configure(model);
}

static void empty_reservations(void)
{
    parties_change = true;
    fuzz_empty_reservations(model, bytes);
}

static void see_host(void)
{
    struct input input = {.kind = INPUT_HOST_MEMORY};
    input.host = (struct input_host){fuzz_size(bytes), fuzz_size(bytes)};
    model_feed(model, &input);
}

static void feel_pressure(void)
{
    struct input input = {.kind = INPUT_PRESSURE, .pressure = (enum pressure)below(3)};
    model_feed(model, &input);
}

/* Checks everything that is due; or only a part of it, without reading clients. */
static void pass_time(void)
{
    struct input tick = {.kind = INPUT_TICK};
    if (choose()) {
        model_pass(model, take(2));
    } else {
        model->now += take(4) * NANOSECONDS_PER_MILLISECOND / 16;
        model_feed(model, &tick);
    }
}

static void change_the_shell(void)
{
    static const int errors[] = {0,       0,           -ENOMEM, -ENOSPC, -EDQUOT, -EMFILE, -ENFILE, -ENODEV,
                                 -EACCES, -EOPNOTSUPP, -EPERM,  -EBUSY,  -EMLINK, -ESTALE, -EIO};
    uint64_t flags = take(1);
    model->hold_makes = flags & 1;
    model->hold_frees = flags & 2;
    model->fails_files = flags & 4;
    model->gives_huge_pages = flags & 8;
    model->hold_looks = flags & 32;
    model->peers[below(PEERS)].is_frozen = flags & 64;
    model->fail_error = errors[below(sizeof errors / sizeof *errors)];
    starve_at = flags & 16 ? 1 + (long)below(4) : 0;
}

static void restart(void)
{
    parties_change = true;
    model_restart(model);
}

/* ---- looking ---- */

static void look_at_lists(const struct identity *viewer)
{
    static struct session_entry sessions[4];
    static struct lease_entry leases[4];
    static struct queue_entry queue[MESSAGE_QUEUE_MAX];
    static struct why_entry why[MESSAGE_WHY_MAX];
    static struct reservation_entry listed[2];
    bool more;
    struct broker *broker = model->broker;
    cr_assert(broker_list_sessions(broker, viewer, take(1), model->now, sessions, 1 + below(4), &more) <= 4);
    cr_assert(broker_list_leases(broker, viewer, take(1), take(1), model->now, leases, 1 + below(4), &more) <= 4);
    (void)broker_list_queue(broker, viewer, take(1), model->now, queue, 2, &more);
    cr_assert(broker_list_reservations(broker, viewer, take(1), model->now, listed, 2, &more) <= 2);
    (void)broker_explain(broker, viewer, take(1), model->now, why, 1 + below(MESSAGE_WHY_MAX));
    size_t count = broker_list_queue(broker, &model_root, 0, model->now, queue, MESSAGE_QUEUE_MAX, &more);
    cr_assert(more || count == model_status(model).waiting);
    for (size_t i = 0; i < count; i++) {
        cr_assert(queue[i].place == i + 1 && (i == 0 || queue[i].priority <= queue[i - 1].priority));
    }
}

static void look_at_session(void)
{
    struct segment_view segments[LEASE_EXTENTS_MAX];
    struct kept_session kept;
    struct welcome_reply welcome = {0};
    int peer;
    uint64_t session = take_session(&peer);
    cr_assert(broker_look_at_next_lease(model->broker, session, segments) <= LEASE_EXTENTS_MAX);
    if (broker_keep_session(model->broker, session, &kept)) {
        broker_fill_welcome(model->broker, session, &welcome);
        (void)broker_find_resumable(model->broker, session, &kept.token, kept.identity.uid);
        kept.token.bytes[MESSAGE_TOKEN_SIZE - 1] ^= 1;
        cr_assert(!broker_find_resumable(model->broker, session, &kept.token, kept.identity.uid));
    }
}

static void look(void)
{
    struct identity viewer = take_identity();
    uint64_t physical, mapped;
    void *peers[PEERS];
    look_at_lists(&viewer);
    look_at_session();
    struct status_reply status = model_status(model);
    broker_ledger_totals(model->broker, &physical, &mapped);
    cr_assert(physical == status.used_physical_bytes && mapped == status.used_mapped_bytes);
    cr_assert(broker_peers_to_read(model->broker, model->now, peers, PEERS) <= PEERS);
    cr_assert(broker_is_short(model->broker) || status.waiting == 0);
    (void)broker_next_wakeup(model->broker);
}

/* ---- all of it ---- */

static void happen(void)
{
    static const enum request_kind kinds[] = {REQUEST_EXTEND, REQUEST_RELEASE, REQUEST_RELEASE, REQUEST_RENEW,
                                              REQUEST_REVOKE, REQUEST_CANCEL,  REQUEST_TRIMMED};
    static const enum input_kind to_session[] = {INPUT_DISCONNECTED, INPUT_RESUMED, INPUT_READ, INPUT_DIED};
    static const enum request_kind about_reservations[] = {REQUEST_RESERVE, REQUEST_RESERVE, REQUEST_ATTACH,
                                                           REQUEST_UNRESERVE, REQUEST_SUSPEND};
    static void (*const others[])(void) = {configure, see_host, feel_pressure, restart, tamper, look};
    static const enum request_kind about_blocks[] = {
        REQUEST_PUBLISH, REQUEST_PUBLISH, REQUEST_ATTACH_BLOCK, REQUEST_ATTACH_BLOCK, REQUEST_UNPUBLISH,
        REQUEST_PUT,     REQUEST_PUT,     REQUEST_REMOVE,       REQUEST_WATCH_BLOCKS, REQUEST_WATCH_BLOCKS};
    uint32_t what = below(46);
    if (what < 4) {
        open_session();
    } else if (what < 11) {
        ask(REQUEST_ACQUIRE);
    } else if (what < 18) {
        ask(kinds[what - 11]);
    } else if (what == 18) {
        ask((enum request_kind)below(REQUEST_KINDS));
    } else if (what < 21) {
        pass_time();
    } else if (what == 21) {
        change_the_shell();
    } else if (what < 26) {
        happen_to_session(to_session[what - 22]);
    } else if (what < 32) {
        others[what - 26]();
    } else if (what < 37) {
        ask(about_reservations[what - 32]);
    } else if (what < 45) {
        ask(about_blocks[what - 37]);
    } else {
        empty_reservations();
    }
}

/* Ends everything: whatever happened, nothing must be left. */
static void drain(void)
{
    struct input shutdown = {.kind = INPUT_SHUTDOWN};
    starve_at = 0;
    model->hold_makes = model->hold_frees = false;
    model_finish(model);
    model_feed(model, &shutdown);
    model_pass(model, 1);
    model_finish(model);
    model_pass(model, 1);
    cr_assert(broker_is_empty(model->broker));
    cr_assert(model->segment_count == 0 && model_status(model).used_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    bytes = &input;
    model_huge_page_bytes = choose() ? 2 << 20 : 0;
    model = model_new(64 << 20, 32 << 20, 32 << 20);
    model->around_step = around_step;
    for (size_t steps = 0; input.left > 0 && steps < STEPS_MAX; steps++) {
        happen();
        model_forget(model); /* answers are not used: a full list of them is slow */
    }
    drain();
    cr_assert(model->largest_step <= EFFECTS_MAX);
    model_free(model);
    return 0;
}

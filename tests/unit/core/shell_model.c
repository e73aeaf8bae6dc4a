/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying out effects on lists. */
#include "tests/unit/core/shell_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/restore.h"
#include "proto/base/size.h"
#include "proto/base/text.h"
#include "tests/unit/core/exhaustion.h"

void *model_handle(const struct model_segment *segment)
{
    return (void *)(uintptr_t)segment->id;
}

void *model_cookie(int peer)
{
    return (void *)(uintptr_t)(peer + 1);
}

static int peer_of(const void *cookie)
{
    return (int)(uintptr_t)cookie - 1;
}

static struct policy_member members[] = {{.kind = MEMBER_CLIENT, .name = "a*"},
                                         {.kind = MEMBER_CLIENT, .name = "b*"},
                                         {.kind = MEMBER_CLIENT, .name = "c*"},
                                         {.kind = MEMBER_SLICE, .name = "jobs-*.slice"}};

#define NO_LIMITS .limits = {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF}, .max_leases = LIMIT_OFF, .max_sessions = LIMIT_OFF

static struct policy_rule rules[] = {
    {.kind = PRINCIPAL_CLASS,
     .name = "a",
     .quota = {NO_LIMITS, .weight = 1},
     .members = &members[0],
     .member_count = 1},
    {.kind = PRINCIPAL_CLASS,
     .name = "b",
     .quota = {NO_LIMITS, .weight = 2},
     .members = &members[1],
     .member_count = 1},
    {.kind = PRINCIPAL_CLASS,
     .name = "c",
     .quota = {NO_LIMITS, .weight = 3, .reserve_bytes = 4 << 20, .has_priority = true, .priority = 2},
     .members = &members[2],
     .member_count = 2},
};

const struct policy model_policy = {.rules = rules, .rule_count = sizeof rules / sizeof *rules};
const struct identity model_root = {.pid = 1};

uint64_t model_huge_page_bytes;

struct model *model_new(uint64_t max_bytes, uint64_t max_physical, uint64_t max_mapped)
{
    long live_before = exhaustion_live();
    struct model *model = calloc(1, sizeof *model);
    cr_assert(model);
    model->live_before = live_before;
    struct broker_options options = {
        .settings = {.limits = {max_bytes ? max_bytes : LIMIT_OFF, max_physical ? max_physical : LIMIT_OFF,
                                max_mapped ? max_mapped : LIMIT_OFF},
                     .times = {1000, 60000, 30000, 10000},
                     .queue = {.waiting_max = 1024,
                               .waiting_per_user_max = 256,
                               .waiting_per_session_max = 64,
                               .wait_max_ms = 3600000,
                               .ageing_ms = 60000,
                               .trim_ms = 0,
                               .revoke_grace_ms = 1000},
                     .sharing = {.blocks_max = 64,
                                 .views_max = 64,
                                 .watches_max = 8,
                                 .watches_per_user_max = 1000,
                                 .grace_ms = 5000,
                                 .objects_max = 1000,
                                 .board_bytes_max = 64 << 20},
                     .reservations = {.bytes_max = LIMIT_OFF, .count_max = 8}},
        .page_bytes = MODEL_PAGE,
        .huge_page_bytes = model_huge_page_bytes,
        .daemon_uid = 7,
    };
    model->options = options;
    model->broker = broker_new(&options);
    model->now = NANOSECONDS_PER_SECOND;
    cr_assert(model->broker);
    return model;
}

void model_free(struct model *model)
{
    long live_before = model->live_before;
    broker_free(model->broker);
    board_model_clear(&model->boards);
    free(model);
    cr_assert_eq(exhaustion_live(), live_before, "%ld blocks were not freed", exhaustion_live() - live_before);
}

static struct model_segment *find_segment(struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->segment_count; i++) {
        if (model->segments[i].id == id) {
            return &model->segments[i];
        }
    }
    return NULL;
}

void model_forget_segment(struct model *model, struct model_segment *segment)
{
    *segment = model->segments[--model->segment_count];
}

static int error_for(const struct model *model, const struct effect_make *make)
{
    bool fails = make->location == LOCATION_RAM || make->file || model->fails_files;
    return model->fail_making ? model->fail_making(make) : fails ? model->fail_error : 0;
}

static void make(struct model *model, const struct effect_make *make)
{
    struct model_segment *known = find_segment(model, make->segment);
    cr_assert(!known, "segment %llu is made twice", (unsigned long long)make->segment);
    cr_assert(model->segment_count < MODEL_SEGMENTS);
    cr_assert(make->bytes && make->bytes % MODEL_PAGE == 0);
    cr_assert(make->least_bytes && make->least_bytes <= make->bytes && make->least_bytes % MODEL_PAGE == 0);
    model->segments[model->segment_count++] = (struct model_segment){
        .id = make->segment,
        .location = make->location,
        .bytes = make->bytes,
        .least_bytes = make->least_bytes,
        .making = true,
        .has_huge_pages = model->gives_huge_pages && make->options.huge_pages != HUGE_PAGES_NEVER,
        .error = error_for(model, make),
        .is_publishable = make->is_publishable,
    };
}

static void begin_seal(struct model *model, const struct effect_seal *seal)
{
    struct model_segment *segment = find_segment(model, seal->segment);
    cr_assert(segment && segment->made && !segment->freeing && !segment->sealing,
              "a segment is sealed that is not lent");
    cr_assert(segment->is_publishable && segment->bytes == seal->bytes);
    segment->sealing = true;
}

static void begin_free(struct model *model, const struct effect_free *to_free)
{
    struct model_segment *segment = find_segment(model, to_free->segment);
    cr_assert(segment && segment->made && !segment->freeing, "a segment is freed that is not lent");
    cr_assert_not(segment->sealing, "a segment is freed while a worker seals it");
    cr_assert(segment->bytes == to_free->bytes && segment->location == to_free->location);
    segment->freeing = true;
}

/* The broker's own copy lasts no longer than the step. */
static void keep_changes(struct model *model, struct block_changes_reply *reply)
{
    struct block_change_entry *kept = model->changes[model->change_next++ % MODEL_CHANGES];
    memcpy(kept, reply->changes, reply->change_count * sizeof *kept);
    reply->changes = kept;
}

static void keep_reply(struct model *model, const struct effect_reply *reply)
{
    int peer = peer_of(reply->peer);
    cr_assert(peer >= 0 && peer < MODEL_PEERS);
    cr_assert(reply->reply.is_answer || !reply->reply.reply_to, "an event answers nothing");
    cr_assert_eq(reply->reply.descriptors, !reply->segment_handle ? 0 : reply->lending == LENDS_BOTH ? 2 : 1);
    if (reply->segment_handle) {
        struct model_segment *segment = find_segment(model, (uintptr_t)reply->segment_handle);
        cr_assert(segment && segment->made && !segment->freeing, "a descriptor of no living segment is sent");
        cr_assert_eq(segment->is_publishable, reply->lending != LENDS_WRITABLE);
        cr_assert_eq(segment->sealed, reply->lending == LENDS_READABLE, "who reads may see a byte change");
        cr_assert(model->peers[peer].session, "a grant goes to a session that is over");
    }
    if (model->reply_count == MODEL_REPLIES) {
        model->reply_count--;
        memmove(model->replies, model->replies + 1, model->reply_count * sizeof *model->replies);
        memmove(model->reply_peers, model->reply_peers + 1, model->reply_count * sizeof *model->reply_peers);
    }
    model->reply_peers[model->reply_count] = reply->peer;
    model->replies[model->reply_count] = reply->reply;
    if (reply->reply.kind == REPLY_BLOCK_CHANGES) {
        keep_changes(model, &model->replies[model->reply_count].block_changes);
    }
    model->reply_count++;
}

static void mix(struct model *model, uint64_t value)
{
    model->trace = (model->trace ^ value) * UINT64_C(1099511628211);
}

static void carry_out(struct model *model, const struct effect *effect)
{
    mix(model, (uint64_t)effect->kind);
    switch (effect->kind) {
    case EFFECT_MAKE_SEGMENT:
        mix(model, effect->make.segment);
        make(model, &effect->make);
        break;
    case EFFECT_SEAL_SEGMENT:
        mix(model, effect->seal.segment);
        begin_seal(model, &effect->seal);
        break;
    case EFFECT_BLOCK:
        mix(model, effect->block.block);
        model->block = effect->block;
        model->blocks_ended += effect->block.change == BLOCK_CHANGE_ENDED;
        break;
    case EFFECT_BOARD_GROW:
        mix(model, effect->board_grow.board);
        board_model_grow(&model->boards, &effect->board_grow);
        break;
    case EFFECT_BOARD_WRITE:
        mix(model, effect->board_write.record);
        board_model_write(&model->boards, &effect->board_write);
        break;
    case EFFECT_BOARD_END:
        board_model_end(&model->boards, &effect->board_end);
        break;
    case EFFECT_FREE_SEGMENT:
        mix(model, effect->free.segment);
        begin_free(model, &effect->free);
        break;
    case EFFECT_REPLY:
        mix(model, (uint64_t)effect->reply.reply.kind + 100 * effect->reply.reply.reply_to);
        keep_reply(model, &effect->reply);
        break;
    case EFFECT_SLOT:
        mix(model, effect->slot.generation);
        model->slot_generation = effect->slot.generation;
        model->slot_reason = effect->slot.reason;
        cr_assert((effect->slot.generation % 2 == 1) == (effect->slot.reason == END_NONE));
        break;
    case EFFECT_SESSION_OPENED:
    case EFFECT_SESSION_RESUMED:
        model->peers[peer_of(effect->session.peer)].session = effect->session.session;
        break;
    case EFFECT_SESSION_OVER:
        model->peers[peer_of(effect->session.peer)] = (struct model_peer){.is_over = true};
        break;
    case EFFECT_SESSION_GONE:
        model->peers[peer_of(effect->session.peer)] = (struct model_peer){0};
        break;
    case EFFECT_LEASE_ENDED:
        mix(model, effect->ended.lease);
        model->ended = effect->ended;
        break;
    case EFFECT_LOOK:
        model->looks++;
        model->peers[peer_of(effect->session.peer)].look = effect->session.session;
        break;
    case EFFECT_BROADCAST:
    case EFFECT_RESERVATIONS:
        break;
    }
}

static void step(struct model *model, const struct input *input)
{
    /* what is not written is seen */
    memset(model->effects.effects, 0xa5, model->effects.count * sizeof *model->effects.effects);
    if (model->around_step) {
        model->around_step(true);
    }
    broker_step(model->broker, input, model->now, &model->effects);
    if (model->around_step) {
        model->around_step(false);
    }
    if (model->effects.count > model->largest_step) {
        model->largest_step = model->effects.count;
    }
    for (size_t i = 0; i < model->effects.count; i++) {
        carry_out(model, &model->effects.effects[i]);
    }
    const char *wrong = model->check_every && ++model->steps % model->check_every ? NULL : broker_check(model->broker);
    cr_assert(!wrong, "%s", wrong);
    cr_assert(!broker_is_empty(model->broker) || !model->segment_count, "it says that it is empty, and is not");
    struct status_reply status = model_status(model);
    cr_assert(model_existing(model, LOCATION_RAM) <= status.used_physical_bytes, "more RAM exists than is charged");
    cr_assert(model_existing(model, LOCATION_MMAP) <= status.used_mapped_bytes, "more files exist than are charged");
}

static void report_made(struct model *model, struct model_segment *segment)
{
    struct input input = {.kind = segment->error ? INPUT_SEGMENT_FAILED : INPUT_SEGMENT_MADE};
    input.segment.segment = segment->id;
    input.segment.handle = model_handle(segment);
    input.segment.has_huge_pages = segment->has_huge_pages;
    input.segment.error = segment->error;
    input.segment.directory = segment->error ? model->directory : NULL;
    if (segment->error) {
        model_forget_segment(model, segment);
    } else {
        segment->making = false;
        segment->made = true;
        input.segment.is_least = segment->least_bytes < segment->bytes && !segment->has_huge_pages;
        segment->bytes = input.segment.is_least ? segment->least_bytes : segment->bytes;
    }
    step(model, &input);
}

static void report_freed(struct model *model, struct model_segment *segment)
{
    struct input input = {.kind = INPUT_SEGMENT_FREED};
    input.segment.segment = segment->id;
    model_forget_segment(model, segment);
    step(model, &input);
}

static void report_sealed(struct model *model, struct model_segment *segment)
{
    struct input input = {.kind = INPUT_SEGMENT_SEALED};
    input.segment = (struct input_segment){.segment = segment->id, .error = model->seal_error};
    segment->sealing = false;
    segment->sealed = segment->sealed || !model->seal_error;
    step(model, &input);
}

static bool answer_look(struct model *model)
{
    for (int peer = 0; peer < MODEL_PEERS; peer++) {
        struct input input = {.kind = INPUT_LOOKED, .session = model->peers[peer].look};
        if (input.session) {
            model->peers[peer].look = 0;
            input.is_frozen = model->peers[peer].is_frozen;
            step(model, &input);
            return true;
        }
    }
    return false;
}

static bool free_board_part(struct model *model)
{
    struct input input = {.kind = INPUT_BOARD_FREED};
    bool is_one = board_model_free_one(&model->boards, &input.board);
    if (is_one) {
        step(model, &input);
    }
    return is_one;
}

/* One result, if one is to be reported. */
static bool settle_one(struct model *model, bool makes, bool frees, bool seals)
{
    for (size_t i = 0; i < model->segment_count; i++) {
        struct model_segment *segment = &model->segments[i];
        if (makes && segment->making) {
            report_made(model, segment);
            return true;
        }
        if (frees && segment->freeing) {
            report_freed(model, segment);
            return true;
        }
        if (seals && segment->sealing) {
            report_sealed(model, segment);
            return true;
        }
    }
    return frees && free_board_part(model);
}

void model_finish(struct model *model)
{
    while (settle_one(model, true, true, true) || answer_look(model)) {
    }
}

/* What a board had no room for is asked for once more. */
static void feed_grown(struct model *model, const struct input *input)
{
    struct input grown = {.kind = INPUT_BOARD_GROWN, .board = model->boards.grown};
    model->boards.has_grown = false;
    step(model, &grown);
    if (!grown.board.error) {
        step(model, input);
        cr_assert(!model->boards.has_grown, "a board that has just grown must grow");
    }
}

void model_feed(struct model *model, const struct input *input)
{
    step(model, input);
    if (model->boards.has_grown) {
        feed_grown(model, input);
    }
    while (settle_one(model, !model->hold_makes, !model->hold_frees, !model->hold_seals) ||
           (!model->hold_looks && answer_look(model))) {
    }
}

static uint64_t open_session(struct model *model, int peer, const char *name, uint32_t uid, uint64_t heap_bytes,
                             const char *control_groups)
{
    struct input input = {.kind = INPUT_OPEN_SESSION, .peer = model_cookie(peer)};
    input.open.identity = (struct identity){.pid = 100 + peer, .uid = uid};
    input.open.token.bytes[0] = (uint8_t)peer;
    input.open.control_groups = control_groups;
    input.open.hello = (struct hello_request){.heap_bytes = heap_bytes};
    text_copy(input.open.hello.name, sizeof input.open.hello.name, name);
    input.open.hello.max_bytes = input.open.hello.max_physical_bytes = LIMIT_DEFAULT;
    model->peers[peer].uid = uid;
    model_feed(model, &input);
    return model->peers[peer].session;
}

uint64_t model_open(struct model *model, int peer, uint64_t heap_bytes)
{
    return open_session(model, peer, "model", 1000 + (uint32_t)peer, heap_bytes, NULL);
}

uint64_t model_open_as(struct model *model, int peer, const char *name, uint32_t uid)
{
    return open_session(model, peer, name, uid, LIMIT_DEFAULT, NULL);
}

uint64_t model_open_in(struct model *model, int peer, const char *name, const char *control_groups)
{
    return open_session(model, peer, name, 1000 + (uint32_t)peer, LIMIT_DEFAULT, control_groups);
}

static void feed_request(struct model *model, int peer, const struct request *request)
{
    struct input input = {.kind = INPUT_REQUEST, .session = model->peers[peer].session, .peer = model_cookie(peer)};
    const struct model_peer *from = &model->peers[peer];
    input.request.identity = (struct identity){.pid = 100 + peer, .uid = from->uid ? from->uid : 1000 + (uint32_t)peer};
    input.request.request = request;
    input.request.file_bytes = model->file_bytes;
    model_feed(model, &input);
}

const struct reply *model_request(struct model *model, int peer, struct request *request)
{
    request->id = ++model->next_request;
    feed_request(model, peer, request);
    return model_answer(model, request->id);
}

void model_request_unanswered(struct model *model, int peer, struct request *request)
{
    request->id = 0;
    feed_request(model, peer, request);
}

const struct reply *model_acquire(struct model *model, int peer, uint64_t bytes, enum location location,
                                  uint32_t ttl_ms)
{
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire =
        (struct acquire_request){.bytes = bytes, .location = location, .ttl_ms = ttl_ms, .name = "l", .numa_node = -1};
    return model_request(model, peer, &request);
}

const struct reply *model_release(struct model *model, int peer, uint64_t lease)
{
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease};
    return model_request(model, peer, &request);
}

const struct reply *model_renew(struct model *model, int peer)
{
    struct request request = {.kind = REQUEST_RENEW};
    return model_request(model, peer, &request);
}

void model_pass(struct model *model, uint64_t milliseconds)
{
    void *peers[64];
    model->now += milliseconds * NANOSECONDS_PER_MILLISECOND;
    for (int i = 0; broker_next_wakeup(model->broker) <= model->now; i++) {
        cr_assert(i < 100000, "the broker wants to be woken again and again, and does nothing then");
        size_t count = broker_peers_to_read(model->broker, model->now, peers, 64);
        for (size_t j = 0; j < count; j++) {
            struct input read = {.kind = INPUT_READ, .session = model->peers[peer_of(peers[j])].session};
            model_feed(model, &read);
        }
        struct input tick = {.kind = INPUT_TICK};
        model_feed(model, &tick);
        if (model->hold_frees && broker_next_wakeup(model->broker) == 0) {
            return;
        }
    }
}

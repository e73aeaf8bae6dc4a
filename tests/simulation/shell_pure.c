/* SPDX-License-Identifier: Apache-2.0 */
/* The core, and a shell that is right because there is so little of it: results in a list, and a clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "proto/base/size.h"
#include "tests/simulation/fate.h"
#include "tests/simulation/shell_pure.h"
#include "tests/simulation/virtual_time.h"

static void add_result(struct result_list *list, uint64_t due, const struct input *input)
{
    struct result *result = malloc(sizeof *result);
    *result = (struct result){.due = due, .input = *input};
    TAILQ_INSERT_TAIL(list, result, next);
}

/* NULL: there is no such one. */
static struct pure_segment *find_segment(struct shell *shell, uint64_t id)
{
    struct pure_segment *segment;
    TAILQ_FOREACH(segment, &shell->segments, next) {
        if (segment->id == id) {
            return segment;
        }
    }
    return NULL;
}

void pure_forget_segment(struct shell *shell, struct pure_segment *segment)
{
    TAILQ_REMOVE(&shell->segments, segment, next);
    free(segment);
}

static void make(struct shell *shell, const struct effect_make *make)
{
    struct pure_segment *segment = calloc(1, sizeof *segment);
    *segment = (struct pure_segment){.id = make->segment, .bytes = make->bytes, .location = make->location};
    TAILQ_INSERT_TAIL(&shell->segments, segment, next);
    bool at_once =
        make->location == LOCATION_RAM && !make->options.prefault && make->options.huge_pages == HUGE_PAGES_NEVER;
    int error = at_once ? fate_error(FATE_MAKE_AT_ONCE, ++shell->made_at_once) : fate_error(FATE_MAKE, make->segment);
    struct input input = {.kind = error ? INPUT_SEGMENT_FAILED : INPUT_SEGMENT_MADE};
    input.segment = (struct input_segment){.segment = make->segment, .error = error};
    input.segment.handle = error ? NULL : shell;
    uint64_t due = shell->now + fate_delay_ms(FATE_MAKE, make->segment) * MS;
    add_result(at_once ? &shell->ready : &shell->working, due, &input);
}

static void begin_free(struct shell *shell, const struct effect_free *to_free)
{
    struct input input = {.kind = INPUT_SEGMENT_FREED};
    struct pure_segment *segment = find_segment(shell, to_free->segment);
    cr_assert(segment && segment->is_made && !segment->is_freeing, "a segment is freed that is not there");
    segment->is_freeing = true;
    input.segment.segment = to_free->segment;
    add_result(&shell->working, shell->now + fate_delay_ms(FATE_FREE, to_free->segment) * MS, &input);
}

/* The daemon's own descriptor of a file for writing is closed first, which takes its time. */
static uint64_t give_up(struct shell *shell, uint64_t id)
{
    struct pure_segment *segment = find_segment(shell, id);
    bool takes_time = segment->location == LOCATION_MMAP && !segment->is_given_up;
    segment->is_given_up = true;
    return takes_time ? fate_delay_ms(FATE_FREE, id) : 0;
}

static void seal(struct shell *shell, const struct effect_seal *to_seal)
{
    struct input input = {.kind = INPUT_SEGMENT_SEALED};
    uint64_t delay_ms = give_up(shell, to_seal->segment) + fate_delay_ms(FATE_SEAL, to_seal->segment);
    input.segment =
        (struct input_segment){.segment = to_seal->segment, .error = fate_error(FATE_SEAL, to_seal->segment)};
    add_result(&shell->working, shell->now + delay_ms * MS, &input);
}

static void look(struct shell *shell, const struct effect_session *at)
{
    const struct input looked = {.kind = INPUT_LOOKED, .session = at->session, .peer = at->peer};
    add_result(&shell->looking, shell->now + fate_delay_ms(FATE_LOOK, at->session) * MS, &looked);
}

static void carry_out(struct shell *shell, const struct effect *effect)
{
    struct cookie *cookie = effect->session.peer;
    switch (effect->kind) {
    case EFFECT_MAKE_SEGMENT:
        make(shell, &effect->make);
        break;
    case EFFECT_FREE_SEGMENT:
        begin_free(shell, &effect->free);
        break;
    case EFFECT_REPLY:
        cookie = effect->reply.peer;
        if (cookie->is_connected) {
            world_take_reply(shell->world, cookie->client, &effect->reply.reply, shell->now);
        }
        break;
    case EFFECT_SESSION_OPENED:
        cookie->session = effect->session.session;
        break;
    case EFFECT_SESSION_OVER:
        cookie->is_connected = false;
        cookie->is_over = true;
        break;
    case EFFECT_LOOK:
        look(shell, &effect->session);
        break;
    case EFFECT_SEAL_SEGMENT:
        seal(shell, &effect->seal);
        break;
    case EFFECT_BOARD_GROW:
        board_model_grow(&shell->boards, &effect->board_grow);
        break;
    case EFFECT_BOARD_WRITE:
        board_model_write(&shell->boards, &effect->board_write);
        break;
    case EFFECT_BOARD_END:
        board_model_end(&shell->boards, &effect->board_end);
        break;
    case EFFECT_BLOCK:
    case EFFECT_BROADCAST:
    case EFFECT_SESSION_RESUMED:
    case EFFECT_SLOT:
    case EFFECT_RESERVATIONS:
    case EFFECT_LEASE_ENDED:
    case EFFECT_SESSION_GONE:
        break;
    }
}

static void note_result(struct shell *shell, const struct input *input)
{
    bool is_made = input->kind == INPUT_SEGMENT_MADE;
    if (is_made || input->kind == INPUT_SEGMENT_FAILED || input->kind == INPUT_SEGMENT_FREED) {
        struct pure_segment *segment = find_segment(shell, input->segment.segment);
        segment->is_made = is_made;
        if (!is_made) {
            pure_forget_segment(shell, segment);
        }
    }
}

/* However many have a segment, or had: it is charged once, until it is freed. */
static void check_charges(const struct shell *shell)
{
    const struct pure_segment *segment;
    struct status_reply status = {0};
    uint64_t memory = 0, files = 0;
    broker_fill_status(shell->broker, &status);
    TAILQ_FOREACH(segment, &shell->segments, next) {
        *(segment->location == LOCATION_RAM ? &memory : &files) += segment->bytes;
    }
    cr_assert_eq(status.used_physical_bytes, memory + shell->boards.bytes);
    cr_assert_eq(status.used_mapped_bytes, files);
}

static void step(struct shell *shell, const struct input *input)
{
    note_result(shell, input);
    broker_step(shell->broker, input, shell->now, &shell->effects);
    for (size_t i = 0; i < shell->effects.count; i++) {
        carry_out(shell, &shell->effects.effects[i]);
    }
    check_charges(shell);
}

/* What a board had no room for is asked for once more, and what has ended is free at once: no process has it. */
static void feed_boards(struct shell *shell, const struct input *input)
{
    struct input told = {.kind = INPUT_BOARD_GROWN, .board = shell->boards.grown};
    if (shell->boards.has_grown) {
        shell->boards.has_grown = false;
        step(shell, &told);
        step(shell, input);
        cr_assert(!shell->boards.has_grown, "a board that has just grown must grow");
    }
    told.kind = INPUT_BOARD_FREED;
    while (board_model_free_one(&shell->boards, &told.board)) {
        step(shell, &told);
    }
}

static void feed(struct shell *shell, const struct input *input)
{
    struct result *result;
    if (input) {
        step(shell, input);
        feed_boards(shell, input);
    }
    while ((result = TAILQ_FIRST(&shell->ready))) {
        struct input told = result->input;
        TAILQ_REMOVE(&shell->ready, result, next);
        free(result);
        step(shell, &told);
        feed_boards(shell, &told);
    }
}

void pure_judge(struct shell *shell)
{
    while (broker_next_wakeup(shell->broker) <= shell->now) {
        void *peers[64];
        struct input tick = {.kind = INPUT_TICK};
        size_t count = broker_peers_to_read(shell->broker, shell->now, peers, 64);
        for (size_t i = 0; i < count; i++) {
            struct input was_read = {.kind = INPUT_READ, .session = ((struct cookie *)peers[i])->session};
            bool already = false;
            for (size_t j = 0; j < i; j++) {
                already = already || peers[j] == peers[i];
            }
            if (!already) {
                feed(shell, &was_read);
            }
        }
        feed(shell, &tick);
    }
}

static void happens(struct shell *shell, const struct input *input)
{
    feed(shell, input);
    pure_judge(shell);
}

/* ---- the interface ---- */

static struct shell *pure_begin(struct world *world, struct config *config)
{
    struct shell *shell = calloc(1, sizeof *shell);
    struct broker_options options = {.settings = config_broker_settings(config),
                                     .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
                                     .daemon_uid = getuid(),
                                     .first_revision = virtual_time.now};
    shell->world = world;
    shell->config = config;
    shell->broker = broker_new(&options);
    shell->now = virtual_time.now;
    TAILQ_INIT(&shell->ready);
    TAILQ_INIT(&shell->working);
    TAILQ_INIT(&shell->looking);
    TAILQ_INIT(&shell->segments);
    pure_judge(shell);
    return shell;
}

static void pure_open(struct shell *shell, int client, const struct shell_client *as)
{
    char groups[64];
    struct cookie *cookie = calloc(1, sizeof *cookie);
    struct input open = {.kind = INPUT_OPEN_SESSION, .peer = cookie};
    const struct identity identity = {.pid = 1000 + client, .uid = as->uid, .gid = as->uid};
    *cookie = (struct cookie){.client = client, .identity = identity, .is_connected = true};
    SLIST_INSERT_HEAD(&shell->all, cookie, next);
    shell->cookies[client] = cookie;
    open.open.identity = identity;
    (void)stpncpy(open.open.hello.name, as->name, sizeof open.open.hello.name - 1);
    (void)snprintf(groups, sizeof groups, "%s\n", as->group);
    open.open.control_groups = groups;
    open.open.hello.heap_bytes = open.open.hello.max_bytes = open.open.hello.max_physical_bytes = LIMIT_DEFAULT;
    happens(shell, &open);
}

/* As another process reads it, which has the board mapped. */
static void pure_get(struct shell *shell, int client, const struct request *request)
{
    static uint8_t data[MESSAGE_OBJECT_MAX];
    struct reply reply = {.is_answer = true, .reply_to = request->id, .kind = REPLY_ERROR};
    int bytes = board_model_read(&shell->boards, request->get.owner, request->get.name, data, sizeof data);
    reply.error.code = ERROR_NO_SUCH_BLOCK;
    if (bytes >= 0) {
        reply.kind = REPLY_GOT;
        reply.got = (struct got_reply){.data = {data, (size_t)bytes}};
    }
    world_take_reply(shell->world, client, &reply, shell->now);
}

static void pure_send(struct shell *shell, int client, const struct request *request)
{
    struct cookie *cookie = shell->cookies[client];
    if (request->kind == REQUEST_GET) {
        pure_get(shell, client, request);
        return;
    }
    struct input input = {.kind = INPUT_REQUEST, .session = cookie->session, .peer = cookie};
    input.request.identity = cookie->identity;
    input.request.request = request;
    happens(shell, &input);
}

static void leave(struct shell *shell, int client, enum input_kind kind)
{
    struct cookie *cookie = shell->cookies[client];
    struct input input = {.kind = kind, .session = cookie->session, .peer = cookie};
    cookie->is_connected = false;
    if (!cookie->is_over) {
        happens(shell, &input);
    }
}

static void pure_disconnect(struct shell *shell, int client)
{
    leave(shell, client, INPUT_DISCONNECTED);
}

static bool pure_resume(struct shell *shell, int client)
{
    struct cookie *cookie = shell->cookies[client];
    struct input resumed = {.kind = INPUT_RESUMED, .session = cookie->session, .peer = cookie};
    if (!cookie->is_over) {
        cookie->is_connected = true;
        happens(shell, &resumed);
    }
    return !cookie->is_over;
}

static void pure_die(struct shell *shell, int client)
{
    leave(shell, client, INPUT_DIED);
}

/* A loop's timer has whole milliseconds. */
static uint64_t rounded_up(uint64_t ns)
{
    return ns == UINT64_MAX ? ns : (ns + MS - 1) / MS * MS;
}

static uint64_t next_due(const struct shell *shell)
{
    const struct result *result;
    uint64_t due = rounded_up(broker_next_wakeup(shell->broker));
    TAILQ_FOREACH(result, &shell->working, next) {
        due = size_min(due, result->due);
    }
    TAILQ_FOREACH(result, &shell->looking, next) {
        due = size_min(due, result->due);
    }
    return due;
}

static void collect(struct shell *shell)
{
    struct result *result = TAILQ_FIRST(&shell->working), *next;
    for (; result; result = next) {
        next = TAILQ_NEXT(result, next);
        if (result->due <= shell->now) {
            TAILQ_REMOVE(&shell->working, result, next);
            TAILQ_INSERT_TAIL(&shell->ready, result, next);
        }
    }
}

static void collect_looks(struct shell *shell)
{
    struct result *result = TAILQ_FIRST(&shell->looking), *next;
    for (; result; result = next) {
        next = TAILQ_NEXT(result, next);
        if (result->due <= shell->now) {
            struct input looked = result->input;
            looked.is_frozen = shell->is_frozen[((struct cookie *)looked.peer)->client];
            TAILQ_REMOVE(&shell->looking, result, next);
            free(result);
            feed(shell, &looked);
        }
    }
}

static void pure_freeze(struct shell *shell, int client, bool is_frozen)
{
    shell->is_frozen[client] = is_frozen;
}

static void pure_empty(struct shell *shell, const uint64_t *reservations, size_t count)
{
    const struct input emptied = {.kind = INPUT_EMPTIED, .emptied = {reservations, count}};
    happens(shell, &emptied);
}

static uint64_t pure_pass(struct shell *shell)
{
    uint64_t action, due;
    while ((due = next_due(shell)) <= (action = world_next_action(shell->world))) {
        shell->now = due;
        pure_judge(shell); /* a loop judges when its poll has ended, and then runs its timers */
        collect(shell);
        feed(shell, NULL);
        collect_looks(shell);
        pure_judge(shell);
    }
    return shell->now = action;
}

static const struct broker *pure_broker(const struct shell *shell)
{
    return shell->broker;
}

void pure_drop_results(struct result_list *list)
{
    struct result *result;
    while ((result = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, result, next);
        free(result);
    }
}

static void pure_end(struct shell *shell)
{
    struct cookie *cookie;
    struct pure_segment *segment;
    pure_drop_results(&shell->ready);
    pure_drop_results(&shell->working);
    pure_drop_results(&shell->looking);
    broker_free(shell->broker);
    board_model_clear(&shell->boards);
    while ((segment = TAILQ_FIRST(&shell->segments))) {
        pure_forget_segment(shell, segment);
    }
    while ((cookie = SLIST_FIRST(&shell->all))) {
        SLIST_REMOVE_HEAD(&shell->all, next);
        free(cookie);
    }
    config_free(shell->config);
    free(shell);
}

const struct shell_kind shell_pure = {
    .begin = pure_begin,
    .open = pure_open,
    .send = pure_send,
    .disconnect = pure_disconnect,
    .resume = pure_resume,
    .die = pure_die,
    .freeze = pure_freeze,
    .empty = pure_empty,
    .restart = pure_restart,
    .pass = pure_pass,
    .broker = pure_broker,
    .end = pure_end,
};

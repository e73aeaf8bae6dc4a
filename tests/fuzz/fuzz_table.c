/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the kept table holds after a crash, the next daemon reads it safely, and its core's invariants hold: when it
 * is restored, in every step until all of it has ended by itself, and then nothing is left. Nothing new has a number
 * that was given out before, and the table goes on as a table.
 */
#include "tests/fuzz/fuzz_table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/runtime/table.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HANDLES = 1024, NEW_RECORDS = 300, STEPS_MAX = 64 };

static char handles[HANDLES];
static uint64_t now, highest_session, highest_lease, highest_segment, highest_block;

static void check(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
    }
}

static int table_of(const uint8_t *data, size_t size)
{
    size_t head = size < FUZZ_TABLE_HEAD_BYTES ? size : FUZZ_TABLE_HEAD_BYTES;
    cleanup(fd_closep) int fd = memfd_create("table", MFD_CLOEXEC);
    check(fd >= 0 && ftruncate(fd, (off_t)(TABLE_HEADER_BYTES + size - head)) == 0 &&
              pwrite(fd, data, head, 0) == (ssize_t)head &&
              pwrite(fd, data + head, size - head, TABLE_HEADER_BYTES) == (ssize_t)(size - head),
          "no memfd");
    return fd_steal(&fd);
}

static void note(uint64_t number, uint64_t *highest)
{
    *highest = number > *highest ? number : *highest;
}

static void step(struct broker *broker, const struct input *input);

/* What the shell does with what is to be done. */
static void carry_out(struct broker *broker, const struct effect_list *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->effects[i];
        struct input freed = {.kind = INPUT_SEGMENT_FREED}, made = {.kind = INPUT_SEGMENT_MADE};
        if (effect->kind == EFFECT_FREE_SEGMENT) {
            freed.segment.segment = effect->free.segment;
            step(broker, &freed);
        } else if (effect->kind == EFFECT_MAKE_SEGMENT) {
            check(effect->make.segment > highest_segment, "a segment has a number of before");
            made.segment.segment = effect->make.segment;
            made.segment.handle = handles;
            step(broker, &made);
        } else if (effect->kind == EFFECT_REPLY && effect->reply.reply.kind == REPLY_GRANT) {
            check(effect->reply.reply.grant.lease > highest_lease, "a lease has a number of before");
        } else if (effect->kind == EFFECT_SESSION_OPENED) {
            check(effect->session.session > highest_session, "a session has a number of before");
        }
    }
}

static void step(struct broker *broker, const struct input *input)
{
    struct effect_list *effects = malloc(sizeof *effects);
    check(effects, "no memory");
    broker_step(broker, input, now, effects);
    const char *wrong = broker_check(broker);
    check(!wrong, wrong);
    carry_out(broker, effects);
    free(effects);
}

static void restore_blocks(struct broker *broker, const struct table *table)
{
    char buffer[TABLE_BLOCK_BUFFER];
    for (uint32_t i = 0; i < table_records(table) && i < HANDLES; i++) {
        struct kept_block block = {.id = 0};
        bool is_block = table_read_published(table, i, &block.segment) &&
                        table_read_block(table, i, table_block_used(table, i), &block, buffer);
        block.has_publisher = i % 2;
        if (is_block && broker_restore_block(broker, &block, &handles[i], now) == 0) {
            note(block.id, &highest_block);
            note(block.segment.id, &highest_segment);
            note(block.has_publisher ? block.segment.lease : 0, &highest_lease);
        }
    }
    for (uint32_t i = 0; i < table_records(table) && i < HANDLES; i++) {
        struct kept_view view;
        if (table_read_view(table, i, &view) && broker_restore_view(broker, &view, now) == 0) {
            note(view.lease, &highest_lease);
        }
    }
    check(broker_keep_numbers(broker).block >= highest_block, "a block will have a number of before");
}

static void restore(struct broker *broker, const struct table *table)
{
    struct kept_numbers numbers = table_read_numbers(table);
    broker_restore_numbers(broker, &numbers);
    for (uint32_t i = 0; i < table_records(table) && i < HANDLES; i++) {
        struct kept_session session;
        uint64_t started_at;
        if (table_read_session(table, i, &session, &started_at) &&
            broker_restore_session(broker, &session, &handles[i], now) == 0) {
            note(session.id, &highest_session);
            (void)broker_restore_slot(broker, session.id, (uint32_t)started_at, started_at & ~UINT64_C(1));
        }
    }
    for (uint32_t i = 0; i < table_records(table) && i < HANDLES; i++) {
        struct kept_segment segment;
        if (table_read_segment(table, i, &segment) && broker_restore_segment(broker, &segment, &handles[i], now) == 0) {
            note(segment.lease, &highest_lease);
            note(segment.id, &highest_segment);
        }
    }
    restore_blocks(broker, table);
    broker_restore_done(broker, now);
    const char *wrong = broker_check(broker);
    check(!wrong, wrong);
}

static void come_anew(struct broker *broker)
{
    const struct request request = {
        .id = 1, .kind = REQUEST_ACQUIRE, .acquire = {.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1}};
    struct input open = {.kind = INPUT_OPEN_SESSION, .peer = handles};
    open.open.hello = (struct hello_request){.name = "new"};
    open.open.hello.heap_bytes = open.open.hello.max_bytes = open.open.hello.max_physical_bytes = LIMIT_DEFAULT;
    step(broker, &open);
    struct input ask = {.kind = INPUT_REQUEST, .session = highest_session + 1, .peer = handles};
    ask.request.request = &request;
    step(broker, &ask);
}

/* Nobody comes back: it all ends, a part of it in each step. */
static void wait_for_the_end(struct broker *broker)
{
    struct input over = {.kind = INPUT_SHUTDOWN}, tick = {.kind = INPUT_TICK};
    for (int i = 0; i < STEPS_MAX && broker_next_wakeup(broker) != UINT64_MAX; i++) {
        now += 100 * NANOSECONDS_PER_SECOND;
        step(broker, &tick);
    }
    step(broker, &over);
    for (int i = 0; i < STEPS_MAX && !broker_is_empty(broker); i++) {
        step(broker, &tick);
    }
    check(broker_is_empty(broker), "something is left");
}

static void live_on(const struct table *table)
{
    struct broker_options options = {.page_bytes = 4096};
    options.settings.limits = (struct byte_limits){LIMIT_OFF, LIMIT_OFF, LIMIT_OFF};
    options.settings.times = (struct lease_times){1000, 3600000, 30000, 10000};
    struct broker *broker = broker_new(&options);
    check(broker, "no memory");
    now = NANOSECONDS_PER_SECOND;
    highest_session = highest_lease = highest_segment = highest_block = 0;
    restore(broker, table);
    come_anew(broker);
    wait_for_the_end(broker);
    broker_free(broker);
}

/* Each other view and block that there was ends. */
static void end_some(struct table *table)
{
    for (uint32_t i = 0; i < table_records(table); i++) {
        struct kept_view view;
        struct kept_segment segment;
        if (table_read_view(table, i, &view) && i % 2) {
            table_end_view(table, i);
        }
        if (table_read_published(table, i, &segment) && i % 2) {
            table_note_block_ended(table, i, END_EVICTED);
            table_forget(table, i);
        }
    }
}

/* New records never lie on what is valid. */
static void go_on(struct table *table)
{
    static const struct kept_session session = {.id = UINT64_MAX, .name = "later"};
    static const struct kept_block block = {.name = "block", .type = "type"};
    end_some(table);
    for (int i = 0; i < NEW_RECORDS; i++) {
        uint32_t record;
        uint64_t started_at;
        struct kept_session kept;
        struct kept_segment segment = {.id = 1};
        struct kept_view view;
        if (table_reserve(table, &record) < 0) {
            return;
        }
        check(!table_read_session(table, record, &kept, &started_at) && !table_read_segment(table, record, &segment) &&
                  !table_read_published(table, record, &segment) && !table_read_view(table, record, &view),
              "a record that is in use is given out");
        if (i % 3) {
            table_keep_session(table, record, &session, 1);
        } else {
            table_keep_segment(table, record, &segment);
            (void)table_keep_block(table, record, &block, 1);
        }
        if (i % 2) {
            table_forget(table, record);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table table;
    if (table_open(&table, table_of(data, size)) == 0) {
        live_on(&table);
        go_on(&table);
        table_close(&table);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeds for the fuzzers of frames and of the restart table: every kind of message that either side writes, small and as
 * large as it can be, and tables as daemons leave them, written by the code that writes them for real. A seed that was
 * kept in a file would grow old with the first new field.
 *
 * make_seeds DIRECTORY writes DIRECTORY/frame and DIRECTORY/table.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/table.h"
#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "tests/fuzz/fuzz_table.h"

#define LONGEST "a name of sixty-three bytes, as many as there may be: 012345678"
_Static_assert(sizeof LONGEST == MESSAGE_NAME_SIZE, "with its end it fills a name");

static int directory = -EBADF;
static struct codec_arena arena;
static uint8_t frame[FRAME_BYTES_MAX];

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void write_seed(const char *group, const char *name, const void *bytes, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    (void)mkdirat(directory, group, 0755);
    cleanup(fd_closep) int fd = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, path);
}

/* ---- frames ---- */

/* Both as a packet, and without its length: the fuzzer reads either. */
static void write_frame(const char *what, int kind, const char *variant, int bytes)
{
    char name[64];
    must(bytes > 0, what);
    (void)snprintf(name, sizeof name, "%s-%d%s", what, kind, variant);
    write_seed("frame", name, frame, (size_t)bytes);
    (void)snprintf(name, sizeof name, "%s-%d%s-payload", what, kind, variant);
    write_seed("frame", name, frame + FRAME_HEADER_BYTES, (size_t)bytes - FRAME_HEADER_BYTES);
}

static void write_request(const struct request *request, const char *variant)
{
    write_frame("request", (int)request->kind, variant, codec_encode_request(request, &arena, frame));
}

static void write_reply(const struct reply *reply, const char *variant)
{
    write_frame("reply", (int)reply->kind, variant, codec_encode_reply(reply, &arena, frame));
}

static void write_reservations(void)
{
    static const char *const paths[] = {"/jobs/7", "/kubepods.slice/x", "/"};
    struct request request = {.id = 1, .kind = REQUEST_RESERVE};
    request.reserve = (struct reserve_request){
        .terms = {LONGEST, UINT64_MAX, UINT64_MAX, true, UINT32_MAX, true, true, 1000, 1000, UINT32_MAX},
        .groups = {paths, 3}};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_ATTACH, .attach = {LONGEST, {paths, 3}}};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_UNRESERVE, .unreserve = {LONGEST}};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_SUSPEND, .suspend = {LONGEST, true}};
    write_request(&request, "-full");
}

static const uint8_t metadata[MESSAGE_METADATA_MAX] = "a schema";

static void write_block_requests(void)
{
    struct request request = {.id = 1, .kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = UINT64_MAX,
                                               .name = LONGEST,
                                               .lifetime = LIFETIME_CACHE,
                                               .keep_ms = UINT32_MAX,
                                               .access = BLOCK_ACCESS_ALL,
                                               .gid = UINT32_MAX,
                                               .replace = true,
                                               .type = LONGEST,
                                               .metadata = {metadata, sizeof metadata}};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_ATTACH_BLOCK};
    request.attach_block = (struct attach_block_request){true, UINT32_MAX, LONGEST, UINT32_MAX, UINT32_MAX};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_UNPUBLISH, .unpublish = {true, UINT32_MAX, LONGEST}};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_WATCH_BLOCKS};
    request.watch_blocks = (struct watch_blocks_request){true, UINT32_MAX, LONGEST, UINT64_MAX, LONGEST, UINT32_MAX};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_GET, .get = {true, UINT32_MAX, LONGEST}};
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_PUT};
    request.put =
        (struct put_request){LONGEST, {metadata, sizeof metadata}, LIFETIME_KEEP, BLOCK_ACCESS_GROUP, UINT32_MAX};
    write_request(&request, "-full");
}

static void write_requests(void)
{
    static struct lease_use use[MESSAGE_USE_MAX];
    struct request request = {.id = 7};
    for (int kind = REQUEST_HELLO; kind < REQUEST_KINDS; kind++) {
        request.kind = (enum request_kind)kind;
        write_request(&request, "-empty");
    }
    request = (struct request){.id = UINT64_MAX, .kind = REQUEST_HELLO};
    request.hello = (struct hello_request){.protocol_min = 1,
                                           .protocol_max = UINT32_MAX,
                                           .name = LONGEST,
                                           .heap_bytes = UINT64_MAX,
                                           .monitor = true,
                                           .resume = true,
                                           .session = 9};
    write_request(&request, "-full");
    request.kind = REQUEST_ACQUIRE;
    request.acquire = (struct acquire_request){.bytes = UINT64_MAX,
                                               .location = LOCATION_AUTO,
                                               .ttl_ms = UINT32_MAX,
                                               .name = LONGEST,
                                               .has_huge_pages = true,
                                               .huge_pages = HUGE_PAGES_ALWAYS,
                                               .numa_node = INT32_MAX,
                                               .interleave = true,
                                               .prefault = true,
                                               .wait_ms = UINT32_MAX,
                                               .learned = true,
                                               .use_learned = true,
                                               .file = LONGEST,
                                               .repeats = 3,
                                               .publishable = true};
    write_request(&request, "-full");
    request.kind = REQUEST_EXTEND;
    request.extend = (struct extend_request){UINT64_MAX, UINT64_MAX, true, UINT32_MAX, UINT64_MAX};
    write_request(&request, "-full");
    for (size_t i = 0; i < MESSAGE_USE_MAX; i++) {
        use[i] = (struct lease_use){i + (UINT64_C(1) << 40), UINT64_C(1) << 50};
    }
    request = (struct request){.id = 1, .kind = REQUEST_RENEW, .renew = {use, 3}};
    write_request(&request, "-three");
    request.renew.use_count = MESSAGE_USE_MAX;
    write_request(&request, "-full");
    request = (struct request){.id = 1, .kind = REQUEST_LIST, .list = {LIST_EVENTS, UINT64_MAX, true, UINT32_MAX}};
    write_request(&request, "-events");
    request.list.what = LIST_SAMPLES;
    write_request(&request, "-samples");
    write_reservations();
    write_block_requests();
}

static struct refusal full_refusal(void)
{
    struct refusal refusal = {.limit = "max_physical_bytes",
                              .whose = "class training",
                              .limit_bytes = UINT64_MAX - 1,
                              .asked_bytes = UINT64_MAX,
                              .used_bytes = 3,
                              .free_bytes = 4,
                              .reserved_bytes = 5,
                              .claimed_bytes = 6,
                              .holder_count = MESSAGE_HOLDERS_MAX,
                              .ahead_count = MESSAGE_HOLDERS_MAX};
    for (size_t i = 0; i < MESSAGE_HOLDERS_MAX; i++) {
        refusal.holders[i] = (struct holder){i + 1, LONGEST, INT32_MAX, UINT32_MAX, UINT64_MAX, i, UINT32_MAX, i};
        refusal.ahead[i] = refusal.holders[i];
    }
    return refusal;
}

static void write_reserved(struct reply *reply, size_t count, const char *variant)
{
    static struct reservation_entry reservations[MESSAGE_RESERVATIONS_MAX];
    static const char *const paths[] = {"/jobs/7", "/kubepods.slice/x"};
    size_t most = count < MESSAGE_RESERVATIONS_MAX ? count : MESSAGE_RESERVATIONS_MAX;
    for (size_t i = 0; i < most; i++) {
        reservations[i] = (struct reservation_entry){.reservation = UINT64_MAX - i,
                                                     .name = "training",
                                                     .has_uid = i % 2,
                                                     .remaining_ms = UINT64_MAX - i,
                                                     .control_groups = paths,
                                                     .control_group_count = 2};
    }
    reply->listing = (struct listing_reply){.reservations = reservations, .reservation_count = most};
    write_reply(reply, variant);
}

static void write_usage(struct reply *reply, size_t count, const char *variant)
{
    static struct usage_entry usage[MESSAGE_USAGE_MAX];
    size_t most = count < MESSAGE_USAGE_MAX ? count : MESSAGE_USAGE_MAX;
    for (size_t i = 0; i < most; i++) {
        usage[i] = (struct usage_entry){
            .number = UINT64_MAX - i, .kind = USAGE_CLASS, .name = "training", .has_id = i % 2, .peak_bytes = i};
    }
    reply->listing = (struct listing_reply){.usage = usage, .usage_count = most};
    write_reply(reply, variant);
}

static void write_events(struct reply *reply, size_t count, const char *variant)
{
    static struct event_entry events[MESSAGE_EVENTS_MAX];
    size_t most = count < MESSAGE_EVENTS_MAX ? count : MESSAGE_EVENTS_MAX;
    for (size_t i = 0; i < most; i++) {
        events[i] = (struct event_entry){.event = UINT64_MAX - i,
                                         .kind = (enum event_kind)(i % EVENT_KINDS),
                                         .has_uid = i % 2,
                                         .has_by = i % 3 == 0,
                                         .client = LONGEST,
                                         .by_name = LONGEST,
                                         .text = "the configuration is reloaded"};
    }
    static struct sample_entry samples[MESSAGE_SAMPLES_MAX];
    for (size_t i = 0; i < most; i++) {
        samples[i] = (struct sample_entry){.sample = UINT64_MAX - i, .class = "training", .is_reservation = i % 2};
    }
    reply->listing = (struct listing_reply){
        .events = events, .event_count = most, .samples = samples, .sample_count = most, .last = UINT64_MAX};
    write_reply(reply, variant);
}

static void write_blocks(struct reply *reply, size_t count, const char *variant)
{
    static struct block_entry blocks[MESSAGE_BLOCKS_MAX];
    size_t most = count < MESSAGE_BLOCKS_MAX ? count : MESSAGE_BLOCKS_MAX;
    for (size_t i = 0; i < most; i++) {
        blocks[i] = (struct block_entry){.block = UINT64_MAX - i,
                                         .owner = UINT32_MAX,
                                         .name = LONGEST,
                                         .type = LONGEST,
                                         .keep_ms = UINT64_MAX - i % 2,
                                         .ended = END_EVICTED};
    }
    static struct board_entry boards[MESSAGE_BOARDS_MAX];
    size_t most_boards = count < MESSAGE_BOARDS_MAX ? count : MESSAGE_BOARDS_MAX;
    for (size_t i = 0; i < most_boards; i++) {
        boards[i] = (struct board_entry){.board = UINT64_MAX - i,
                                         .owner = UINT32_MAX,
                                         .class = "training",
                                         .object_bytes = UINT64_MAX,
                                         .all_objects = i % 2,
                                         .has_ended = i % 2};
    }
    reply->listing =
        (struct listing_reply){.blocks = blocks, .block_count = most, .boards = boards, .board_count = most_boards};
    write_reply(reply, variant);
}

static void write_listings(struct reply *reply, size_t count, const char *const variants[7])
{
    static struct session_entry sessions[MESSAGE_SESSIONS_MAX];
    static struct lease_entry leases[MESSAGE_LIST_MAX];
    static struct queue_entry queue[MESSAGE_QUEUE_MAX];
    size_t session_count = count < MESSAGE_SESSIONS_MAX ? count : MESSAGE_SESSIONS_MAX;
    for (size_t i = 0; i < session_count; i++) {
        sessions[i] = (struct session_entry){.session = UINT64_MAX - i,
                                             .name = LONGEST,
                                             .class = "training",
                                             .class_rule = CLASS_RULE_SLICES,
                                             .class_pattern = "/kubepods.slice/*"};
    }
    for (size_t i = 0; i < count; i++) {
        leases[i] = (struct lease_entry){.lease = UINT64_MAX - i, .name = LONGEST, .client = LONGEST, .location = 1};
        queue[i] = (struct queue_entry){.place = i + 1, .name = LONGEST, .limit = "max_bytes", .whose = "host"};
    }
    reply->kind = REPLY_LISTING;
    reply->listing = (struct listing_reply){.sessions = sessions, .session_count = session_count};
    write_reply(reply, variants[0]);
    reply->listing = (struct listing_reply){.leases = leases, .lease_count = count, .more = true};
    write_reply(reply, variants[1]);
    reply->listing = (struct listing_reply){.queue = queue, .queue_count = count};
    write_reply(reply, variants[2]);
    write_reserved(reply, count, variants[3]);
    write_usage(reply, count, variants[4]);
    write_events(reply, count, variants[5]);
    write_blocks(reply, count, variants[6]);
}

static void write_lists(struct reply *reply)
{
    static const char *const few[] = {"-session", "-lease", "-waiting", "-reservation", "-account", "-event", "-block"};
    static const char *const many[] = {"-sessions", "-leases", "-queue", "-reservations",
                                       "-accounts", "-events", "-blocks"};
    static struct lease_end ended[MESSAGE_ENDED_MAX];
    static struct why_entry why[MESSAGE_WHY_MAX];
    static const char *const differences[] = {"segment 1 has 4096 bytes too many", "segment 2 is gone"};
    write_listings(reply, 1, few);
    write_listings(reply, MESSAGE_LIST_MAX, many);
    for (size_t i = 0; i < MESSAGE_ENDED_MAX; i++) {
        ended[i] = (struct lease_end){UINT64_MAX - i, END_EXPIRED};
    }
    for (size_t i = 0; i < MESSAGE_WHY_MAX; i++) {
        why[i] = (struct why_entry){
            .session = i, .name = LONGEST, .waits = i % 2, .refusal = full_refusal(), .earliest_ms = UINT64_MAX};
    }
    reply->kind = REPLY_RENEWED;
    reply->renewed = (struct renewed_reply){.leases = UINT32_MAX, .ended = ended, .ended_count = 2};
    write_reply(reply, "-two");
    reply->renewed.ended_count = MESSAGE_ENDED_MAX;
    write_reply(reply, "-full");
    reply->kind = REPLY_WHY;
    reply->why = (struct why_reply){why, MESSAGE_WHY_MAX};
    write_reply(reply, "-full");
    reply->kind = REPLY_AUDIT;
    reply->audit = (struct audit_reply){.segments = 2, .differences = differences, .difference_count = 2};
    write_reply(reply, "-full");
}

static void write_replies(void)
{
    struct reply reply = {.is_answer = true, .reply_to = UINT64_MAX, .descriptors = 1};
    for (int kind = REPLY_ERROR; kind < REPLY_KINDS; kind++) {
        struct reply empty = {.is_answer = kind % 2, .kind = (enum reply_kind)kind};
        write_reply(&empty, "-empty");
    }
    write_lists(&reply);
    reply.kind = REPLY_ERROR;
    reply.error = (struct error_reply){.code = ERROR_LIMIT, .sentence = "no", .refusal = full_refusal()};
    write_reply(&reply, "-full");
    reply.kind = REPLY_WELCOME;
    reply.welcome = (struct welcome_reply){.protocol = 1,
                                           .daemon_version = "0.1.0",
                                           .session = UINT64_MAX,
                                           .times = {1, 2, 3, 4},
                                           .host_limits = {LIMIT_OFF, 0, 5},
                                           .client_limits = {1, LIMIT_OFF, 2},
                                           .control_bytes = 65536};
    write_reply(&reply, "-full");
    reply.kind = REPLY_GRANT;
    reply.grant = (struct grant_reply){.lease = UINT64_MAX,
                                       .segment = 1,
                                       .bytes = UINT64_MAX,
                                       .location = LOCATION_MMAP,
                                       .generation = 1,
                                       .file_bytes = 5,
                                       .charge = CHARGE_CLIENT,
                                       .is_present = true,
                                       .is_remembered = true,
                                       .prefault = true};
    write_reply(&reply, "-full");
    reply.kind = REPLY_ATTACHED;
    reply.attached = (struct attached_reply){.lease = UINT64_MAX,
                                             .block = 1,
                                             .bytes = UINT64_MAX,
                                             .generation = 1,
                                             .huge_pages = true,
                                             .lifetime = LIFETIME_CACHE,
                                             .type = LONGEST,
                                             .metadata = {metadata, sizeof metadata}};
    write_reply(&reply, "-full");
    static const struct block_change_entry changes[] = {{1, UINT64_MAX, END_EVICTED, LONGEST, LONGEST}};
    reply.kind = REPLY_BLOCK_CHANGES;
    reply.block_changes = (struct block_changes_reply){changes, 1, UINT64_MAX, true, true};
    write_reply(&reply, "-full");
    reply.kind = REPLY_STATUS;
    reply.status = (struct status_reply){.daemon_version = "0.1.0", .spill_directory = "/spill", .limits = {1, 2, 3}};
    write_reply(&reply, "-full");
}

/* ---- tables ---- */

enum { SESSIONS = 8, SEGMENTS_OF_EACH = 8, SEGMENTS_OF_A_LEASE = 4 };

static void keep_session(struct table *table, uint64_t id)
{
    struct kept_session session = {.id = id,
                                   .identity = {.pid = (int32_t)id, .uid = 1000 + (uint32_t)id % 3, .group_count = 2},
                                   .token = {{(uint8_t)id}},
                                   .limits = {LIMIT_OFF, UINT64_C(1) << 40, LIMIT_OFF},
                                   .name = LONGEST};
    uint32_t record;
    must(table_reserve(table, &record) == 0, "a record");
    table_keep_session(table, record, &session, 12345);
}

/* Leases of several segments, in RAM and in files. */
static void keep_segment(struct table *table, uint64_t session, uint64_t number)
{
    uint64_t lease = (session - 1) * SEGMENTS_OF_EACH / SEGMENTS_OF_A_LEASE + number / SEGMENTS_OF_A_LEASE + 1;
    struct kept_segment segment = {.id = (session - 1) * SEGMENTS_OF_EACH + number + 1,
                                   .lease = lease,
                                   .session = session,
                                   .key = number,
                                   .bytes = UINT64_C(4096) << number,
                                   .location = lease % 2 ? LOCATION_RAM : LOCATION_MMAP,
                                   .options = {.numa_node = -1},
                                   .slot = (uint32_t)(number / SEGMENTS_OF_A_LEASE),
                                   .generation = 1 + 2 * session,
                                   .ttl_ms = 30000,
                                   .name = "kept"};
    uint32_t record;
    must(table_reserve(table, &record) == 0, "a record");
    table_keep_segment(table, record, &segment);
}

/* As the fuzzer takes it: what the header has in it, then records. */
static void write_table(const struct table *table, uint32_t records, const char *name)
{
    static uint8_t bytes[1 << 20];
    size_t record_bytes = (table->mapped - TABLE_HEADER_BYTES) / table_records(table);
    size_t size = FUZZ_TABLE_HEAD_BYTES + records * record_bytes;
    must(size <= sizeof bytes && records <= table_records(table), name);
    memcpy(bytes, table->header, FUZZ_TABLE_HEAD_BYTES);
    memcpy(bytes + FUZZ_TABLE_HEAD_BYTES, (const uint8_t *)table->header + TABLE_HEADER_BYTES, records * record_bytes);
    write_seed("table", name, bytes, size);
    for (uint8_t version = 0; version < 6; version++) { /* before, with and after those that are known */
        char other[64];
        bytes[FUZZ_TABLE_VERSION_AT] = version;
        (void)snprintf(other, sizeof other, "%s-version-%u", name, version);
        write_seed("table", other, bytes, size);
    }
}

static void write_tables(void)
{
    static const uint64_t sessions[] = {0, 1, 3, SESSIONS};
    for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
        struct table table;
        char name[64];
        must(table_create(&table) == 0, "a table");
        for (uint64_t session = 1; session <= sessions[i]; session++) {
            keep_session(&table, session);
            for (uint64_t number = 0; number < SEGMENTS_OF_EACH; number++) {
                keep_segment(&table, session, number);
            }
        }
        table_keep_numbers(&table, &(struct kept_numbers){sessions[i], 1000, 1000, 0});
        (void)snprintf(name, sizeof name, "sessions-%llu", (unsigned long long)sessions[i]);
        write_table(&table, (uint32_t)(sessions[i] * (1 + SEGMENTS_OF_EACH) + 1), name);
        table_close(&table);
    }
}

/* A block of each lifetime, with a view of another session each; the last one's metadata take many records. */
static void write_block_tables(void)
{
    struct table table;
    must(table_create(&table) == 0, "a table");
    keep_session(&table, 1);
    keep_session(&table, 2);
    for (uint32_t i = 0; i < 3; i++) {
        const struct kept_segment segment = {.id = i + 1,
                                             .lease = i + 1,
                                             .session = 1,
                                             .bytes = 4096,
                                             .location = LOCATION_RAM,
                                             .slot = i,
                                             .generation = 1,
                                             .ttl_ms = 30000,
                                             .is_publishable = true};
        struct kept_block block = {.id = i + 1,
                                   .owner = 1001,
                                   .user = 1001,
                                   .group = KEPT_NO_GROUP,
                                   .class = POLICY_DEFAULT_CLASS,
                                   .lifetime = (enum lifetime)i,
                                   .name = {(char)('a' + i)},
                                   .type = LONGEST,
                                   .metadata = {metadata, i * 2000}};
        const struct kept_view view = {
            .lease = i + 4, .session = 2, .block = i + 1, .slot = i, .generation = 1, .ttl_ms = 30000};
        uint32_t record, viewed;
        must(table_reserve(&table, &record) == 0, "a record");
        table_keep_segment(&table, record, &segment);
        must(table_keep_block(&table, record, &block, 1) == 0, "a block");
        must(table_keep_view(&table, record, &view, &viewed) == 0, "a view");
    }
    table_keep_numbers(&table, &(struct kept_numbers){2, 6, 3, 3});
    write_table(&table, 60, "blocks");
    table_close(&table);
}

int main(int count, char **arguments)
{
    must(count == 2, "usage: make_seeds DIRECTORY");
    (void)mkdir(arguments[1], 0755);
    directory = open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(directory >= 0, arguments[1]);
    write_requests();
    write_replies();
    write_tables();
    write_block_tables();
    (void)fd_close(directory);
    return 0;
}

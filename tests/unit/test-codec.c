/* SPDX-License-Identifier: Apache-2.0 */
/* The codec: round trips, cut messages, and messages that would need too much memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/name.h"
#include "tests/unit/reply_back.h"

static struct codec_arena arena;
static uint8_t frame[FRAME_BYTES_MAX];

static const uint8_t *payload_of(int bytes, size_t *ret_size)
{
    const uint8_t *payload = NULL;
    cr_assert(bytes > 0);
    cr_assert(frame_open(frame, (size_t)bytes, &payload, ret_size) == 0);
    return payload;
}

static struct request request_there_and_back(const struct request *request)
{
    struct request back;
    const char *fault;
    size_t size;
    const uint8_t *payload = payload_of(codec_encode_request(request, &arena, frame), &size);
    cr_assert(codec_decode_request(payload, size, &arena, &back, &fault) == 0);
    cr_expect_eq(back.id, request->id);
    cr_expect_eq(back.kind, request->kind);
    return back;
}

Test(codec, an_acquire_keeps_every_field)
{
    struct request request = {.id = UINT64_MAX, .kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = UINT64_MAX,
                                               .location = LOCATION_AUTO,
                                               .ttl_ms = UINT32_MAX,
                                               .name = "näme",
                                               .has_huge_pages = true,
                                               .huge_pages = HUGE_PAGES_ALWAYS,
                                               .numa_node = INT32_MAX,
                                               .prefault = true,
                                               .file = "a file"};
    struct acquire_request back = request_there_and_back(&request).acquire;
    cr_expect_eq(back.bytes, UINT64_MAX);
    cr_expect_eq(back.location, LOCATION_AUTO);
    cr_expect_eq(back.ttl_ms, UINT32_MAX);
    cr_expect_str_eq(back.name, "näme");
    cr_expect_eq(back.huge_pages, HUGE_PAGES_ALWAYS);
    cr_expect_eq(back.numa_node, INT32_MAX);
    cr_expect(back.prefault);
    cr_expect_str_eq(back.file, "a file");
    request.acquire.numa_node = -1;
    cr_expect_eq(request_there_and_back(&request).acquire.numa_node, -1);
}

Test(codec, a_hello_distinguishes_set_fields_from_absent_ones)
{
    struct request request = {.id = 1, .kind = REQUEST_HELLO};
    request.hello = (struct hello_request){.protocol_min = 1,
                                           .protocol_max = 3,
                                           .name = "n",
                                           .heap_bytes = LIMIT_DEFAULT,
                                           .max_bytes = 0,
                                           .max_physical_bytes = 5,
                                           .resume = true,
                                           .session = 9,
                                           .token = {{1, 2, 3}}};
    struct hello_request back = request_there_and_back(&request).hello;
    cr_expect_eq(back.heap_bytes, LIMIT_DEFAULT);
    cr_expect_eq(back.max_bytes, 0);
    cr_expect_eq(back.max_physical_bytes, 5);
    cr_expect(back.resume && back.session == 9 && back.token.bytes[2] == 3 && back.token.bytes[15] == 0);
    cr_expect_eq(back.protocol_max, 3);
}

Test(codec, every_request_is_decoded_as_its_own_kind)
{
    for (int kind = REQUEST_ACQUIRE; kind < REQUEST_KINDS; kind++) {
        struct request request = {.id = 7, .kind = (enum request_kind)kind};
        (void)request_there_and_back(&request);
    }
    struct request nothing = {.id = 7, .kind = REQUEST_UNKNOWN};
    cr_expect_eq(request_there_and_back(&nothing).kind, REQUEST_UNKNOWN);
}

Test(codec, the_largest_renewal_fits_and_a_larger_does_not)
{
    static struct lease_use use[MESSAGE_USE_MAX];
    struct request request = {.id = 1, .kind = REQUEST_RENEW, .renew = {use, MESSAGE_USE_MAX}};
    for (size_t i = 0; i < MESSAGE_USE_MAX; i++) {
        use[i] = (struct lease_use){i + (UINT64_C(1) << 40), UINT64_C(1) << 50};
    }
    struct renew_request back = request_there_and_back(&request).renew;
    cr_expect_eq(back.use_count, MESSAGE_USE_MAX);
    cr_expect_eq(back.use[MESSAGE_USE_MAX - 1].lease, use[MESSAGE_USE_MAX - 1].lease);
}

Test(codec, every_reply_is_decoded_as_its_own_kind)
{
    for (int kind = REPLY_ERROR; kind < REPLY_KINDS; kind++) {
        struct reply reply = {.is_answer = kind % 2, .reply_to = kind % 2 ? 77 : 0, .kind = (enum reply_kind)kind};
        if (kind == REPLY_WELCOME || kind == REPLY_STATUS) {
            reply.welcome.daemon_version = "v";
            reply.status.daemon_version = "v";
        }
        if (kind == REPLY_STATUS) {
            reply.status.spill_directory = "/s";
        }
        (void)reply_back(&reply);
    }
}

Test(codec, a_refusal_keeps_its_numbers_and_holders)
{
    struct reply reply = {.is_answer = true, .reply_to = 1, .kind = REPLY_ERROR};
    reply.error = (struct error_reply){.code = ERROR_LIMIT, .sentence = "no", .system_errno = 28};
    reply.error.refusal = (struct refusal){.limit = "max_bytes",
                                           .whose = "class training",
                                           .limit_bytes = UINT64_MAX,
                                           .asked_bytes = 2,
                                           .used_bytes = 3,
                                           .free_bytes = 4,
                                           .reserved_bytes = 5,
                                           .claimed_bytes = 6,
                                           .pool_bytes = 7,
                                           .holder_count = 3,
                                           .holders = {{1, "a", 2, 3, 4}, {0}, {0}}};
    struct error_reply back = reply_back(&reply).error;
    cr_expect_eq(back.code, ERROR_LIMIT);
    cr_expect_str_eq(back.sentence, "no");
    cr_expect_eq(back.system_errno, 28);
    cr_expect_eq(back.refusal.limit_bytes, UINT64_MAX);
    cr_expect_eq(back.refusal.free_bytes, 4);
    cr_expect_str_eq(back.refusal.whose, "class training");
    cr_expect_eq(back.refusal.reserved_bytes, 5);
    cr_expect_eq(back.refusal.claimed_bytes, 6);
    cr_expect_eq(back.refusal.pool_bytes, 7);
    cr_expect_eq(back.refusal.holder_count, 3);
    cr_expect_str_eq(back.refusal.holders[0].name, "a");
    cr_expect_eq(back.refusal.holders[0].bytes, 4);
}

Test(codec, full_pages_of_the_queue_and_its_reasons_are_decoded)
{
    static struct queue_entry queue[MESSAGE_QUEUE_MAX];
    static struct why_entry why[MESSAGE_WHY_MAX];
    static const char longest[] = "a name of sixty-three bytes, as many as there may be: 0123456789";
    struct reply reply = {.kind = REPLY_LISTING};
    for (size_t i = 0; i < MESSAGE_QUEUE_MAX; i++) {
        queue[i] = (struct queue_entry){.place = i + 1, .bytes = UINT64_C(1) << 55, .waited_ms = UINT64_C(1) << 40};
        memcpy(queue[i].name, longest, sizeof queue[i].name - 1);
        memset(queue[i].whose, 'w', sizeof queue[i].whose - 1);
    }
    reply.listing = (struct listing_reply){.queue = queue, .queue_count = MESSAGE_QUEUE_MAX, .more = true};
    struct listing_reply listing = reply_back(&reply).listing;
    cr_assert_eq(listing.queue_count, MESSAGE_QUEUE_MAX);
    cr_expect_eq(listing.queue[199].place, 200);
    cr_expect_eq(listing.queue[199].bytes, UINT64_C(1) << 55);
    for (size_t i = 0; i < MESSAGE_WHY_MAX; i++) {
        why[i] = (struct why_entry){.session = i, .waits = i % 2, .either = i % 3, .earliest_ms = i ? i : UINT64_MAX};
        why[i].refusal = (struct refusal){
            .limit = "max_bytes", .holder_count = MESSAGE_HOLDERS_MAX, .ahead_count = MESSAGE_HOLDERS_MAX};
        for (size_t place = 0; place < MESSAGE_HOLDERS_MAX; place++) {
            why[i].refusal.holders[place].bytes = UINT64_MAX;
            memcpy(why[i].refusal.holders[place].name, longest, sizeof longest - 2);
            why[i].refusal.ahead[place] = why[i].refusal.holders[place];
        }
    }
    reply = (struct reply){.kind = REPLY_WHY, .why = {why, MESSAGE_WHY_MAX}};
    struct why_reply back = reply_back(&reply).why;
    cr_assert_eq(back.count, MESSAGE_WHY_MAX);
    cr_expect_eq(back.entries[0].earliest_ms, UINT64_MAX, "never by itself");
    cr_expect_eq(back.entries[23].earliest_ms, 23);
    cr_expect(back.entries[23].waits);
    cr_expect_str_eq(back.entries[23].refusal.limit, "max_bytes");
}

Test(codec, limits_that_are_off_stay_off)
{
    struct reply reply = {.kind = EVENT_LIMITS_CHANGED};
    reply.limits_changed.host_limits = (struct byte_limits){LIMIT_OFF, 0, 5};
    struct byte_limits back = reply_back(&reply).limits_changed.host_limits;
    cr_expect_eq(back.max_bytes, LIMIT_OFF);
    cr_expect_eq(back.max_physical_bytes, 0);
    cr_expect_eq(back.max_mapped_bytes, 5);
}

Test(codec, a_full_page_of_the_longest_names_fits_a_message)
{
    static struct lease_entry leases[MESSAGE_LIST_MAX];
    struct reply reply = {.is_answer = true, .reply_to = UINT64_MAX, .kind = REPLY_LISTING};
    for (size_t i = 0; i < MESSAGE_LIST_MAX; i++) {
        (void)memset(&leases[i], 0x7f, sizeof leases[i]);
        leases[i].location = LOCATION_RAM;
        leases[i].huge_pages = leases[i].prefaulted = leases[i].interleaved = true;
        leases[i].charge = CHARGE_BROKER;
        leases[i].name[MESSAGE_NAME_SIZE - 1] = leases[i].client[MESSAGE_NAME_SIZE - 1] = '\0';
        leases[i].lease = i;
    }
    reply.listing = (struct listing_reply){.leases = leases, .lease_count = MESSAGE_LIST_MAX, .more = true};
    struct listing_reply back = reply_back(&reply).listing;
    cr_expect_eq(back.lease_count, MESSAGE_LIST_MAX);
    cr_expect_eq(back.leases[199].lease, 199);
    cr_expect(back.more);
}

Test(codec, a_full_page_of_the_longest_sessions_fits_a_message)
{
    static struct session_entry sessions[MESSAGE_SESSIONS_MAX];
    struct reply reply = {.is_answer = true, .reply_to = UINT64_MAX, .kind = REPLY_LISTING};
    for (size_t i = 0; i < MESSAGE_SESSIONS_MAX; i++) {
        struct session_entry *session = &sessions[i];
        (void)memset(session, 0x7f, sizeof *session);
        session->connected = true;
        session->class_rule = CLASS_RULE_CLIENTS;
        session->pid = -1; /* as long as a number gets */
        session->name[MESSAGE_NAME_SIZE - 1] = session->class[MESSAGE_CLASS_SIZE - 1] = '\0';
        session->class_pattern[MESSAGE_PATTERN_SIZE - 1] = '\0';
    }
    reply.listing = (struct listing_reply){.sessions = sessions, .session_count = MESSAGE_SESSIONS_MAX, .more = true};
    cr_expect_eq(reply_back(&reply).listing.session_count, MESSAGE_SESSIONS_MAX);
}

/* As many paths as a page ends with, and one reservation more. */
Test(codec, a_full_page_of_the_longest_reservations_fits_a_message)
{
    enum { PATHS = MESSAGE_PAGE_PATH_BYTES / 5 }; /* the shortest have the most bytes around them */
    static struct reservation_entry reservations[MESSAGE_RESERVATIONS_MAX];
    static const char *paths[PATHS + MESSAGE_PATHS_MAX];
    static char longest[MESSAGE_PATH_BYTES_MAX / 4];
    struct reply reply = {.is_answer = true, .reply_to = UINT64_MAX, .kind = REPLY_LISTING};
    for (size_t i = 0; i < PATHS; i++) {
        paths[i] = "/";
    }
    (void)memset(longest, 'x', sizeof longest - 5);
    for (size_t i = 0; i < MESSAGE_RESERVATIONS_MAX; i++) {
        struct reservation_entry *entry = &reservations[i];
        (void)memset(entry, 0x7f, sizeof *entry);
        entry->has_uid = entry->has_priority = entry->has_weight = entry->is_over = entry->is_suspended = true;
        entry->name[MESSAGE_CLASS_SIZE - 1] = '\0';
        entry->control_groups = &paths[i * MESSAGE_PATHS_MAX];
        entry->control_group_count = i < PATHS / MESSAGE_PATHS_MAX ? MESSAGE_PATHS_MAX : 0;
    }
    for (size_t i = 0; i < 4; i++) {
        paths[PATHS + i] = longest;
    }
    reservations[MESSAGE_RESERVATIONS_MAX - 1].control_groups = &paths[PATHS];
    reservations[MESSAGE_RESERVATIONS_MAX - 1].control_group_count = 4;
    reply.listing = (struct listing_reply){
        .reservations = reservations, .reservation_count = MESSAGE_RESERVATIONS_MAX, .more = true};
    struct listing_reply back = reply_back(&reply).listing;
    cr_expect_eq(back.reservation_count, MESSAGE_RESERVATIONS_MAX);
    cr_expect_str_eq(back.reservations[MESSAGE_RESERVATIONS_MAX - 1].control_groups[3], longest);
}

Test(codec, an_empty_difference_of_an_audit_counts)
{
    static const char *const differences[] = {"", "segment 2 is gone"};
    struct reply reply = {.is_answer = true, .reply_to = 1, .kind = REPLY_AUDIT};
    reply.audit = (struct audit_reply){.differences = differences, .difference_count = 2};
    struct audit_reply back = reply_back(&reply).audit;
    cr_assert_eq(back.difference_count, 2);
    cr_expect_str_eq(back.differences[0], "");
    cr_expect_str_eq(back.differences[1], "segment 2 is gone");
}

/* Each cut is copied to memory of exactly its size, so that a sanitizer sees a read beyond it. */
Test(codec, a_message_cut_at_any_byte_is_an_error_or_a_shorter_message)
{
    struct request request = {.id = 300, .kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){.bytes = 1 << 20,
                                               .location = LOCATION_RAM,
                                               .ttl_ms = 5000,
                                               .name = "a name",
                                               .has_huge_pages = true,
                                               .huge_pages = HUGE_PAGES_TRY,
                                               .numa_node = 3,
                                               .prefault = true,
                                               .file = "a file"};
    size_t size;
    const uint8_t *payload = payload_of(codec_encode_request(&request, &arena, frame), &size);
    size_t refused = 0;
    for (size_t cut = 0; cut < size; cut++) {
        struct request back;
        const char *fault;
        uint8_t *copy = malloc(cut ? cut : 1);
        memcpy(copy, payload, cut);
        refused += codec_decode_request(copy, cut, &arena, &back, &fault) == -EBADMSG;
        free(copy);
    }
    cr_expect_gt(refused, size / 2);
}

Test(codec, random_bytes_do_no_harm)
{
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        struct request request;
        struct reply reply;
        const char *fault;
        size_t size = (size_t)(rand_r(&seed) % 64);
        uint8_t *bytes = malloc(size + 1);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)rand_r(&seed);
        }
        (void)codec_decode_request(bytes, size, &arena, &request, &fault);
        (void)codec_decode_reply(bytes, size, &arena, &reply);
        free(bytes);
    }
}

Test(codec, a_message_that_needs_more_than_the_arena_is_refused)
{
    /* 32,000 empty uses in a renewal: two bytes each on the wire, dozens in memory */
    static uint8_t bomb[64010];
    struct request request;
    const char *fault;
    size_t at = 0;
    bomb[at++] = 0x32; /* field 6, renew */
    bomb[at++] = 0x80;
    bomb[at++] = 0xf4;
    bomb[at++] = 0x03; /* 64,000 bytes */
    for (int i = 0; i < 32000; i++) {
        bomb[at++] = 0x0a;
        bomb[at++] = 0;
    }
    cr_expect_lt(codec_decode_request(bomb, at, &arena, &request, &fault), 0);
}

Test(codec, names_are_checked)
{
    char longest[MESSAGE_NAME_SIZE + 1];
    (void)memset(longest, 'x', sizeof longest);
    longest[MESSAGE_NAME_SIZE] = '\0';
    cr_expect_not(name_is_valid(longest), "64 bytes");
    longest[MESSAGE_NAME_SIZE - 1] = '\0';
    cr_expect(name_is_valid(longest), "63 bytes");
    cr_expect(name_is_valid("") && name_is_valid("Größe λ 漢 🙂"));
    static const char *const bad[] = {"\x1b[2J",          "a\nb",     "\x7f", "\xc2\x85", "\xc0\x80", "\xed\xa0\x80",
                                      "\xf5\x80\x80\x80", "\xe2\x82", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_not(name_is_valid(bad[i]), "case %zu", i);
    }
}

Test(codec, invisible_characters_are_not_allowed_in_names)
{
    static const struct {
        const char *what, *name;
    } bad[] = {
        {"U+00AD soft hyphen", "a\u00ad"},        {"U+061C Arabic letter mark", "a\u061c"},
        {"U+180E vowel separator", "a\u180e"},    {"U+200B zero width space", "a\u200b"},
        {"U+2028 line separator", "a\u2028"},     {"U+2029 paragraph separator", "a\u2029"},
        {"U+202E override", "a\u202e"},           {"U+2066 isolate", "a\u2066"},
        {"U+3164 Hangul filler", "a\u3164"},      {"U+115F Hangul filler", "a\u115f"},
        {"U+FE0F variation selector", "a\ufe0f"}, {"U+FEFF byte order mark", "\ufeff"},
        {"U+FFF9 annotation", "a\ufff9"},         {"U+FFFB annotation", "a\ufffb"},
        {"U+E000 private use", "a\ue000"},        {"U+E0041 tag", "a\U000e0041"},
        {"U+E01EF selector", "a\U000e01ef"},      {"U+10FFFD private use", "a\U0010fffd"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_not(name_is_valid(bad[i].name), "%s", bad[i].what);
    }
    cr_expect(name_is_valid("naïve — 東京 עברית العربية हिन्दी"));
}

Test(codec, names_that_others_find_have_no_blank_at_either_end)
{
    static const char *const blank[] = {" ", "   ", " a", "a ", "\u00a0a", "a\u3000", "\u2003", " \u00a0 "};
    static const char *const fine[] = {"a", "a b", "a\u00a0b", "\u6f22", "\u00df", "-", "a/b"};
    char longest[MESSAGE_NAME_SIZE + 1] = "";
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
        cr_expect_str_eq(name_fault(blank[i]), "it begins or ends with a blank", "case %zu", i);
    }
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        cr_expect_null(name_fault(fine[i]), "case %zu", i);
    }
    cr_expect(strstr(name_fault(""), "1 to 63 bytes") && strstr(name_fault("a\n"), "do not show"));
    (void)memset(longest, 'x', MESSAGE_NAME_SIZE);
    cr_expect(strstr(name_fault(longest), "1 to 63 bytes"));
}

/* Replaces the first 'X' of the frame by a NUL. */
static const uint8_t *payload_with_nul(int bytes, size_t *ret_size)
{
    uint8_t *mark = memchr(frame, 'X', (size_t)bytes);
    cr_assert(mark);
    *mark = '\0';
    return payload_of(bytes, ret_size);
}

Test(codec, a_nul_inside_a_text_makes_the_request_invalid)
{
    struct request requests[] = {{.id = 7, .kind = REQUEST_ACQUIRE, .acquire = {.bytes = 1, .file = "oneXtwo"}},
                                 {.id = 7, .kind = REQUEST_ACQUIRE, .acquire = {.bytes = 1, .name = "oneX"}},
                                 {.id = 7, .kind = REQUEST_HELLO, .hello = {.name = "Xone"}}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct request back;
        const char *fault = NULL;
        size_t size;
        const uint8_t *payload = payload_with_nul(codec_encode_request(&requests[i], &arena, frame), &size);
        cr_expect_eq(codec_decode_request(payload, size, &arena, &back, &fault), -EINVAL, "case %zu", i);
        cr_expect(fault && strstr(fault, "NUL"), "case %zu", i);
        cr_expect(back.id == 7 && back.kind == requests[i].kind, "case %zu", i);
    }
}

Test(codec, a_reply_with_a_nul_inside_a_text_is_rejected)
{
    const struct session_entry session = {.session = 1, .name = "oneXtwo"};
    struct reply replies[] = {{.kind = REPLY_ERROR, .error = {.code = ERROR_LIMIT, .sentence = "what X"}},
                              {.kind = REPLY_LISTING, .listing = {.sessions = &session, .session_count = 1}}};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct reply back;
        size_t size;
        const uint8_t *payload = payload_with_nul(codec_encode_reply(&replies[i], &arena, frame), &size);
        cr_expect_eq(codec_decode_reply(payload, size, &arena, &back), -EBADMSG, "case %zu", i);
    }
}

Test(codec, a_token_may_contain_any_byte)
{
    struct request request = {.id = 1, .kind = REQUEST_HELLO, .hello = {.resume = true, .session = 2}};
    cr_expect_eq(request_there_and_back(&request).hello.token.bytes[3], 0);
}

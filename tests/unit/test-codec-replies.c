/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of every answer and event goes there and back, and none is taken for another. */
#include <errno.h>
#include <string.h>

#include "tests/unit/reply_back.h"

TestSuite(codec_replies);

static void expect_same_limits(const struct byte_limits *back, const struct byte_limits *sent)
{
    SAME(max_bytes);
    SAME(max_physical_bytes);
    SAME(max_mapped_bytes);
}

static void expect_same_times(const struct lease_times *back, const struct lease_times *sent)
{
    SAME(ttl_min_ms);
    SAME(ttl_max_ms);
    SAME(ttl_default_ms);
    SAME(reconnect_grace_ms);
}

Test(codec_replies, common_fields)
{
    struct reply reply = {.is_answer = true, .reply_to = 4, .descriptors = 5, .kind = REPLY_DONE};
    struct reply answer = reply_back(&reply);
    const struct reply *back = &answer, *sent = &reply;
    SAME(is_answer);
    SAME(reply_to);
    SAME(descriptors);
    reply = (struct reply){.kind = REPLY_PONG};
    answer = reply_back(&reply);
    SAME(is_answer);
    SAME(reply_to);
    SAME(descriptors);
    reply.kind = EVENT_SHUTTING_DOWN;
    (void)reply_back(&reply);
}

static struct refusal a_refusal(uint64_t from)
{
    struct refusal refusal = {.limit = "max_bytes",
                              .whose = "host",
                              .limit_bytes = from,
                              .asked_bytes = from + 1,
                              .used_bytes = from + 2,
                              .free_bytes = from + 3,
                              .reserved_bytes = from + 4,
                              .claimed_bytes = from + 5,
                              .pool_bytes = from + 6,
                              .holder_count = MESSAGE_HOLDERS_MAX,
                              .ahead_count = MESSAGE_HOLDERS_MAX - 1};
    for (uint32_t i = 0; i < MESSAGE_HOLDERS_MAX; i++) {
        refusal.holders[i] = (struct holder){
            10 * i + 1, "h", (int32_t)(10 * i) + 2, 10 * i + 3, 10 * i + 4, 10 * i + 5, 10 * i + 6, i == 1};
    }
    for (uint32_t i = 0; i < refusal.ahead_count; i++) {
        refusal.ahead[i] = (struct holder){20 * i + 1, "w", (int32_t)(20 * i) + 2, 20 * i + 3, 20 * i + 4, 0, 0, false};
    }
    return refusal;
}

static void expect_same_refusal(const struct refusal *back, const struct refusal *sent)
{
    SAME_TEXT(limit);
    SAME_TEXT(whose);
    SAME(limit_bytes);
    SAME(asked_bytes);
    SAME(used_bytes);
    SAME(free_bytes);
    SAME(reserved_bytes);
    SAME(claimed_bytes);
    SAME(pool_bytes);
    SAME(holder_count);
    for (size_t i = 0; i < sent->holder_count; i++) {
        SAME(holders[i].session);
        SAME_TEXT(holders[i].name);
        SAME(holders[i].pid);
        SAME(holders[i].uid);
        SAME(holders[i].bytes);
        SAME(holders[i].block);
        SAME(holders[i].views);
        SAME(holders[i].has_ended);
    }
    SAME(ahead_count);
    for (size_t i = 0; i < sent->ahead_count; i++) {
        SAME(ahead[i].session);
        SAME_TEXT(ahead[i].name);
        SAME(ahead[i].pid);
        SAME(ahead[i].uid);
        SAME(ahead[i].bytes);
    }
}

Test(codec_replies, error)
{
    struct reply reply = {.kind = REPLY_ERROR};
    struct error_reply *sent = &reply.error;
    *sent = (struct error_reply){.code = ERROR_DISK_FULL, .sentence = "s", .refusal = a_refusal(20), .system_errno = 6};
    struct reply answer = reply_back(&reply);
    const struct error_reply *back = &answer.error;
    SAME(code);
    SAME_TEXT(sentence);
    SAME(system_errno);
    expect_same_refusal(&back->refusal, &sent->refusal);
    sent->refusal = (struct refusal){.limit_bytes = 5}; /* no limit is named: there is none */
    sent->system_errno = 0;
    answer = reply_back(&reply);
    SAME(system_errno);
    cr_expect_eq(back->refusal.limit_bytes, 0);
}

Test(codec_replies, welcome)
{
    struct reply reply = {.kind = REPLY_WELCOME};
    struct welcome_reply *sent = &reply.welcome;
    *sent = (struct welcome_reply){.protocol = 1,
                                   .daemon_version = "v",
                                   .session = 2,
                                   .resumed = true,
                                   .times = {3, 4, 5, 6},
                                   .host_limits = {7, 8, 9},
                                   .client_limits = {10, LIMIT_OFF, 11},
                                   .message_bytes_max = 12,
                                   .control_bytes = 13,
                                   .leases_survive = true};
    memset(sent->token.bytes, 14, sizeof sent->token.bytes);
    struct reply answer = reply_back(&reply);
    const struct welcome_reply *back = &answer.welcome;
    SAME(protocol);
    SAME_TEXT(daemon_version);
    SAME(session);
    SAME(resumed);
    expect_same_times(&back->times, &sent->times);
    expect_same_limits(&back->host_limits, &sent->host_limits);
    expect_same_limits(&back->client_limits, &sent->client_limits);
    SAME(message_bytes_max);
    SAME(control_bytes);
    SAME(leases_survive);
    cr_expect_arr_eq(back->token.bytes, sent->token.bytes, sizeof sent->token.bytes);
    *sent = (struct welcome_reply){.protocol = 1};
    answer = reply_back(&reply);
    cr_expect_str_eq(back->daemon_version, "");
    SAME(session);
    SAME(leases_survive);
}

Test(codec_replies, grant)
{
    struct reply reply = {.kind = REPLY_GRANT};
    struct grant_reply *sent = &reply.grant;
    *sent = (struct grant_reply){.lease = 1,
                                 .segment = 2,
                                 .bytes = 3,
                                 .location = LOCATION_MMAP,
                                 .ttl_ms = 4,
                                 .slot = 5,
                                 .generation = 6,
                                 .huge_pages = true,
                                 .extents = 7,
                                 .file_bytes = 8,
                                 .charge = CHARGE_CLIENT,
                                 .is_present = true,
                                 .is_remembered = true,
                                 .prefault = true};
    for (int i = 0; i < 2; i++) {
        struct reply answer = reply_back(&reply);
        const struct grant_reply *back = &answer.grant;
        SAME(lease);
        SAME(segment);
        SAME(bytes);
        SAME(location);
        SAME(ttl_ms);
        SAME(slot);
        SAME(generation);
        SAME(huge_pages);
        SAME(extents);
        SAME(file_bytes);
        SAME(charge);
        SAME(is_present);
        SAME(is_remembered);
        SAME(prefault);
        *sent = (struct grant_reply){.lease = 9};
    }
}

Test(codec_replies, renewed)
{
    static const struct lease_end ended[] = {{1, END_EXPIRED}, {2, END_REVOKED}};
    struct reply reply = {.kind = REPLY_RENEWED, .renewed = {3, ended, 2}};
    struct reply answer = reply_back(&reply);
    const struct renewed_reply *back = &answer.renewed, *sent = &reply.renewed;
    SAME(leases);
    SAME(ended_count);
    for (size_t i = 0; i < 2; i++) {
        SAME(ended[i].lease);
        SAME(ended[i].reason);
    }
}

Test(codec_replies, status)
{
    struct reply reply = {.kind = REPLY_STATUS};
    struct status_reply *sent = &reply.status;
    *sent = (struct status_reply){.daemon_version = "v",
                                  .pid = 1,
                                  .uptime_ms = 2,
                                  .limits = {3, 4, 5},
                                  .used_bytes = 6,
                                  .used_physical_bytes = 7,
                                  .used_mapped_bytes = 8,
                                  .freeing_bytes = 9,
                                  .sessions = 10,
                                  .leases = 11,
                                  .segments = 12,
                                  .counters = {13, 14, 15, 16, 17, 18, 19},
                                  .host_total_bytes = 20,
                                  .host_available_bytes = 21,
                                  .spill_directory = "/s",
                                  .away_ms = 22,
                                  .pooled_bytes = 23,
                                  .pool_hits = 24,
                                  .pool_misses = 25,
                                  .waiting = 26,
                                  .reserved_bytes = 27,
                                  .pressure = PRESSURE_FULL,
                                  .remembered = 28,
                                  .control_bytes = 29,
                                  .reservable_bytes = 30,
                                  .freeing_physical_bytes = 31,
                                  .blocks = {32, 33, {34, 35, 36}, 37, 38, 39}};
    struct reply answer = reply_back(&reply);
    const struct status_reply *back = &answer.status;
    SAME_TEXT(daemon_version);
    SAME(pid);
    SAME(uptime_ms);
    expect_same_limits(&back->limits, &sent->limits);
    SAME(used_bytes);
    SAME(used_physical_bytes);
    SAME(used_mapped_bytes);
    SAME(freeing_bytes);
    SAME(freeing_physical_bytes);
    SAME(sessions);
    SAME(leases);
    SAME(segments);
    SAME(counters.granted);
    SAME(counters.released);
    SAME(counters.expired);
    SAME(counters.revoked);
    SAME(counters.died);
    SAME(counters.refused);
    SAME(counters.extended);
    SAME(blocks.blocks);
    SAME(blocks.views);
    for (enum lifetime lifetime = LIFETIME_SESSION; lifetime < LIFETIMES; lifetime++) {
        SAME(blocks.bytes[lifetime]);
    }
    SAME(blocks.published);
    SAME(blocks.attached);
    SAME(blocks.evicted);
    SAME(host_total_bytes);
    SAME(host_available_bytes);
    SAME_TEXT(spill_directory);
    SAME(away_ms);
    SAME(pooled_bytes);
    SAME(pool_hits);
    SAME(pool_misses);
    SAME(waiting);
    SAME(reserved_bytes);
    SAME(pressure);
    SAME(remembered);
    SAME(control_bytes);
    SAME(reservable_bytes);
    *sent = (struct status_reply){.pid = 1, .reservable_bytes = LIMIT_OFF};
    answer = reply_back(&reply);
    SAME(reservable_bytes);
    cr_expect_str_eq(back->daemon_version, "");
    cr_expect_str_eq(back->spill_directory, "");
}

/* ---- listings ---- */

Test(codec_replies, sessions)
{
    static const struct session_entry entries[] = {
        {1, "n", 2, 3, 4, true, 5, 6, 7, {8, 9, 10}, "c", 11, 12, 22, CLASS_RULE_SLICES, "a.slice", 24},
        {13, "m", 14, 15, 16, false, 17, 18, 19, {LIMIT_OFF, LIMIT_OFF, LIMIT_OFF}, "d", 20, 21, 23, 1, "", 0},
    };
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.sessions = entries, .session_count = 2}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.session_count, 2);
    cr_assert_eq(answer.listing.lease_count, 0);
    cr_assert_eq(answer.listing.queue_count, 0);
    cr_expect_not(answer.listing.more);
    for (size_t i = 0; i < 2; i++) {
        const struct session_entry *back = &answer.listing.sessions[i], *sent = &entries[i];
        SAME(session);
        SAME_TEXT(name);
        SAME(pid);
        SAME(uid);
        SAME(gid);
        SAME(connected);
        SAME(leases);
        SAME(physical_bytes);
        SAME(mapped_bytes);
        expect_same_limits(&back->limits, &sent->limits);
        SAME_TEXT(class);
        SAME(priority);
        SAME(weight);
        SAME(charged_uid);
        SAME(class_rule);
        SAME_TEXT(class_pattern);
    }
}

Test(codec_replies, leases)
{
    static const struct lease_entry entries[] = {
        {1, 2, "n", "c", "k", 3, 4, 5, 6, LOCATION_RAM, 7, 8, 9, true, 0, true, CHARGE_BROKER, true, 19},
        {10, 11, "m", "d", "l", 12, 13, 14, 15, LOCATION_MMAP, 16, 17, 18, false, -1, false, CHARGE_UNSPECIFIED, false,
         0},
    };
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.leases = entries, .lease_count = 2, .more = true}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.lease_count, 2);
    cr_expect(answer.listing.more);
    for (size_t i = 0; i < 2; i++) {
        const struct lease_entry *back = &answer.listing.leases[i], *sent = &entries[i];
        SAME(lease);
        SAME(session);
        SAME_TEXT(name);
        SAME_TEXT(client);
        SAME_TEXT(class);
        SAME(pid);
        SAME(uid);
        SAME(bytes);
        SAME(used_bytes);
        SAME(location);
        SAME(extents);
        SAME(ttl_ms);
        SAME(remaining_ms);
        SAME(huge_pages);
        SAME(numa_node);
        SAME(prefaulted);
        SAME(charge);
        SAME(interleaved);
        SAME(block);
    }
}

Test(codec_replies, queue)
{
    static const struct queue_entry entries[] = {
        {1, 2, "n", "c", 3, 4, 5, 6, LOCATION_RAM, 7, 8, 9, "l", "w"},
        {10, 11, "m", "d", 12, 13, 14, 15, LOCATION_AUTO, 16, 17, 18, "k", "v"},
    };
    struct reply reply = {.kind = REPLY_LISTING, .listing = {.queue = entries, .queue_count = 2}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.queue_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct queue_entry *back = &answer.listing.queue[i], *sent = &entries[i];
        SAME(place);
        SAME(session);
        SAME_TEXT(name);
        SAME_TEXT(class);
        SAME(pid);
        SAME(uid);
        SAME(request);
        SAME(bytes);
        SAME(location);
        SAME(priority);
        SAME(waited_ms);
        SAME(remaining_ms);
        SAME_TEXT(limit);
        SAME_TEXT(whose);
    }
}

Test(codec_replies, why)
{
    struct why_entry entries[] = {
        {1, "n", 2, 3, true, false, 4, 5, LOCATION_MMAP, true, {.limit = ""}, 6},
        {7, "m", 8, 9, false, true, 10, 11, LOCATION_RAM, false, {.limit = ""}, UINT64_MAX},
    };
    entries[0].refusal = a_refusal(30);
    entries[1].refusal = a_refusal(40);
    struct reply reply = {.kind = REPLY_WHY, .why = {entries, 2}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.why.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct why_entry *back = &answer.why.entries[i], *sent = &entries[i];
        SAME(session);
        SAME_TEXT(name);
        SAME(pid);
        SAME(uid);
        SAME(waits);
        SAME(is_over);
        SAME(place);
        SAME(since_ms);
        SAME(location);
        SAME(either);
        SAME(earliest_ms);
        expect_same_refusal(&back->refusal, &sent->refusal);
    }
}

Test(codec_replies, audit)
{
    static const char *const differences[] = {"a", "b"};
    struct reply reply = {.kind = REPLY_AUDIT, .audit = {1, 2, 3, 4, 5, 8, 9, 6, 7, differences, 2}};
    struct reply answer = reply_back(&reply);
    const struct audit_reply *back = &answer.audit, *sent = &reply.audit;
    SAME(segments);
    SAME(ledger_physical_bytes);
    SAME(ledger_mapped_bytes);
    SAME(kernel_physical_bytes);
    SAME(kernel_mapped_bytes);
    SAME(ledger_control_bytes);
    SAME(kernel_control_bytes);
    SAME(resident_physical_bytes);
    SAME(in_flight);
    SAME(difference_count);
    SAME_TEXT(differences[0]);
    SAME_TEXT(differences[1]);
}

/* ---- events ---- */

Test(codec_replies, events)
{
    struct reply reply = {.kind = EVENT_EXPIRING, .expiring = {1, 2}};
    struct reply answer = reply_back(&reply);
    const struct reply *back = &answer, *sent = &reply;
    SAME(expiring.lease);
    SAME(expiring.remaining_ms);
    reply = (struct reply){.kind = EVENT_SPARED, .spared_lease = 5};
    cr_expect_eq(reply_back(&reply).spared_lease, 5);
    reply = (struct reply){.kind = EVENT_REVOKING, .revoking = {3, 4}};
    answer = reply_back(&reply);
    SAME(revoking.lease);
    SAME(revoking.remaining_ms);
    reply = (struct reply){.kind = EVENT_LEASE_ENDED, .lease_ended = {5, END_TAMPERED}};
    answer = reply_back(&reply);
    SAME(lease_ended.lease);
    SAME(lease_ended.reason);
    reply = (struct reply){.kind = EVENT_TRIM, .trim = {6, LOCATION_MMAP, 7}};
    answer = reply_back(&reply);
    SAME(trim.wanted_bytes);
    SAME(trim.location);
    SAME(trim.deadline_ms);
    reply = (struct reply){.kind = EVENT_PRESSURE, .pressure = PRESSURE_SOME};
    answer = reply_back(&reply);
    SAME(pressure);
    reply = (struct reply){.kind = EVENT_CONTROL_PAGE, .control_page = {15, 16, 17}};
    answer = reply_back(&reply);
    SAME(control_page.bytes);
    SAME(control_page.first_slot);
    SAME(control_page.slots);
    reply = (struct reply){.kind = EVENT_LIMITS_CHANGED, .limits_changed = {{8, 9, 10}, {11, 12, 13, 14}}};
    answer = reply_back(&reply);
    expect_same_limits(&back->limits_changed.host_limits, &sent->limits_changed.host_limits);
    expect_same_times(&back->limits_changed.times, &sent->limits_changed.times);
}

/* ---- what this encoder does not write ---- */

static int decode_bytes(const char *bytes, size_t size, struct reply *ret)
{
    static struct codec_arena arena;
    return codec_decode_reply((const uint8_t *)bytes, size, &arena, ret);
}

Test(codec_replies, absent_fields_and_fields_of_a_wrong_length)
{
    struct reply back;
    static const char no_limits[] = "\x22\x02\x08\x01";          /* welcome {protocol: 1} */
    static const char short_token[] = "\x22\x05\x22\x03xyz";     /* welcome {token: "xyz"} */
    static const char no_counters[] = "\x42\x02\x10\x05";        /* status {pid: 5} */
    static const char no_refusal[] = "\x62\x04\x0a\x02\x08\x07"; /* why {entries {session: 7}} */
    static const char unknown[] = "\x08\x09\xfa\x06\x00";        /* reply_to 9, a body that is not known */
    cr_assert_eq(decode_bytes(no_limits, sizeof no_limits - 1, &back), 0);
    cr_expect_eq(back.welcome.protocol, 1);
    cr_expect_eq(back.welcome.host_limits.max_bytes, LIMIT_OFF);
    cr_expect_eq(back.welcome.host_limits.max_physical_bytes, LIMIT_OFF);
    cr_expect_eq(back.welcome.host_limits.max_mapped_bytes, LIMIT_OFF);
    cr_expect_eq(decode_bytes(short_token, sizeof short_token - 1, &back), -EBADMSG);
    cr_assert_eq(decode_bytes(no_counters, sizeof no_counters - 1, &back), 0);
    cr_expect_eq(back.status.pid, 5);
    cr_expect_eq(back.status.counters.granted, 0);
    cr_assert_eq(decode_bytes(no_refusal, sizeof no_refusal - 1, &back), 0);
    cr_assert_eq(back.why.count, 1);
    cr_expect_eq(back.why.entries[0].session, 7);
    cr_expect_eq(back.why.entries[0].earliest_ms, UINT64_MAX);
    cr_assert_eq(decode_bytes(unknown, sizeof unknown - 1, &back), 0);
    cr_expect_eq(back.kind, REPLY_UNKNOWN);
    cr_expect(back.is_answer && back.reply_to == 9);
    cr_expect_eq(decode_bytes("\xff", 1, &back), -EBADMSG);
}

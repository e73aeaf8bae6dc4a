/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of a listing of events goes there and back, and none is taken for another. */
#include <string.h>

#include "tests/unit/reply_back.h"

TestSuite(codec_events);

static void expect_same(const struct event_entry *sent, const struct event_entry *back)
{
    SAME(event);
    SAME(at_unix_ms);
    SAME(last_unix_ms);
    SAME(count);
    SAME(bytes);
    SAME(session);
    SAME(lease);
    SAME(limit_bytes);
    SAME(used_bytes);
    SAME(by_session);
    SAME(by_bytes);
    SAME(kind);
    SAME(location);
    SAME(reason);
    SAME(code);
    SAME(limit_kind);
    SAME(pid);
    SAME(by_pid);
    SAME(uid);
    SAME(by_uid);
    SAME(has_uid);
    SAME(has_by);
    SAME_TEXT(client);
    SAME_TEXT(class);
    SAME_TEXT(name);
    SAME_TEXT(whose);
    SAME_TEXT(by_name);
    SAME_TEXT(text);
}

Test(codec_events, a_listing)
{
    static const struct event_entry entries[] = {
        {1,
         2,
         3,
         4,
         5,
         6,
         7,
         8,
         9,
         10,
         11,
         EVENT_KIND_REFUSED,
         LOCATION_MMAP,
         END_REVOKED,
         ERROR_LIMIT,
         LIMIT_KIND_LEASES,
         12,
         13,
         14,
         15,
         true,
         true,
         "c",
         "l",
         "n",
         "w",
         "b",
         "t"},
        {.event = 16, .kind = EVENT_KIND_RESTARTED, .count = 1, .text = "took over"},
    };
    struct reply reply = {.kind = REPLY_LISTING,
                          .listing = {.events = entries, .event_count = 2, .last = 17, .more = true}};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.event_count, 2);
    cr_expect(answer.listing.more);
    cr_expect_eq(answer.listing.last, 17);
    expect_same(&entries[0], &answer.listing.events[0]);
    expect_same(&entries[1], &answer.listing.events[1]);
}

Test(codec_events, a_full_page_of_the_longest_rows_fits_a_message)
{
    static struct event_entry entries[MESSAGE_EVENTS_MAX];
    struct reply reply = {.is_answer = true, .reply_to = UINT64_MAX, .kind = REPLY_LISTING};
    for (size_t i = 0; i < MESSAGE_EVENTS_MAX; i++) {
        struct event_entry *event = &entries[i];
        (void)memset(event, 0x7f, sizeof *event);
        event->has_uid = event->has_by = true;
        event->client[MESSAGE_NAME_SIZE - 1] = event->name[MESSAGE_NAME_SIZE - 1] = '\0';
        event->class[MESSAGE_CLASS_SIZE - 1] = event->whose[MESSAGE_WHOSE_SIZE - 1] = '\0';
        event->by_name[MESSAGE_NAME_SIZE - 1] = event->text[MESSAGE_TEXT_SIZE - 1] = '\0';
    }
    reply.listing =
        (struct listing_reply){.events = entries, .event_count = MESSAGE_EVENTS_MAX, .last = UINT64_MAX, .more = true};
    cr_expect_eq(reply_back(&reply).listing.event_count, MESSAGE_EVENTS_MAX);
}

Test(codec_events, samples)
{
    static struct sample_entry entries[MESSAGE_SAMPLES_MAX];
    struct reply reply = {.is_answer = true, .reply_to = UINT64_MAX, .kind = REPLY_LISTING};
    for (size_t i = 0; i < MESSAGE_SAMPLES_MAX; i++) {
        (void)memset(&entries[i], 0x7f, sizeof entries[i]);
        entries[i].class[MESSAGE_CLASS_SIZE - 1] = '\0';
        entries[i].is_reservation = i % 2;
    }
    entries[1] = (struct sample_entry){1, 2, 3, 4, {5, LIMIT_OFF, 7}, "c", true};
    reply.listing = (struct listing_reply){
        .samples = entries, .sample_count = MESSAGE_SAMPLES_MAX, .last = UINT64_MAX, .more = true};
    struct reply answer = reply_back(&reply);
    cr_assert_eq(answer.listing.sample_count, MESSAGE_SAMPLES_MAX, "a full page of the longest fits a message");
    const struct sample_entry *sent = &entries[1], *back = &answer.listing.samples[1];
    SAME(sample);
    SAME(at_unix_ms);
    SAME(physical_bytes);
    SAME(mapped_bytes);
    SAME(limits.max_bytes);
    SAME(limits.max_physical_bytes);
    SAME(limits.max_mapped_bytes);
    SAME(is_reservation);
    SAME_TEXT(class);
}

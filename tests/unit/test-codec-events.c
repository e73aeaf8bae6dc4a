/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of a listing of events goes there and back, and none is taken for another. */
#include <string.h>

#include "membroker.pb-c.h"
#include "proto/codec.h"
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

/* What a client sees in an event with these numbers. */
static enum limit_kind kind_in(const int *kind, const int *sharing)
{
    static struct codec_arena arena;
    static uint8_t payload[MESSAGE_BYTES_MAX];
    Membroker__V1__DaemonMessage message = MEMBROKER__V1__DAEMON_MESSAGE__INIT;
    Membroker__V1__Listing listing = MEMBROKER__V1__LISTING__INIT;
    Membroker__V1__EventEntry event = MEMBROKER__V1__EVENT_ENTRY__INIT, *events[] = {&event};
    struct reply read;
    event.has_limit_kind = kind != NULL;
    event.limit_kind = (Membroker__V1__LimitKind)(kind ? *kind : 0);
    event.has_sharing_limit_kind = sharing != NULL;
    event.sharing_limit_kind = (Membroker__V1__LimitKind)(sharing ? *sharing : 0);
    listing.n_events = 1;
    listing.events = events;
    message.body_case = MEMBROKER__V1__DAEMON_MESSAGE__BODY_LISTING;
    message.listing = &listing;
    size_t bytes = membroker__v1__daemon_message__pack(&message, payload);
    cr_assert_eq(codec_decode_reply(payload, bytes, &arena, &read), 0);
    return read.listing.events[0].limit_kind;
}

/* Clients of before the limits of [sharing] have a table of names that ends with DISK_SPACE. */
Test(codec_events, an_older_client_is_sent_no_limit_that_it_does_not_know)
{
    static struct codec_arena arena;
    static uint8_t frame[FRAME_BYTES_MAX];
    for (enum limit_kind kind = LIMIT_KIND_UNSPECIFIED; kind < LIMIT_KINDS; kind++) {
        const struct event_entry entry = {.event = 1, .kind = EVENT_KIND_REFUSED, .limit_kind = kind};
        const struct reply reply = {.kind = REPLY_LISTING, .listing = {.events = &entry, .event_count = 1}};
        int bytes = codec_encode_reply(&reply, &arena, frame);
        Membroker__V1__DaemonMessage *message =
            membroker__v1__daemon_message__unpack(NULL, (size_t)bytes - FRAME_HEADER_BYTES, frame + FRAME_HEADER_BYTES);
        cr_assert(message);
        const Membroker__V1__EventEntry *event = message->listing->events[0];
        cr_expect_leq(event->limit_kind, MEMBROKER__V1__LIMIT_KIND__LIMIT_KIND_DISK_SPACE);
        cr_expect_eq(event->has_limit_kind, kind && kind <= LIMIT_KIND_DISK_SPACE);
        cr_expect_eq(event->has_sharing_limit_kind, kind > LIMIT_KIND_DISK_SPACE);
        membroker__v1__daemon_message__free_unpacked(message, NULL);
        struct reply copy = reply;
        cr_expect_eq(reply_back(&copy).listing.events[0].limit_kind, kind);
    }
}

Test(codec_events, a_limit_of_a_newer_broker_is_none)
{
    static const int leases = LIMIT_KIND_LEASES, blocks = LIMIT_KIND_BLOCKS, newer = LIMIT_KINDS, negative = -1;
    cr_expect_eq(kind_in(&leases, NULL), LIMIT_KIND_LEASES);
    cr_expect_eq(kind_in(NULL, &blocks), LIMIT_KIND_BLOCKS);
    cr_expect_eq(kind_in(NULL, NULL), LIMIT_KIND_UNSPECIFIED);
    cr_expect_eq(kind_in(&newer, NULL), LIMIT_KIND_UNSPECIFIED);
    cr_expect_eq(kind_in(NULL, &newer), LIMIT_KIND_UNSPECIFIED);
    cr_expect_eq(kind_in(NULL, &negative), LIMIT_KIND_UNSPECIFIED);
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

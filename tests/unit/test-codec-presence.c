/* SPDX-License-Identifier: Apache-2.0 */
/* What a message does not say is not sent: the exact bytes of messages whose members have no values yet. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/codec.h"

TestSuite(codec_presence);

static struct codec_arena arena;
static uint8_t frame[FRAME_BYTES_MAX];

static void expect_payload(int bytes, const char *hex, const char *what)
{
    char text[512] = "";
    cr_assert(bytes >= FRAME_HEADER_BYTES && bytes < 200, "%s", what);
    for (int i = FRAME_HEADER_BYTES; i < bytes; i++) {
        (void)snprintf(text + strlen(text), 3, "%02x", frame[i]);
    }
    cr_expect_str_eq(text, hex, "%s", what);
}

static void expect_request(struct request request, const char *hex, const char *what)
{
    expect_payload(codec_encode_request(&request, &arena, frame), hex, what);
}

static void expect_reply(struct reply reply, const char *hex, const char *what)
{
    expect_payload(codec_encode_reply(&reply, &arena, frame), hex, what);
}

Test(codec_presence, a_request_leaves_out_what_it_does_not_say)
{
    struct request hello = {
        .kind = REQUEST_HELLO,
        .hello = {.heap_bytes = LIMIT_DEFAULT, .max_bytes = LIMIT_DEFAULT, .max_physical_bytes = LIMIT_DEFAULT}};
    expect_request(hello, "1206080010003800", "neither limits nor a session to resume");
    hello.hello.heap_bytes = 0;
    expect_request(hello, "12080800100020003800", "a limit that is off is said");
    expect_request((struct request){.kind = REQUEST_ACQUIRE, .acquire = {.numa_node = -1}}, "1a080800100018003800",
                   "no wishes");
    expect_request((struct request){.kind = REQUEST_ACQUIRE, .acquire = {.numa_node = -7}}, "1a080800100018003800",
                   "no node");
    expect_request((struct request){.kind = REQUEST_ACQUIRE, .acquire = {.has_huge_pages = true}},
                   "1a0c080010001800280030003800", "no huge pages, and node 0");
    expect_request((struct request){.kind = REQUEST_EXTEND}, "2206080010001800", "an extension");
    expect_request((struct request){.kind = REQUEST_RENEW}, "3200", "a renewal without a report");
}

Test(codec_presence, a_reply_leaves_out_what_it_does_not_say)
{
    expect_reply((struct reply){.kind = REPLY_ERROR}, "1a020800", "an error without figures");
    expect_reply((struct reply){.kind = REPLY_WELCOME}, "221c0800300038004000480052060800100018005a060800100018006000",
                 "a monitor's welcome");
    expect_reply((struct reply){.kind = REPLY_WELCOME, .welcome = {.session = 1}},
                 "2236080018012210000000000000000000000000000000002800300038004000480052060800100018005a060800100018006"
                 "00068007000",
                 "a session's welcome");
    expect_reply((struct reply){.kind = REPLY_GRANT}, "2a12080010001800200028003000380040004800", "a grant");
    expect_reply(
        (struct reply){.kind = EVENT_LIMITS_CHANGED, .limits_changed = {.host_limits = {LIMIT_OFF, 0, LIMIT_OFF}}},
        "92010c0a0210001000180020002800", "limits that are off");
}

Test(codec_presence, a_row_leaves_out_what_does_not_apply)
{
    struct lease_entry lease = {
        .location = LOCATION_MMAP, .numa_node = -1, .charge = CHARGE_CLIENT, .interleaved = true};
    struct reply listing = {.kind = REPLY_LISTING, .listing = {.leases = &lease, .lease_count = 1}};
    expect_reply(listing, "4a1c12180800100020002800300038004002480050005800600070001800",
                 "only RAM is charged and interleaved");
    lease = (struct lease_entry){.location = LOCATION_RAM};
    expect_reply(listing, "4a24122008001000200028003000380040014800500058006000680070008001008801001800",
                 "a lease in RAM, on node 0");
}

/* A session's row from a broker that does not send who is charged. */
Test(codec_presence, an_older_broker_charges_the_user_of_the_session)
{
    static const uint8_t listing[] = {0x4a, 0x04, 0x0a, 0x02, 0x20, 0x07}; /* listing {sessions {uid: 7}} */
    struct reply reply;
    cr_assert_eq(codec_decode_reply(listing, sizeof listing, &arena, &reply), 0);
    cr_assert_eq(reply.listing.session_count, 1);
    cr_expect_eq(reply.listing.sessions[0].charged_uid, 7);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a refusal's limit is taken for, whatever version the broker has. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "membroker.pb-c.h"
#include "proto/codec.h"

static struct codec_arena arena;

static enum limit_kind kind_of(char *name, bool has_kind, int kind)
{
    Membroker__V1__DaemonMessage message = MEMBROKER__V1__DAEMON_MESSAGE__INIT;
    Membroker__V1__Error error = MEMBROKER__V1__ERROR__INIT;
    Membroker__V1__Refusal refusal = MEMBROKER__V1__REFUSAL__INIT;
    static uint8_t payload[MESSAGE_BYTES_MAX];
    struct reply read;
    message.body_case = MEMBROKER__V1__DAEMON_MESSAGE__BODY_ERROR;
    message.error = &error;
    error.refusal = &refusal;
    refusal.limit = name;
    refusal.has_limit_kind = has_kind;
    refusal.limit_kind = (Membroker__V1__LimitKind)kind;
    size_t bytes = membroker__v1__daemon_message__pack(&message, payload);
    cr_assert_eq(codec_decode_reply(payload, bytes, &arena, &read), 0);
    return read.error.refusal.limit_kind;
}

Test(codec_limits, the_kind_decides_if_it_is_known_otherwise_the_name)
{
    static char leases[] = "max_leases", strange[] = "max_moons";
    cr_expect_eq(kind_of(leases, true, LIMIT_KIND_BYTES), LIMIT_KIND_BYTES);
    cr_expect_eq(kind_of(leases, true, LIMIT_KIND_USER_WATCHES), LIMIT_KIND_USER_WATCHES, "the last one");
    cr_expect_eq(kind_of(leases, true, LIMIT_KINDS), LIMIT_KIND_LEASES, "a newer broker's");
    cr_expect_eq(kind_of(leases, true, -1), LIMIT_KIND_LEASES);
    cr_expect_eq(kind_of(leases, true, LIMIT_KIND_UNSPECIFIED), LIMIT_KIND_UNSPECIFIED);
    cr_expect_eq(kind_of(leases, false, LIMIT_KIND_BYTES), LIMIT_KIND_LEASES, "an older broker's");
    cr_expect_eq(kind_of(strange, false, 0), LIMIT_KIND_UNSPECIFIED);
    cr_expect_eq(kind_of(NULL, false, 0), LIMIT_KIND_UNSPECIFIED);
}

Test(codec_limits, each_has_the_name_of_its_setting)
{
    for (enum limit_kind kind = LIMIT_KIND_BYTES; kind < LIMIT_KINDS; kind++) {
        cr_expect(limit_kind_name(kind)[0] && limit_kind_named(limit_kind_name(kind)) == kind);
    }
    cr_expect_str_eq(limit_kind_unit(LIMIT_KIND_PHYSICAL_BYTES), "bytes");
    cr_expect_str_eq(limit_kind_unit(LIMIT_KIND_LEASES), "leases");
    cr_expect(limit_kind_is_in_bytes(LIMIT_KIND_BOARD_BYTES) && !limit_kind_is_in_bytes(LIMIT_KIND_OBJECTS));
    cr_expect(limit_kind_is_of_sharing(LIMIT_KIND_BLOCKS) && !limit_kind_is_of_sharing(LIMIT_KIND_DISK_SPACE));
    cr_expect_str_eq(limit_kind_name(LIMIT_KIND_UNSPECIFIED), "");
    cr_expect_eq(limit_kind_named(""), LIMIT_KIND_UNSPECIFIED);
}

static bool is_long(enum request_kind kind)
{
    return kind == REQUEST_RENEW || kind == REQUEST_RESERVE || kind == REQUEST_ATTACH || kind == REQUEST_PUBLISH ||
           kind == REQUEST_PUT;
}

/* The library has no more than this on its stack for all but renewals, metadata and objects; it makes no reservations.
 */
Test(codec_limits, only_renewals_reservations_metadata_and_objects_are_long)
{
    for (enum request_kind kind = 0; kind < REQUEST_KINDS; kind++) {
        const struct request request = {.kind = kind};
        size_t bytes = codec_request_frame_max(&request);
        cr_expect(is_long(kind) ? bytes == FRAME_BYTES_MAX : bytes <= 1024, "kind %u: %zu bytes", kind, bytes);
    }
}

Test(codec_limits, a_limited_arena_tells_that_it_ran_out)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    static struct lease_entry leases[50];
    const struct reply listing = {.kind = REPLY_LISTING, .listing = {.leases = leases, .lease_count = 50}};
    struct codec_arena *small = codec_arena_new_limited(CODEC_SMALL_BYTES);
    const uint8_t *payload;
    size_t payload_bytes;
    struct reply read;
    int bytes = codec_encode_reply(&listing, &arena, frame);
    cr_assert(small && bytes > 0 && frame_open(frame, (size_t)bytes, &payload, &payload_bytes) == 0);
    cr_expect_eq(codec_decode_reply(payload, payload_bytes, small, &read), -EBADMSG);
    cr_expect(small->ran_out && small->used <= CODEC_SMALL_BYTES);
    cr_expect_eq(codec_decode_reply(payload, 0, small, &read), 0, "an empty message is none that is known");
    cr_expect(!small->ran_out);
    cr_expect_eq(codec_decode_reply(payload, payload_bytes, &arena, &read), 0);
    cr_expect_eq(read.listing.lease_count, 50);
    free(small);
}

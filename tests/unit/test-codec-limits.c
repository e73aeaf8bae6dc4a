/* SPDX-License-Identifier: Apache-2.0 */
/* What a refusal's limit is taken for, whatever version the broker has. */
#include <criterion/criterion.h>

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
    cr_expect_eq(kind_of(leases, true, LIMIT_KIND_PAUSED), LIMIT_KIND_PAUSED, "the last one");
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
    cr_expect_str_eq(limit_kind_name(LIMIT_KIND_UNSPECIFIED), "");
    cr_expect_eq(limit_kind_named(""), LIMIT_KIND_UNSPECIFIED);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: alignment, buffers without asking the broker, resizing, finding by address. */
#include <stddef.h>
#include <stdint.h>

#include "tests/integration/buffers.h"

TestSuite(buffer_calls, .timeout = 60);

/* ---- alignment ---- */

static mb_buffer *make_aligned(size_t bytes, size_t alignment)
{
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer = NULL;
    options.alignment = alignment;
    cr_assert(mb_buffer_create(client, bytes, &options, &buffer) == 0, "%s", mb_last_error());
    cr_expect_eq((uintptr_t)mb_buffer_data(buffer) % alignment, 0, "%zu bytes at %zu", bytes, alignment);
    memset(mb_buffer_data(buffer), 1, bytes);
    return buffer;
}

Test(buffer_calls, any_power_of_two_up_to_2_mib_is_an_alignment)
{
    static const size_t sizes[] = {1, 65, 100, 5000, 32768, 40000, 300000, 3000000};
    mb_buffer *buffers[8][22];
    begin("");
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j < 22; j++) {
            buffers[i][j] = make_aligned(sizes[i], (size_t)1 << j);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j < 22; j++) {
            (void)mb_buffer_unref(buffers[i][j]);
            buffers[i][j] = make_aligned(sizes[i], (size_t)1 << (21 - j));
        }
    }
    for (size_t i = 0; i < 8 * 22; i++) {
        (void)mb_buffer_unref(buffers[i / 22][i % 22]);
    }
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(buffer_calls, other_alignments_are_refused)
{
    static const size_t alignments[] = {3, 96, 4 * MIB, SIZE_MAX};
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer;
    begin("");
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        options.alignment = alignments[i];
        cr_expect_eq(mb_buffer_create(client, 1, &options, &buffer), -EINVAL);
        EXPECT_SENTENCE("power of two");
    }
    end();
}

Test(buffer_calls, options_of_an_older_header_are_shorter)
{
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer;
    begin("");
    options.size = offsetof(mb_buffer_options, alignment);
    options.alignment = 3; /* what follows the structure of such a program */
    cr_assert(mb_buffer_create(client, 100, &options, &buffer) == 0, "%s", mb_last_error());
    (void)mb_buffer_unref(buffer);
    end();
}

/* ---- without asking ---- */

static int make_now(size_t bytes, mb_buffer **ret)
{
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    options.flags = MB_BUFFER_NO_WAIT | MB_ZEROED;
    return mb_buffer_create(client, bytes, &options, ret);
}

Test(buffer_calls, no_wait_fails_if_the_broker_must_be_asked)
{
    static const size_t sizes[] = {100, 100000, 30 * MIB};
    mb_buffer *buffer;
    begin("");
    for (size_t i = 0; i < 3; i++) {
        uint64_t before = used();
        cr_expect_eq(make_now(sizes[i], &buffer), -EAGAIN);
        EXPECT_SENTENCE("MB_BUFFER_NO_WAIT");
        cr_expect_eq(used(), before);
        (void)mb_buffer_unref(make(sizes[i]));
        before = used();
        cr_assert_eq(make_now(sizes[i], &buffer), 0, "%s", mb_last_error());
        cr_expect_eq(((char *)mb_buffer_data(buffer))[sizes[i] - 1], 0);
        (void)mb_buffer_unref(buffer);
        cr_expect_eq(used(), before);
    }
    end();
}

/* ---- resizing ---- */

static void resize(mb_buffer **buffer, size_t bytes)
{
    cr_assert(mb_buffer_resize(buffer, bytes) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_buffer_size(*buffer), bytes);
    cr_expect_eq(mb_buffer_references(*buffer), 1);
}

static void expect_content(const mb_buffer *buffer, size_t bytes)
{
    const unsigned char *data = mb_buffer_data(buffer);
    for (size_t i = 0; i < bytes; i += 1 + bytes / 1000) {
        cr_assert_eq(data[i], (unsigned char)(i * 7), "%zu of %zu", i, bytes);
    }
}

static void fill(mb_buffer *buffer)
{
    unsigned char *data = mb_buffer_data(buffer);
    for (size_t i = 0; i < mb_buffer_size(buffer); i++) {
        data[i] = (unsigned char)(i * 7);
    }
}

Test(buffer_calls, a_resized_buffer_keeps_its_content)
{
    static const size_t sizes[] = {100,    110, 112,     5000,    30000,  70000, 80000,
                                   300000, MIB, 5 * MIB, 4 * MIB, 100000, 50,    1};
    begin("");
    mb_buffer *buffer = make(64);
    fill(buffer);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t before = mb_buffer_size(buffer);
        resize(&buffer, sizes[i]);
        expect_content(buffer, before < sizes[i] ? before : sizes[i]);
        fill(buffer);
    }
    (void)mb_buffer_unref(buffer);
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(buffer_calls, a_buffer_grows_in_its_place_while_its_block_has_room)
{
    begin("");
    mb_buffer *buffer = make(1100), *before = buffer;
    const void *data = mb_buffer_data(buffer);
    resize(&buffer, 1152);
    resize(&buffer, 900);
    cr_expect(buffer == before && mb_buffer_data(buffer) == data);
    (void)mb_buffer_unref(buffer);
    end();
}

Test(buffer_calls, a_resized_buffer_stays_in_its_scope_and_keeps_its_name)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_buffer *buffer, *refused;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.max_bytes = 16 * MIB;
    cr_assert(mb_connect(&options, &client) == 0);
    MB_BUFFER_SCOPE
    {
        buffer = make_with(100, "grown", MB_LOCATION_RAM, 0);
        MB_BUFFER_SCOPE
        {
            resize(&buffer, 8 * MIB);
        }
        cr_expect_eq(mb_buffer_create(client, 12 * MIB, NULL, &refused), -ENOMEM);
        EXPECT_SENTENCE("buffer \"grown\" 8 MiB");
        cr_expect_eq(mb_buffer_resize(&buffer, 20 * MIB), -ENOMEM);
        cr_expect_eq(mb_buffer_size(buffer), 8 * MIB);
    }
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

Test(buffer_calls, only_the_sole_owner_resizes)
{
    begin("");
    mb_buffer *buffer = mb_buffer_ref(make(100));
    mb_weak *weak;
    cr_expect_eq(mb_buffer_resize(&buffer, 1000), -EBUSY);
    (void)mb_buffer_unref(buffer);
    cr_expect_eq(mb_buffer_resize(&buffer, 0), -EINVAL);
    cr_expect_eq(mb_buffer_resize(&buffer, SIZE_MAX), -ENOMEM);
    cr_assert_eq(mb_weak_create(buffer, &weak), 0);
    cr_expect_eq(mb_buffer_resize(&buffer, 1000), -EBUSY);
    cr_expect_eq(mb_buffer_size(buffer), 100);
    (void)mb_weak_drop(weak);
    (void)mb_buffer_unref(buffer);
    end();
}

Test(buffer_calls, a_buffer_that_had_weak_references_is_resized_after_the_last_is_dropped)
{
    static const size_t sizes[] = {100, 5000, 40000, 3 * MIB};
    mb_weak *weak, *second;
    begin("");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mb_buffer *buffer = make(sizes[i]);
        cr_assert(mb_weak_create(buffer, &weak) == 0 && mb_weak_create(buffer, &second) == 0);
        (void)mb_weak_drop(weak);
        cr_expect_eq(mb_buffer_resize(&buffer, 10 * sizes[i]), -EBUSY);
        (void)mb_weak_drop(second);
        resize(&buffer, 10 * sizes[i]);
        cr_assert_eq(mb_weak_create(buffer, &weak), 0);
        cr_expect_eq(mb_buffer_resize(&buffer, sizes[i]), -EBUSY);
        (void)mb_buffer_unref(mb_weak_get(weak));
        (void)mb_buffer_unref(buffer);
        cr_expect_null(mb_weak_get(weak));
        (void)mb_weak_drop(weak);
    }
    end();
}

static void count_call(const mb_reclaim *unused, void *calls)
{
    (void)unused;
    (*(int *)calls)++;
}

Test(buffer_calls, shrinking_asks_nobody_for_memory)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    int calls = 0;
    fixture_start(&fixture, "");
    options.socket = fixture.socket;
    options.max_bytes = 40 * MIB;
    options.on_reclaim = count_call;
    options.user_data = &calls;
    cr_assert(mb_connect(&options, &client) == 0);
    mb_buffer *buffer = make(40 * MIB);
    const void *data = mb_buffer_data(buffer);
    resize(&buffer, 20 * MIB);
    resize(&buffer, 100);
    cr_expect_eq(calls, 0);
    cr_expect_eq(mb_buffer_data(buffer), data, "nothing smaller was there");
    (void)mb_buffer_unref(buffer);
    end();
}

/* ---- by address ---- */

static void expect_found(mb_buffer *buffer)
{
    char *data = mb_buffer_data(buffer);
    size_t bytes = mb_buffer_size(buffer);
    cr_expect_eq(mb_buffer_from_address(client, data), buffer);
    cr_expect_eq(mb_buffer_from_address(client, data + bytes / 2), buffer, "%zu bytes", bytes);
    cr_expect_eq(mb_buffer_from_address(client, data + bytes - 1), buffer, "%zu bytes", bytes);
    cr_expect_neq(mb_buffer_from_address(client, data + bytes), buffer);
    cr_expect_neq(mb_buffer_from_address(client, data - 1), buffer);
}

Test(buffer_calls, any_address_inside_finds_the_buffer)
{
    static const size_t sizes[] = {1, 16, 80, 1000, 5000, 32768, 33000, 262144, 300000, 3000000, 20000000};
    mb_buffer *buffers[66];
    begin("");
    for (size_t i = 0; i < 66; i++) {
        buffers[i] = make_with(sizes[i % 11], NULL, i % 5 == 0 ? MB_LOCATION_MMAP : MB_LOCATION_RAM, 0);
    }
    for (size_t i = 0; i < 66; i++) {
        expect_found(buffers[i]);
    }
    for (size_t i = 0; i < 66; i += 2) {
        const char *data = mb_buffer_data(buffers[i]);
        (void)mb_buffer_unref(buffers[i]);
        cr_expect_null(mb_buffer_from_address(client, data), "it is free");
    }
    for (size_t i = 0; i < 66; i += 2) {
        buffers[i] = make(sizes[i * 7 % 11]);
    }
    for (size_t i = 0; i < 66; i++) {
        expect_found(buffers[i]);
        (void)mb_buffer_unref(buffers[i]);
    }
    end();
}

Test(buffer_calls, an_address_of_nobodys_buffer_finds_none)
{
    begin("");
    int local = 0;
    mb_client *other = fixture_connect(&fixture, 0);
    cr_expect_null(mb_buffer_from_address(client, &local));
    mb_buffer *mine = make(100);
    const void *data = mb_buffer_data(mine);
    cr_expect_null(mb_buffer_from_address(client, NULL));
    cr_expect_null(mb_buffer_from_address(client, &local));
    cr_expect_null(mb_buffer_from_address(client, (const void *)UINTPTR_MAX));
    cr_expect_null(mb_buffer_from_address(other, data), "it is another client's");
    (void)mb_buffer_unref(mine);
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    cr_expect_null(mb_buffer_from_address(client, data), "its lease is released");
    mb_disconnect(other);
    end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: which memory they get, and looking for them while that memory comes and goes. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "tests/integration/buffers.h"

TestSuite(buffer_heap, .timeout = 60);

Test(buffer_heap, one_of_about_the_same_size_takes_the_place_of_one_that_was_freed)
{
    begin("");
    mb_buffer *others[] = {make(2 * MIB), make(3 * MIB + 1), make(2 * MIB)};
    const void *place = mb_buffer_data(others[1]);
    (void)mb_buffer_unref(others[1]);
    others[1] = make(3 * MIB + 100000);
    cr_expect_eq(mb_buffer_data(others[1]), place);
    for (int i = 0; i < 3; i++) {
        (void)mb_buffer_unref(others[i]);
    }
    end();
}

Test(buffer_heap, medium_ones_stay_in_the_cache_of_their_thread_up_to_a_bound)
{
    begin("");
    static mb_buffer *buffers[200];
    mb_buffer *buffer = make(65536);
    const void *place = mb_buffer_data(buffer);
    (void)mb_buffer_unref(buffer);
    buffer = make(65000);
    cr_expect_eq(mb_buffer_data(buffer), place);
    (void)mb_buffer_unref(buffer);
    for (size_t i = 0; i < 200; i++) {
        buffers[i] = make_with(33000 + i * 1000, i % 3 ? NULL : "medium", MB_LOCATION_RAM, i % 2 ? MB_ZEROED : 0);
        memset(mb_buffer_data(buffers[i]), (int)i, mb_buffer_size(buffers[i]));
    }
    for (size_t i = 0; i < 200; i++) {
        cr_expect_eq(((char *)mb_buffer_data(buffers[i]))[mb_buffer_size(buffers[i]) - 1], (char)i);
        (void)mb_buffer_unref(buffers[i]);
    }
    WAIT_UNTIL(used() <= 4 * MIB);
    mb_trim(client);
    WAIT_UNTIL(used() == 0);
    end();
}

/* ---- finding by address while memory comes and goes ---- */

enum {
    LOOKED_AT = 20000,
    KEPT_EACH = 2000,
    SLAB_ROUNDS = 100,
    CHUNK_ROUNDS = 10000,
    BUSY_ROUNDS = 1000,
    BUSY_SECONDS = 20
};

static mb_buffer *small[LOOKED_AT];
static const char *_Atomic looked_at[LOOKED_AT];
static atomic_bool stop;
static unsigned found; /* of the thread that looks */

static void *look(void *unused)
{
    while (!atomic_load(&stop)) {
        for (int i = 0; i < LOOKED_AT && atomic_load(&looked_at[i]); i++) {
            found += mb_buffer_from_address(client, atomic_load(&looked_at[i])) != NULL;
        }
    }
    return unused;
}

static pthread_t begin_to_look(void)
{
    pthread_t thread;
    atomic_store(&stop, false);
    cr_assert(pthread_create(&thread, NULL, look, NULL) == 0);
    return thread;
}

static void end_looking(pthread_t thread)
{
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(found, 0);
    end();
}

static void make_and_free_small(int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < LOOKED_AT; i++) {
            small[i] = i % KEPT_EACH ? make(48) : small[i];
        }
        for (int i = 0; i < LOOKED_AT; i++) {
            small[i] = i % KEPT_EACH ? mb_buffer_unref(small[i]) : small[i];
        }
        mb_trim(client);
    }
}

/* No block of 48 bytes has the last bytes of the last page of its slab. Each chunk keeps a buffer, and so stays. */
Test(buffer_heap, an_address_is_looked_up_while_the_slab_that_has_it_ends)
{
    begin("");
    for (int i = 0; i < LOOKED_AT; i++) {
        small[i] = make(48);
    }
    for (int i = 0; i < LOOKED_AT; i++) {
        uintptr_t data = (uintptr_t)mb_buffer_data(small[i]);
        atomic_store(&looked_at[i], (const char *)(data | 4090));
        small[i] = i % KEPT_EACH ? small[i] : mb_buffer_ref(small[i]);
    }
    for (int i = 0; i < LOOKED_AT; i++) {
        (void)mb_buffer_unref(small[i]);
    }
    mb_trim(client);
    pthread_t thread = begin_to_look();
    make_and_free_small(SLAB_ROUNDS);
    atomic_store(&stop, true);
    for (int i = 0; i < LOOKED_AT; i += KEPT_EACH) {
        (void)mb_buffer_unref(small[i]);
    }
    end_looking(thread);
}

Test(buffer_heap, an_address_is_looked_up_while_the_chunk_that_has_it_goes_back)
{
    begin("");
    pthread_t thread = begin_to_look();
    time_t begun = time(NULL);
    /* on a busy machine fewer rounds have to do: each asks the broker */
    for (int round = 0; round < CHUNK_ROUNDS && (round < BUSY_ROUNDS || time(NULL) - begun < BUSY_SECONDS); round++) {
        mb_buffer *buffer = make(MIB);
        for (int i = 0; i < 100; i++) {
            atomic_store(&looked_at[i], (char *)mb_buffer_data(buffer) + 2 * MIB + i * 4096);
        }
        (void)mb_buffer_unref(buffer);
        mb_trim(client);
    }
    end_looking(thread);
}

/* ---- without memory for the library's own tables ---- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_OTHER_MALLOC
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OTHER_MALLOC
#endif

#ifndef HAS_OTHER_MALLOC
static _Thread_local int mallocs_until_failure = INT_MAX;

void *__libc_malloc(size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size);
void *malloc(size_t size)
{
    return mallocs_until_failure == INT_MAX || mallocs_until_failure-- > 0 ? __libc_malloc(size) : NULL;
}

/* It gets the record of the buffer, but no record for what lies before the buffer in its chunk. */
Test(buffer_heap, without_memory_to_cut_a_span_an_aligned_buffer_is_refused_and_the_heap_stays_whole)
{
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer = NULL;
    begin("");
    mb_buffer *first = make(300000);
    options.alignment = 2 * MIB;
    mallocs_until_failure = 1;
    int result = mb_buffer_create(client, 300000, &options, &buffer);
    mallocs_until_failure = INT_MAX;
    cr_expect_eq(result, -ENOMEM);
    EXPECT_SENTENCE("out of memory for the library's own tables");
    (void)mb_buffer_unref(result == 0 ? buffer : NULL);
    for (size_t bytes = 900 * 4096; bytes <= 960 * 4096; bytes += 4096) {
        buffer = make(bytes);
        char *data = mb_buffer_data(buffer);
        memset(data, 1, bytes);
        cr_expect_eq(mb_buffer_from_address(client, data + bytes - 1), buffer, "%zu bytes", bytes);
        (void)mb_buffer_unref(buffer);
    }
    (void)mb_buffer_unref(first);
    end();
}
#endif

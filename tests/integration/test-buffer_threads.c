/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked buffers: what threads hand to each other and to the heap, and memory that is zero without being cleared. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/integration/buffers.h"

TestSuite(buffer_threads, .timeout = 60);

/* ---- small and medium buffers ---- */

enum { MADE = 2000, STRIDE = 7 /* coprime to it */, BATCH = 127 };

static mb_buffer *made[MADE];

/* In an order that is not that of their places. */
static void *free_all(void *unused)
{
    for (int i = 0; i < MADE; i++) {
        (void)mb_buffer_unref(made[i * STRIDE % MADE]);
    }
    return unused;
}

static void run_in_a_thread(void *(*function)(void *))
{
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, function, NULL) == 0);
    (void)pthread_join(thread, NULL);
}

static int place_of(const mb_buffer *buffer)
{
    for (int i = 0; i < MADE; i++) {
        if (made[i * STRIDE % MADE] == buffer) {
            return i;
        }
    }
    return -1;
}

/* The heap would hand them out in the order of their places. */
Test(buffer_threads, what_a_thread_freed_that_made_none_is_taken_as_a_batch)
{
    static mb_buffer *taken[2 * BATCH];
    int first = 0, in_order = 0;
    begin("");
    for (int i = 0; i < MADE; i++) {
        made[i] = make(64);
    }
    run_in_a_thread(free_all);
    for (int i = 0; i < 2 * BATCH; i++) {
        taken[i] = make(64);
        first = place_of(taken[i]) < 0 ? i + 1 : first;
    }
    for (int i = first + 1; i < 2 * BATCH; i++) {
        in_order += place_of(taken[i]) == place_of(taken[i - 1]) + 1;
    }
    cr_expect_geq(in_order, BATCH - 1);
    for (int i = 0; i < 2 * BATCH; i++) {
        (void)mb_buffer_unref(taken[i]);
    }
    end();
}

enum { FIT = 900 /* into the depot */, QUIET_US = 2500000 };

static void *make_some(void *unused)
{
    for (int i = 0; i < FIT; i++) {
        made[i] = make(64);
    }
    return unused;
}

static void *free_some(void *unused)
{
    for (int i = 0; i < FIT; i++) {
        (void)mb_buffer_unref(made[i]);
    }
    return unused;
}

/* All of it is in the depot, so nothing else makes the library look at its free memory. */
Test(buffer_threads, what_a_thread_left_goes_back_to_the_broker_by_itself)
{
    begin("");
    run_in_a_thread(make_some);
    (void)usleep(QUIET_US);
    run_in_a_thread(free_some);
    cr_expect_gt(used(), 0);
    WAIT_UNTIL(used() == 0);
    end();
}

/* ---- the large buffer that a thread freed last ---- */

static sem_t is_freed, may_end;

static void *free_one(void *buffer)
{
    (void)mb_buffer_unref(buffer);
    (void)sem_post(&is_freed);
    (void)sem_wait(&may_end);
    return NULL;
}

static pthread_t free_in_a_thread(mb_buffer *buffer)
{
    pthread_t thread;
    cr_assert(sem_init(&is_freed, 0, 0) == 0 && sem_init(&may_end, 0, 0) == 0);
    cr_assert(pthread_create(&thread, NULL, free_one, buffer) == 0);
    (void)sem_wait(&is_freed);
    return thread;
}

static void end_thread(pthread_t thread)
{
    (void)sem_post(&may_end);
    (void)pthread_join(thread, NULL);
}

Test(buffer_threads, a_large_one_that_another_thread_freed_is_taken_before_the_broker_is_asked)
{
    begin("");
    mb_buffer *buffer = make(32 * MIB);
    const void *place = mb_buffer_data(buffer);
    pthread_t thread = free_in_a_thread(buffer);
    buffer = make_with(32 * MIB, NULL, MB_LOCATION_RAM, MB_BUFFER_NO_WAIT);
    cr_expect_eq(mb_buffer_data(buffer), place);
    (void)mb_buffer_unref(buffer);
    end_thread(thread);
    end();
}

Test(buffer_threads, a_trim_gives_back_the_large_one_that_another_thread_freed)
{
    begin("");
    mb_buffer *buffer = make(32 * MIB);
    void *place = mb_buffer_data(buffer);
    unsigned char present[1];
    pthread_t thread = free_in_a_thread(buffer);
    mb_trim(client);
    cr_expect(mincore(place, 4096, present) < 0 && errno == ENOMEM, "it is mapped");
    end_thread(thread);
    end();
}

Test(buffer_threads, a_large_one_that_another_thread_freed_goes_back_to_the_broker_by_itself)
{
    begin("");
    mb_buffer *buffer = make(32 * MIB);
    (void)usleep(QUIET_US);
    pthread_t thread = free_in_a_thread(buffer);
    WAIT_UNTIL(used() == 0);
    end_thread(thread);
    end();
}

/* A block that is much too large is not taken. */
Test(buffer_threads, the_last_large_one_is_taken_again_if_it_is_of_about_the_size)
{
    begin("");
    mb_buffer *buffer = make(32 * MIB);
    char *place = mb_buffer_data(buffer);
    memset(place, 1, 32 * MIB);
    (void)mb_buffer_unref(buffer);
    cr_expect_null(mb_buffer_from_address(client, place));
    buffer = make(31 * MIB);
    cr_expect_eq(mb_buffer_data(buffer), place);
    cr_expect_eq(mb_buffer_size(buffer), 31 * MIB);
    cr_expect_eq(mb_buffer_from_address(client, place + 31 * MIB - 1), buffer);
    cr_expect_null(mb_buffer_from_address(client, place + 31 * MIB));
    (void)mb_buffer_unref(buffer);
    buffer = make(4 * MIB);
    cr_expect_lt(used(), 40 * MIB);
    (void)mb_buffer_unref(buffer);
    end();
}

/* ---- zeroed buffers ---- */

static size_t pages_of(const void *data, size_t bytes)
{
    static unsigned char present[64 * MIB / 4096];
    size_t count = 0;
    cr_assert(mincore((void *)(uintptr_t)data, bytes, present) == 0);
    for (size_t i = 0; i < bytes / 4096; i++) {
        count += present[i] & 1;
    }
    return count;
}

static size_t sum_of(const char *data, size_t bytes)
{
    size_t sum = 0;
    for (size_t i = 0; i < bytes; i++) {
        sum += (unsigned char)data[i];
    }
    return sum;
}

Test(buffer_threads, a_zeroed_one_takes_the_place_of_a_zeroed_one_whose_pages_are_gone)
{
    begin("");
    mb_buffer *dirty = make(32 * MIB);
    memset(mb_buffer_data(dirty), 1, 32 * MIB);
    mb_buffer *buffer = make_with(32 * MIB, NULL, MB_LOCATION_RAM, MB_ZEROED);
    char *place = mb_buffer_data(buffer), *other = mb_buffer_data(dirty);
    uint64_t before = used();
    memset(place, 2, 32 * MIB);
    (void)mb_buffer_unref(dirty);
    (void)mb_buffer_unref(buffer);
    cr_expect_eq(pages_of(place, 32 * MIB), 0);
    buffer = make_with(32 * MIB, NULL, MB_LOCATION_RAM, MB_ZEROED);
    cr_expect_eq(mb_buffer_data(buffer), place);
    cr_expect_eq(pages_of(place, 32 * MIB), 0, "nothing was cleared");
    cr_expect_eq(sum_of(place, 32 * MIB), 0);
    dirty = make(32 * MIB);
    cr_expect_eq(mb_buffer_data(dirty), other, "who needs no zeroes takes the pages that exist");
    cr_expect_leq(used(), before);
    (void)mb_buffer_unref(dirty);
    (void)mb_buffer_unref(buffer);
    end();
}

/* It was zero when it was kept, but not after its next user. */
Test(buffer_threads, a_block_without_pages_that_others_wrote_is_not_zero)
{
    begin("");
    mb_buffer *buffer = make_with(32 * MIB, NULL, MB_LOCATION_RAM, MB_ZEROED);
    char *place = mb_buffer_data(buffer);
    (void)mb_buffer_unref(buffer);
    buffer = make_with(32 * MIB, "not for a thread's cache", MB_LOCATION_RAM, 0);
    cr_expect_eq(mb_buffer_data(buffer), place);
    memset(place, 1, 32 * MIB);
    (void)mb_buffer_unref(buffer);
    buffer = make_with(32 * MIB, NULL, MB_LOCATION_RAM, MB_ZEROED);
    cr_expect_eq(sum_of(mb_buffer_data(buffer), 32 * MIB), 0);
    (void)mb_buffer_unref(buffer);
    end();
}

/* Its blocks were allocated so that no signal comes later; they must stay. */
Test(buffer_threads, a_zeroed_one_in_a_file_keeps_its_blocks)
{
    begin("");
    mb_buffer *buffer = make_with(8 * MIB, NULL, MB_LOCATION_MMAP, MB_ZEROED);
    char *place = mb_buffer_data(buffer);
    memset(place, 1, 8 * MIB);
    (void)mb_buffer_unref(buffer);
    cr_expect_eq(pages_of(place, 8 * MIB), 8 * MIB / 4096);
    buffer = make_with(8 * MIB, NULL, MB_LOCATION_MMAP, MB_ZEROED);
    cr_expect_eq(sum_of(mb_buffer_data(buffer), 8 * MIB), 0);
    (void)mb_buffer_unref(buffer);
    end();
}

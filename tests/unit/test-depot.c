/* SPDX-License-Identifier: Apache-2.0 */
/* The depot of freed buffers. It touches no buffer, so these are none: numbers in the place of addresses. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "client/buffer/depot.h"

TestSuite(depot);

enum { NUMBERS = 4096, CLASSES = 3 };

static mb_buffer *buffer_at(uintptr_t number)
{
    return (mb_buffer *)(number + 1);
}

static uintptr_t number_of(const mb_buffer *buffer)
{
    return (uintptr_t)buffer - 1;
}

static bool give(struct depot *depot, unsigned size_class, mb_buffer *const *buffers, unsigned count,
                 uint64_t bytes_max)
{
    const struct depot_gift gift = {.buffers = buffers, .size_class = size_class, .count = count, .epoch = 7};
    return depot_give(depot, &gift, bytes_max);
}

Test(depot, a_batch_is_taken_once_with_its_epoch)
{
    struct depot *depot = depot_new();
    mb_buffer *given[] = {buffer_at(1), buffer_at(2), buffer_at(3)}, *taken[DEPOT_BATCH_MAX];
    uint64_t epoch = 0;
    cr_assert(give(depot, 5, given, 3, UINT64_MAX));
    cr_expect_eq(depot_take(depot, 4, taken, &epoch), 0);
    cr_assert_eq(depot_take(depot, 5, taken, &epoch), 3);
    cr_expect_eq(memcmp(given, taken, sizeof given), 0);
    cr_expect_eq(epoch, 7);
    cr_expect_eq(depot_take(depot, 5, taken, &epoch), 0);
    depot_free(depot);
}

Test(depot, it_keeps_no_more_than_it_may)
{
    struct depot *depot = depot_new();
    mb_buffer *given[] = {buffer_at(1), buffer_at(2)}, *taken[DEPOT_BATCH_MAX];
    uint64_t epoch, batch = 2 * (uint64_t)size_class_bytes[3];
    cr_expect_not(give(depot, 3, given, 2, batch - 1));
    cr_assert(give(depot, 3, given, 2, batch));
    cr_expect_not(give(depot, 3, given, 2, 2 * batch - 1));
    cr_assert_eq(depot_take(depot, 3, taken, &epoch), 2);
    cr_expect(give(depot, 3, given, 2, batch), "the bytes of a batch that was taken are free again");
    for (int i = 1; i < DEPOT_PLACES; i++) {
        cr_expect(give(depot, 3, given, 2, UINT64_MAX));
    }
    cr_expect_not(give(depot, 3, given, 2, UINT64_MAX), "there is no place");
    cr_expect_eq(atomic_load(&depot->bytes), DEPOT_PLACES * batch);
    depot_free(depot);
}

/* Batches of distinct numbers; a model knows which ones the depot has. */
static void random_sequence(unsigned seed)
{
    struct depot *depot = depot_new();
    bool is_in[CLASSES][NUMBERS] = {0};
    unsigned batches[CLASSES] = {0};
    mb_buffer *some[DEPOT_BATCH_MAX];
    uint64_t epoch, bytes = 0, bytes_max = 60000;
    for (unsigned step = 0; step < 2000; step++) {
        unsigned size_class = (unsigned)rand_r(&seed) % CLASSES, count = 0;
        if (rand_r(&seed) % 2) {
            unsigned wished = 1 + (unsigned)rand_r(&seed) % DEPOT_BATCH_MAX,
                     at = (unsigned)rand_r(&seed) % (NUMBERS / 2);
            for (; count < wished && at < NUMBERS; at++) {
                if (!is_in[size_class][at]) {
                    some[count++] = buffer_at(at);
                }
            }
            uint64_t more = (uint64_t)count * size_class_bytes[size_class];
            bool fits = batches[size_class] < DEPOT_PLACES && bytes + more <= bytes_max;
            cr_assert_eq(give(depot, size_class, some, count, bytes_max), fits);
            for (unsigned i = 0; fits && i < count; i++) {
                is_in[size_class][number_of(some[i])] = true;
            }
            batches[size_class] += fits;
            bytes += fits ? more : 0;
        } else {
            count = depot_take(depot, size_class, some, &epoch);
            cr_assert_eq(count > 0, batches[size_class] > 0);
            for (unsigned i = 0; i < count; i++) {
                cr_assert(is_in[size_class][number_of(some[i])]);
                is_in[size_class][number_of(some[i])] = false;
            }
            batches[size_class] -= count > 0;
            bytes -= (uint64_t)count * size_class_bytes[size_class];
        }
        cr_assert_eq(atomic_load(&depot->bytes), bytes);
    }
    depot_free(depot);
}

Test(depot, random_sequences_are_as_the_model_says)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        random_sequence(seed);
    }
}

/* ---- threads that give what they took: none is lost, and none is there twice ---- */

static struct depot *shared;
static _Atomic unsigned holders[NUMBERS]; /* of each number: one */

static void *pass_on(void *argument)
{
    mb_buffer **some = argument;
    unsigned count = DEPOT_BATCH_MAX;
    for (int step = 0; step < 20000; step++) {
        uint64_t epoch;
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(atomic_fetch_sub(&holders[number_of(some[i])], 1), 1);
        }
        if (!give(shared, 0, some, count, UINT64_MAX)) {
            for (unsigned i = 0; i < count; i++) {
                (void)atomic_fetch_add(&holders[number_of(some[i])], 1);
            }
            continue;
        }
        while ((count = depot_take(shared, 0, some, &epoch)) == 0) {
        }
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(atomic_fetch_add(&holders[number_of(some[i])], 1), 0);
        }
    }
    return NULL;
}

Test(depot, threads_exchange_batches_without_losing_any)
{
    enum { THREADS = 4 };
    mb_buffer *batches[THREADS][DEPOT_BATCH_MAX];
    pthread_t threads[THREADS];
    shared = depot_new();
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < DEPOT_BATCH_MAX; i++) {
            batches[t][i] = buffer_at(t * DEPOT_BATCH_MAX + i);
            atomic_store(&holders[number_of(batches[t][i])], 1);
        }
    }
    for (unsigned t = 0; t < THREADS; t++) {
        cr_assert_eq(pthread_create(&threads[t], NULL, pass_on, batches[t]), 0);
    }
    for (unsigned t = 0; t < THREADS; t++) {
        (void)pthread_join(threads[t], NULL);
    }
    for (unsigned i = 0; i < THREADS * DEPOT_BATCH_MAX; i++) {
        cr_expect_eq(atomic_load(&holders[i]), 1, "%u", i);
    }
    depot_free(shared);
}

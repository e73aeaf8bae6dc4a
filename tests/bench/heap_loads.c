/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads of a heap as programs have them. Usage: heap_tracked LOAD, heap_malloc LOAD; each load is described beside its
 * function and prints its own figures. The random numbers are the same for every heap.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/heap_block.h"

enum { SAMPLES = 9, PAGE = 4096 };

#ifdef HEAP_TRACKED
mb_client *heap_client;
#endif

/* ---- random numbers: xorshift64*, Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators" ----
 */

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static size_t random_between(uint64_t *state, size_t least, size_t most)
{
    return least + (size_t)(random_next(state) >> 16) % (most - least + 1);
}

/* ---- a set of live blocks: a step frees a random one, makes another of a random size, and writes its first byte ----
 */

struct live_set {
    size_t count, least, most;
    heap_block *blocks;
    size_t *sizes;
    size_t requested; /* bytes of all of them */
    uint64_t seed;
};

static void block_write(heap_block block, size_t bytes, bool is_whole)
{
    if (is_whole)
        memset(block_data(block), 1, bytes);
    else
        *(volatile char *)block_data(block) = 1;
}

static void set_fill(struct live_set *set, bool is_whole)
{
    set->blocks = calloc(set->count, sizeof *set->blocks);
    set->sizes = calloc(set->count, sizeof *set->sizes);
    set->seed = 88172645463325252;
    if (!set->blocks || !set->sizes)
        measure_fail_errno("calloc");
    for (size_t i = 0; i < set->count; i++) {
        set->sizes[i] = random_between(&set->seed, set->least, set->most);
        set->blocks[i] = block_make(set->sizes[i]);
        block_write(set->blocks[i], set->sizes[i], is_whole);
        set->requested += set->sizes[i];
    }
}

static inline void set_step(struct live_set *set, bool is_whole)
{
    size_t at = (size_t)(random_next(&set->seed) >> 16) % set->count;
    block_free(set->blocks[at]);
    set->requested -= set->sizes[at];
    set->sizes[at] = random_between(&set->seed, set->least, set->most);
    set->requested += set->sizes[at];
    set->blocks[at] = block_make(set->sizes[at]);
    block_write(set->blocks[at], set->sizes[at], is_whole);
}

static void set_empty(struct live_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        block_free(set->blocks[i]);
    free(set->blocks);
    free(set->sizes);
}

/* Nanoseconds a step. */
static void measure_random(const char *name, size_t count, size_t least, size_t most, size_t steps)
{
    struct live_set set = {.count = count, .least = least, .most = most};
    double samples[SAMPLES];
    set_fill(&set, false);
    for (size_t i = 0; i < steps; i++)
        set_step(&set, false);
    for (int s = 0; s < SAMPLES; s++) {
        double start = clock_ns();
        for (size_t i = 0; i < steps; i++)
            set_step(&set, false);
        samples[s] = (clock_ns() - start) / (double)steps;
    }
    set_empty(&set);
    values_sort(samples, SAMPLES);
    figure_print(name, values_quantile(samples, SAMPLES, 0.5));
}

static void random_small(void)
{
    measure_random("ns_10000", 10000, 64, 1024, 200000);
    measure_random("ns_100000", 100000, 64, 1024, 400000);
}

static void random_large(void)
{
    measure_random("ns", 20, 1 << 20, 16 << 20, 2000);
}

/*
 * larson: each thread has blocks that it replaces at random, 16 B to 1 KiB; then another thread continues with them. As
 * "Memory Allocation for Long-Running Server Applications" (Larson and Krishnan, 1998) has it. Nanoseconds a step of
 * one thread.
 */
enum { LARSON_BLOCKS = 1000, LARSON_STEPS = 10000, LARSON_GENERATIONS = 30, LARSON_THREADS = 8 };

struct larson {
    struct live_set sets[LARSON_THREADS];
    pthread_barrier_t barrier;
    int threads;
};

struct larson_thread {
    pthread_t thread;
    struct larson *larson;
    int number;
};

static void *larson_run(void *argument)
{
    struct larson_thread *self = argument;
    struct larson *larson = self->larson;
    for (int generation = 0; generation < LARSON_GENERATIONS; generation++) {
        struct live_set *set = &larson->sets[(self->number + generation) % larson->threads];
        for (int i = 0; i < LARSON_STEPS; i++)
            set_step(set, false);
        (void)pthread_barrier_wait(&larson->barrier);
    }
    return NULL;
}

static double larson_sample(int threads)
{
    struct larson larson = {.threads = threads};
    struct larson_thread workers[LARSON_THREADS];
    if (pthread_barrier_init(&larson.barrier, NULL, (unsigned)threads) != 0)
        measure_fail("larson", "no barrier");
    for (int i = 0; i < threads; i++) {
        larson.sets[i] = (struct live_set){.count = LARSON_BLOCKS, .least = 16, .most = 1024};
        set_fill(&larson.sets[i], false);
        larson.sets[i].seed += (uint64_t)i;
    }
    double start = clock_ns();
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct larson_thread){.larson = &larson, .number = i};
        if (pthread_create(&workers[i].thread, NULL, larson_run, &workers[i]) != 0)
            measure_fail("larson", "no thread");
    }
    for (int i = 0; i < threads; i++)
        (void)pthread_join(workers[i].thread, NULL);
    double took = (clock_ns() - start) / ((double)LARSON_GENERATIONS * LARSON_STEPS * threads);
    for (int i = 0; i < threads; i++)
        set_empty(&larson.sets[i]);
    (void)pthread_barrier_destroy(&larson.barrier);
    return took;
}

static void larson(void)
{
    static const int threads[] = {2, 8};
    for (int i = 0; i < 2; i++) {
        double samples[SAMPLES];
        char name[16];
        for (int s = 0; s < SAMPLES; s++)
            samples[s] = larson_sample(threads[i]);
        values_sort(samples, SAMPLES);
        (void)snprintf(name, sizeof name, "ns_%d", threads[i]);
        figure_print(name, values_quantile(samples, SAMPLES, 0.5));
    }
}

/* ---- one thread makes blocks, another frees them, by way of a ring. Nanoseconds a block. ---- */

enum { RING = 1024 };

struct ring {
    heap_block blocks[RING];
    _Alignas(64) _Atomic size_t made;
    _Alignas(64) _Atomic size_t taken;
    size_t count;
};

static void *consume(void *argument)
{
    struct ring *ring = argument;
    for (size_t i = 0; i < ring->count; i++) {
        while (atomic_load_explicit(&ring->made, memory_order_acquire) == i)
            (void)usleep(0);
        block_free(ring->blocks[i % RING]);
        atomic_store_explicit(&ring->taken, i + 1, memory_order_release);
    }
    return NULL;
}

static double pass_blocks(size_t bytes, size_t count)
{
    static struct ring ring;
    pthread_t consumer;
    ring.count = count;
    atomic_store(&ring.made, 0);
    atomic_store(&ring.taken, 0);
    double start = clock_ns();
    if (pthread_create(&consumer, NULL, consume, &ring) != 0)
        measure_fail("producer_consumer", "no thread");
    for (size_t i = 0; i < count; i++) {
        while (i - atomic_load_explicit(&ring.taken, memory_order_acquire) == RING)
            (void)usleep(0);
        ring.blocks[i % RING] = block_make(bytes);
        *(volatile char *)block_data(ring.blocks[i % RING]) = 1;
        atomic_store_explicit(&ring.made, i + 1, memory_order_release);
    }
    (void)pthread_join(consumer, NULL);
    return (clock_ns() - start) / (double)count;
}

static void producer_consumer(void)
{
    static const size_t sizes[] = {64, 65536};
    for (int i = 0; i < 2; i++) {
        double samples[SAMPLES];
        char name[16];
        (void)pass_blocks(sizes[i], 10000);
        for (int s = 0; s < SAMPLES; s++)
            samples[s] = pass_blocks(sizes[i], 50000);
        values_sort(samples, SAMPLES);
        (void)snprintf(name, sizeof name, "ns_%zu", sizes[i]);
        figure_print(name, values_quantile(samples, SAMPLES, 0.5));
    }
}

/* ---- 100 MiB of zeroes that are not touched, freed and allocated again. Microseconds. ---- */

enum { ZEROED_BYTES = 100 << 20, ZEROED_STEPS = 20 };

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        measure_fail_errno("/proc/self/statm");
    (void)fclose(file);
    return pages * PAGE;
}

/* What the last user wrote must not cost the next one anything unless it looks, so half of the blocks are written. */
static void zeroed(void)
{
    double samples[ZEROED_STEPS];
    for (int i = 0; i < ZEROED_STEPS; i++) {
        heap_block dirty = block_make(ZEROED_BYTES);
        pages_write(block_data(dirty), ZEROED_BYTES);
        block_free(dirty);
        double start = clock_us();
        heap_block block = block_make_zeroed(ZEROED_BYTES);
        samples[i] = clock_us() - start;
        for (size_t at = 0; at < ZEROED_BYTES; at += 1 << 20)
            if (block_data(block)[at] != 0)
                measure_fail("zeroed", "the memory is not zero");
        block_free(block);
    }
    values_sort(samples, ZEROED_STEPS);
    figure_print("us", values_quantile(samples, ZEROED_STEPS, 0.5));
}

/* ---- a block that grows in equal proportions, as an array that is appended to. Microseconds in all. ---- */

enum { RESIZE_STEPS = 20, RESIZE_FROM = 1 << 20 };

static double grow_once(void)
{
    const double factor = 1.2589254117941673; /* 100, to the power of a twentieth */
    double wanted = RESIZE_FROM, start = clock_us();
    size_t bytes = RESIZE_FROM;
    heap_block block = block_make(bytes);
    pages_write(block_data(block), bytes);
    for (int i = 0; i < RESIZE_STEPS; i++) {
        size_t before = bytes;
        wanted *= factor;
        bytes = ((size_t)wanted + PAGE - 1) / PAGE * PAGE;
        block = block_resize(block, bytes);
        pages_write(block_data(block) + before, bytes - before);
    }
    double took = clock_us() - start;
    for (size_t at = 0; at < bytes; at += PAGE)
        if (block_data(block)[at] == 0)
            measure_fail("resize", "the content is not kept");
    block_free(block);
    return took;
}

static void resize(void)
{
    double samples[SAMPLES];
    for (int s = 0; s < SAMPLES; s++)
        samples[s] = grow_once();
    values_sort(samples, SAMPLES);
    figure_print("us", values_quantile(samples, SAMPLES, 0.5));
}

/*
 * ---- memory: how many bytes the process has resident for each that it asked for, in a steady state with every byte
 * written; and, of tracked buffers, how many it has mapped from the broker ----
 */

static size_t mapped_bytes(void)
{
    size_t bytes = 0;
    char line[512];
    FILE *file = fopen("/proc/self/maps", "re");
    while (file && fgets(line, sizeof line, file)) {
        unsigned long from, to;
        if (strstr(line, "/memfd:membroker") && !strstr(line, "control") && sscanf(line, "%lx-%lx", &from, &to) == 2)
            bytes += to - from;
    }
    if (file)
        (void)fclose(file);
    return bytes;
}

static void measure_memory(const char *what, size_t least, size_t most, size_t bytes)
{
    struct live_set set = {.count = bytes / ((least + most) / 2), .least = least, .most = most};
    char name[64];
    size_t before = resident_bytes();
    set_fill(&set, true);
    for (size_t i = 0; i < 20 * set.count; i++)
        set_step(&set, true);
    size_t tables = set.count * (sizeof *set.blocks + sizeof *set.sizes);
    (void)snprintf(name, sizeof name, "resident_%s", what);
    figure_print(name, (double)(resident_bytes() - before - tables) / (double)set.requested);
    (void)snprintf(name, sizeof name, "leased_%s", what);
    figure_print(name, (double)mapped_bytes() / (double)set.requested);
    set_empty(&set);
}

static void memory_large(void)
{
    measure_memory("16KiB_to_2MiB", 16 << 10, 2 << 20, 256 << 20);
}

static void memory_small(void)
{
    measure_memory("64B_to_8KiB", 64, 8 << 10, 64 << 20);
}

static void memory_65(void)
{
    measure_memory("65B", 65, 65, 32 << 20);
}

/* ---- */

static const struct {
    const char *name;
    void (*run)(void);
} loads[] = {
    {"random_small", random_small},
    {"random_large", random_large},
    {"larson", larson},
    {"producer_consumer", producer_consumer},
    {"zeroed", zeroed},
    {"resize", resize},
    {"memory_large", memory_large},
    {"memory_small", memory_small},
    {"memory_65", memory_65},
};

int main(int argc, char **argv)
{
#ifdef HEAP_TRACKED
    if (mb_connect(NULL, &heap_client) < 0)
        measure_fail("mb_connect", mb_last_error());
#endif
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        if (argc == 2 && strcmp(loads[i].name, argv[1]) == 0) {
            loads[i].run();
            return 0;
        }
    }
    measure_fail("usage", "heap_tracked LOAD, heap_malloc LOAD");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes, the content and the clock of attaching. */
#include "tests/bench/attach.h"

#include <stdio.h>

#include "tests/bench/measure.h"

enum { PAGE_BYTES = 4096, ROUNDS_MAX = 2000, WARM_UP = 20 };

const struct attach_size attach_sizes[ATTACH_SIZES] = {{"4KiB", 4 << 10}, {"1MiB", 1 << 20}, {"64MiB", 64 << 20}};

static char byte_of(size_t page)
{
    return (char)(page % 127 + 1);
}

void attach_fill(char *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        memory[at] = byte_of(at / PAGE_BYTES);
}

void attach_read(const char *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        if (*(const volatile char *)&memory[at] != byte_of(at / PAGE_BYTES))
            measure_fail("attach", "the block has other bytes than were published");
}

static size_t rounds_of(size_t bytes)
{
    return bytes > (16 << 20) ? ROUNDS_MAX / 40 : ROUNDS_MAX;
}

void attach_measure(const struct attach_size *size, void (*verb)(void *context), void *context)
{
    static double times[ROUNDS_MAX];
    char name[64];
    size_t rounds = rounds_of(size->bytes);
    for (int i = 0; i < WARM_UP; i++)
        verb(context);
    for (size_t i = 0; i < rounds; i++) {
        double began = clock_us();
        verb(context);
        times[i] = clock_us() - began;
    }
    values_sort(times, rounds);
    (void)snprintf(name, sizeof name, "attach_%s", size->name);
    figure_print(name, values_quantile(times, rounds, 0.5));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine asks for a cache line that is nowhere near: one line of shared memory of small pages, as large as
 * 100,000 objects of one line each or two, at an address that the line before it tells; and two lines, if a table of
 * 131,072 positions leads to each. No look-up that touches so many lines can go under that. Nanoseconds.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/bench/measure.h"
#include "tests/bench/objects.h"

enum { LINE_BYTES = 64, POSITIONS = 131072, ROUNDS = 5, BATCH = 1000, BATCHES = ROUNDS * OBJECTS / BATCH };

static unsigned char *map(size_t bytes)
{
    cleanup(fd_closep) int fd = memfd_create("objects_floor", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        measure_fail_errno("memfd");
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED)
        measure_fail_errno("mmap");
    return memory;
}

/* A circle through all lines, in random order: each begins with the number of the next one. */
static void link_lines(unsigned char *lines, size_t stride, const uint32_t *order)
{
    for (uint32_t i = 0; i < OBJECTS; i++)
        memcpy(lines + order[i] * stride, &order[(i + 1) % OBJECTS], sizeof *order);
}

static void measure(const char *name, const unsigned char *lines, size_t stride, const volatile uint32_t *positions)
{
    static double took[BATCHES];
    uint32_t at = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
        double began = clock_ns();
        for (int i = 0; i < BATCH; i++) {
            at = *(const volatile uint32_t *)(const void *)(lines + at * stride);
            at = positions ? positions[at] : at;
        }
        took[batch] = (clock_ns() - began) / BATCH;
    }
    values_sort(took, BATCHES);
    figure_print(name, values_quantile(took, BATCHES, 0.5));
}

int main(void)
{
    uint32_t *positions = (uint32_t *)(void *)map(POSITIONS * sizeof *positions);
    for (uint32_t i = 0; i < POSITIONS; i++)
        positions[i] = i;
    for (size_t lines = 1; lines <= 2; lines++) {
        unsigned char *memory = map(lines * LINE_BYTES * OBJECTS);
        link_lines(memory, lines * LINE_BYTES, objects_order());
        measure(lines == 1 ? "one_line" : "one_line_of_two", memory, lines * LINE_BYTES, NULL);
        measure(lines == 1 ? "position_and_line" : "position_and_line_of_two", memory, lines * LINE_BYTES, positions);
    }
    return 0;
}

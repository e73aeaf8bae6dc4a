/* SPDX-License-Identifier: Apache-2.0 */
/* The names, the content and the clock of looking objects up. */
#include "tests/bench/objects.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/measure.h"

enum { ROUNDS = 5, BATCHES = 100, BATCH = OBJECTS / BATCHES };

static uint32_t random_below(uint32_t bound)
{
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 32) * bound >> 32);
}

struct object object_of(uint32_t number)
{
    struct object object = {0};
    (void)snprintf(object.name, sizeof object.name, "object-%u", number);
    memcpy(object.content, object.name, sizeof object.name);
    return object;
}

const uint32_t *objects_order(void)
{
    static uint32_t order[OBJECTS];
    for (uint32_t i = 0; i < OBJECTS && !order[OBJECTS - 1]; i++) {
        uint32_t other = random_below(i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    return order;
}

static void look_up(objects_get *get, void *context, const char *name)
{
    char buffer[OBJECT_BYTES];
    if (get(context, name, buffer, sizeof buffer) != OBJECT_BYTES || strcmp(buffer, name) != 0)
        measure_fail(name, "the object of that name was not found");
}

typedef char names[][OBJECT_NAME_SIZE];

/* The time of one, by the median batch of all rounds: a batch in which another process ran does not count. */
static double measure(objects_get *get, void *context, names in_order, bool is_hot)
{
    static double took[ROUNDS * BATCHES];
    for (size_t batch = 0; batch < ROUNDS * BATCHES; batch++) {
        const size_t first = batch % BATCHES * BATCH;
        double began = clock_ns();
        for (size_t i = 0; i < BATCH; i++)
            look_up(get, context, in_order[is_hot ? 0 : first + i]);
        took[batch] = (clock_ns() - began) / BATCH;
    }
    values_sort(took, ROUNDS * BATCHES);
    return values_quantile(took, ROUNDS * BATCHES, 0.5);
}

void objects_measure(objects_get *get, void *context)
{
    static char in_order[OBJECTS][OBJECT_NAME_SIZE]; /* so that the names cost next to nothing */
    for (int i = 0; i < OBJECTS; i++)
        memcpy(in_order[i], object_of(objects_order()[i]).name, sizeof in_order[i]);
    figure_print("hot", measure(get, context, in_order, true));
    figure_print("random", measure(get, context, in_order, false));
}

void objects_measure_missing(objects_get *get, void *context, size_t count)
{
    char buffer[OBJECT_BYTES], name[OBJECT_NAME_SIZE];
    double began = clock_ns();
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "absent-%u", (unsigned)i);
        if (get(context, name, buffer, sizeof buffer) >= 0)
            measure_fail(name, "an object was found that was never put");
    }
    figure_print("missing", (clock_ns() - began) / (double)count);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Samples: the newest ones, without gaps; and what the core samples. */
#include "daemon/core/sample_ring.h"
#include "tests/unit/core/sharing.h"

TestSuite(sample_ring);

enum { ROOM = 5 };

static struct sample_record records[ROOM];
static struct sample_ring ring;

/* The numbers that are there, from `after` on, are these; 0 ends. */
static void expect(uint64_t after, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++) {
        const struct sample_entry *sample = sample_ring_next(&ring, after);
        cr_assert(sample);
        cr_expect(sample->sample == number && sample->physical_bytes == number * 10);
        after = sample->sample;
    }
    cr_expect_null(sample_ring_next(&ring, after));
}

static void add(void)
{
    struct sample_entry sample = {.physical_bytes = (ring.last + 1) * 10};
    sample_ring_add(&ring, &sample);
}

Test(sample_ring, keeps_the_newest_ones_also_when_it_is_opened_again)
{
    sample_ring_open(&ring, records, ROOM, 100);
    cr_expect_null(sample_ring_next(&ring, 0));
    for (uint64_t number = 101; number <= 117; number++) {
        add();
        uint64_t first = number < 100 + ROOM ? 101 : number - ROOM + 1;
        expect(0, first, number);
        expect(number - 1, number, number);
        sample_ring_open(&ring, records, ROOM, 7);
        expect(0, first, number);
    }
    cr_expect_null(sample_ring_next(&ring, 200));
}

Test(sample_ring, one_that_was_not_written_completely_is_left_out)
{
    sample_ring_open(&ring, records, ROOM, 0);
    for (int i = 0; i < ROOM; i++) {
        add();
    }
    records[3 % ROOM].number = 0;
    const struct sample_entry *sample = sample_ring_next(&ring, 2);
    cr_assert(sample);
    cr_expect_eq(sample->sample, 4);
    records[5 % ROOM].number = 0;
    cr_expect_null(sample_ring_next(&ring, 4));
}

Test(sample_ring, without_room_there_is_none)
{
    sample_ring_open(&ring, records, 0, 0);
    cr_expect_null(sample_ring_next(&ring, 0));
}

Test(sample_ring, the_core_samples_the_whole_and_classes_that_hold_something)
{
    struct sample_entry rows[4];
    struct model *model = model_new(0, 64 * MIB, 8 * MIB);
    model_open_as(model, 0, "a", 1000);
    cr_expect_eq(broker_sample(model->broker, rows, 4), 1);
    (void)model_acquire(model, 0, 3 * MIB, LOCATION_RAM, 0);
    (void)model_acquire(model, 0, 2 * MIB, LOCATION_MMAP, 0);
    cr_expect_eq(broker_sample(model->broker, rows, 1), 1);
    cr_assert_eq(broker_sample(model->broker, rows, 4), 2);
    cr_expect(!rows[0].class[0] && rows[0].physical_bytes == 3 * MIB && rows[0].mapped_bytes == 2 * MIB);
    cr_expect_eq(rows[0].limits.max_mapped_bytes, 8 * MIB);
    cr_expect_str_eq(rows[1].class, "default");
    cr_expect(rows[1].physical_bytes == 3 * MIB && rows[1].mapped_bytes == 2 * MIB && !rows[1].is_reservation);
    model_free(model);
}

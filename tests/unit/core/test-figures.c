/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted for metrics: durations in buckets, refusals by limit, what waits. */
#include "daemon/core/figures.h"
#include "tests/unit/core/sharing.h"

TestSuite(figures);

static uint64_t count_of(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += histogram->counts[i];
    }
    return count;
}

Test(figures, a_duration_is_in_the_bucket_of_the_first_bound_that_it_does_not_exceed)
{
    struct histogram histogram = {0};
    histogram_note(&histogram, 0);
    histogram_note(&histogram, 10000);
    histogram_note(&histogram, 10001);
    histogram_note(&histogram, 25000);
    histogram_note(&histogram, UINT64_C(100000000000));
    histogram_note(&histogram, UINT64_C(100000000001));
    cr_expect(histogram.counts[0] == 2 && histogram.counts[1] == 2);
    cr_expect(histogram.counts[HISTOGRAM_BUCKETS - 2] == 1 && histogram.counts[HISTOGRAM_BUCKETS - 1] == 1);
    cr_expect_eq(histogram.sum_ns, UINT64_C(200000045002));
    for (int i = 1; i < HISTOGRAM_BUCKETS - 1; i++) {
        cr_expect_lt(histogram_bounds[i - 1], histogram_bounds[i]);
    }
    cr_expect_leq(sizeof histogram, 200, "a few hundred bytes each");
}

Test(figures, a_grant_is_timed_from_its_request_and_a_freeing_until_its_end)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    const struct figures *figures = broker_figures(model->broker);
    model_open(model, 0, LIMIT_DEFAULT);
    model->hold_makes = true;
    cr_expect_null(model_acquire(model, 0, MIB, LOCATION_RAM, 30000));
    cr_expect_eq(count_of(&figures->acquire), 0);
    model_pass(model, 3);
    model_finish(model);
    model->hold_makes = false;
    cr_expect(count_of(&figures->acquire) == 1 && figures->acquire.sum_ns == 3 * NANOSECONDS_PER_MILLISECOND);
    model->hold_frees = true;
    model_release(model, 0, 1);
    model_pass(model, 7);
    cr_expect_eq(count_of(&figures->freeing), 0);
    model_finish(model);
    cr_expect(count_of(&figures->freeing) == 1 && figures->freeing.sum_ns == 7 * NANOSECONDS_PER_MILLISECOND);
    cr_expect_eq(count_of(&figures->wait), 0, "nobody waited");
    model_free(model);
}

Test(figures, a_wait_is_timed_until_its_grant_or_its_refusal)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    const struct figures *figures = broker_figures(model->broker);
    uint64_t bytes, oldest_ms;
    model_open(model, 0, LIMIT_DEFAULT);
    uint64_t lease = granted(model_acquire(model, 0, 60 * MIB, LOCATION_RAM, 30000));
    cr_expect_null(model_acquire_waiting(model, 0, 10 * MIB, 5000));
    model_pass(model, 500);
    cr_expect_null(model_acquire_waiting(model, 0, 11 * MIB, 1000));
    model_pass(model, 500);
    broker_fill_waiting(model->broker, model->now, &bytes, &oldest_ms);
    cr_expect(bytes == 21 * MIB && oldest_ms == 1000);
    model_pass(model, 600);
    cr_expect_eq(count_of(&figures->wait), 1, "the second was refused");
    cr_expect_eq(figures->refused[LIMIT_KIND_PHYSICAL_BYTES], 1);
    model_release(model, 0, lease);
    model_pass(model, 1);
    cr_expect_eq(count_of(&figures->wait), 2, "the first was granted");
    cr_expect_eq(count_of(&figures->acquire), 2);
    broker_fill_waiting(model->broker, model->now, &bytes, &oldest_ms);
    cr_expect(bytes == 0 && oldest_ms == 0);
    model_free(model);
}

Test(figures, refusals_are_counted_by_their_limit)
{
    struct model *model = model_new(80 * MIB, 64 * MIB, 64 * MIB);
    const struct figures *figures = broker_figures(model->broker);
    uint64_t sum = 0;
    model_open(model, 0, LIMIT_DEFAULT);
    refused(model_acquire(model, 0, 65 * MIB, LOCATION_RAM, 30000), ERROR_LIMIT);
    refused(model_acquire(model, 0, 65 * MIB, LOCATION_MMAP, 30000), ERROR_LIMIT);
    granted(model_acquire(model, 0, 60 * MIB, LOCATION_MMAP, 30000));
    refused(model_acquire(model, 0, 30 * MIB, LOCATION_RAM, 30000), ERROR_LIMIT);
    cr_expect_eq(figures->refused[LIMIT_KIND_PHYSICAL_BYTES], 1);
    cr_expect_eq(figures->refused[LIMIT_KIND_MAPPED_BYTES], 1);
    cr_expect_eq(figures->refused[LIMIT_KIND_BYTES], 1);
    for (enum limit_kind kind = LIMIT_KIND_UNSPECIFIED; kind < LIMIT_KINDS; kind++) {
        sum += figures->refused[kind];
    }
    cr_expect_eq(sum, model_status(model).counters.refused);
    model_free(model);
}

Test(figures, leases_whose_segments_were_changed_are_counted)
{
    struct model *model = model_new(0, 64 * MIB, 0);
    struct input tampered = {.kind = INPUT_SEGMENT_TAMPERED};
    model_open(model, 0, LIMIT_DEFAULT);
    granted(model_acquire(model, 0, MIB, LOCATION_RAM, 30000));
    tampered.segment.segment = model->segments[0].id;
    model_feed(model, &tampered);
    cr_expect_eq(broker_figures(model->broker)->tampered, 1);
    cr_expect_eq(model_status(model).counters.revoked, 1);
    model_free(model);
}

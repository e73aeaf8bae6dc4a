/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of the metrics goes there and back, and none is taken for another. */
#include "proto/base/histogram.h"
#include "tests/unit/reply_back.h"

TestSuite(codec_metrics);

static void expect_same(const struct durations *back, const struct durations *sent)
{
    SAME(sum_ns);
    cr_assert_eq(back->bucket_count, sent->bucket_count);
    for (size_t i = 0; i < sent->bucket_count; i++) {
        SAME(buckets[i].upto_ns);
        SAME(buckets[i].count);
    }
}

Test(codec_metrics, all_fields)
{
    static const struct duration_count buckets[] = {{1, 20}, {2, 21}, {UINT64_MAX, 22}};
    static const struct limit_count refusals[] = {{LIMIT_KIND_BYTES, 23}, {LIMIT_KIND_PAUSED, 24}};
    const struct metrics_reply all = {1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      7,
                                      8,
                                      9,
                                      10,
                                      11,
                                      refusals,
                                      2,
                                      {buckets, 3, 12},
                                      {buckets, 2, 13},
                                      {buckets, 1, 14},
                                      {NULL, 0, 15}};
    const struct reply reply = {.kind = REPLY_METRICS, .metrics = all};
    struct reply answer = reply_back(&reply);
    const struct metrics_reply *back = &answer.metrics, *sent = &all;
    cr_assert_eq(answer.kind, REPLY_METRICS);
    SAME(started_unix_ms);
    SAME(restarts);
    SAME(audits);
    SAME(audit_differences);
    SAME(messages);
    SAME(loop_stalls);
    SAME(descriptors);
    SAME(descriptors_max);
    SAME(tampered);
    SAME(waiting_bytes);
    SAME(waiting_oldest_ms);
    cr_assert_eq(back->refusal_count, 2);
    for (size_t i = 0; i < 2; i++) {
        SAME(refusals[i].kind);
        SAME(refusals[i].count);
    }
    expect_same(&back->acquire, &sent->acquire);
    expect_same(&back->wait, &sent->wait);
    expect_same(&back->freeing, &sent->freeing);
    expect_same(&back->turn, &sent->turn);
}

Test(codec_metrics, the_largest_fit_a_message)
{
    static struct duration_count buckets[HISTOGRAM_BUCKETS];
    static struct limit_count refusals[LIMIT_KINDS];
    const struct durations durations = {buckets, HISTOGRAM_BUCKETS, UINT64_MAX};
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        buckets[i] = (struct duration_count){UINT64_MAX - 1, UINT64_MAX};
    }
    for (int i = 0; i < LIMIT_KINDS; i++) {
        refusals[i] = (struct limit_count){LIMIT_KIND_BYTES, UINT64_MAX};
    }
    struct reply reply = {.kind = REPLY_METRICS,
                          .metrics = {.refusals = refusals,
                                      .refusal_count = LIMIT_KINDS,
                                      .acquire = durations,
                                      .wait = durations,
                                      .freeing = durations,
                                      .turn = durations}};
    cr_expect_eq(reply_back(&reply).metrics.turn.bucket_count, HISTOGRAM_BUCKETS);
}

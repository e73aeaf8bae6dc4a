/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what clients heard. */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "tests/simulation/world.h"

static uint64_t sum_of(const struct block_changes_reply *reply)
{
    uint64_t sum = reply->lost;
    for (size_t i = 0; i < reply->change_count; i++) {
        sum = sum * 1000003 + reply->changes[i].block * END_REASONS + reply->changes[i].ended;
    }
    return sum;
}

struct heard outcome_heard(const struct reply *reply, uint64_t ms)
{
    struct heard heard = {.ms = ms, .request = reply->is_answer ? reply->reply_to : 0, .kind = (int)reply->kind};
    if (reply->kind == REPLY_GRANT) {
        heard.lease = reply->grant.lease;
        heard.value = reply->grant.bytes * 4 + reply->grant.location;
    } else if (reply->kind == REPLY_ATTACHED) {
        heard.lease = reply->attached.lease;
        heard.value = reply->attached.block;
    } else if (reply->kind == EVENT_LEASE_ENDED) {
        heard.lease = reply->lease_ended.lease;
        heard.value = reply->lease_ended.reason;
    } else if (reply->kind == REPLY_ERROR) {
        heard.value = reply->error.code;
    } else if (reply->kind == REPLY_BLOCK_CHANGES) {
        heard.value = sum_of(&reply->block_changes);
    }
    return heard;
}

void outcome_free(struct outcome *outcome)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        free(outcome->histories[i].heard);
    }
    free(outcome);
}

static bool is_same(const struct heard *a, const struct heard *b)
{
    return a->ms == b->ms && a->request == b->request && a->lease == b->lease && a->value == b->value &&
           a->kind == b->kind;
}

static void print(const char *who, const struct history *history, size_t from)
{
    for (size_t i = from > 3 ? from - 3 : 0; i < history->count && i < from + 3; i++) {
        const struct heard *heard = &history->heard[i];
        (void)fprintf(stderr, "  %s: %llu ms, request %llu: kind %d, lease %llu, value %llu\n", who,
                      (unsigned long long)heard->ms, (unsigned long long)heard->request, heard->kind,
                      (unsigned long long)heard->lease, (unsigned long long)heard->value);
    }
}

void outcome_compare(const struct outcome *first, const struct outcome *second)
{
    int worst = -1;
    size_t where = 0;
    uint64_t when = UINT64_MAX;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        const struct history *a = &first->histories[i], *b = &second->histories[i];
        size_t same = 0;
        while (same < a->count && same < b->count && is_same(&a->heard[same], &b->heard[same])) {
            same++;
        }
        uint64_t ms = same < a->count ? a->heard[same].ms : same < b->count ? b->heard[same].ms : UINT64_MAX;
        if (ms < when) {
            worst = i;
            where = same;
            when = ms;
        }
    }
    if (worst >= 0) {
        print("the first", &first->histories[worst], where);
        print("the second", &second->histories[worst], where);
    }
    cr_assert(worst < 0, "client %d hears something else", worst);
}

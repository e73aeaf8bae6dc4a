/* SPDX-License-Identifier: Apache-2.0 */
#include "client/metrics/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/size.h"
#include "proto/base/text.h"

int gather_one(gather_ask *ask, void *data, struct request *request, enum reply_kind kind, const struct reply **ret)
{
    int result = ask(data, request, ret);
    return result < 0 ? result : (*ret)->kind == kind ? 0 : -EPROTO;
}

/* ---- status and figures ---- */

static uint64_t count_lines(const char *text)
{
    uint64_t lines = 0;
    for (; *text; text++) {
        lines += *text == '\n' || text[1] == '\0';
    }
    return lines;
}

int gather_broker(gather_ask *ask, void *data, struct gathered_broker *ret)
{
    struct request request = {.kind = REQUEST_STATUS};
    const struct reply *reply;
    int result = gather_one(ask, data, &request, REPLY_STATUS, &reply);
    if (result < 0) {
        return result;
    }
    ret->status = reply->status;
    text_copy(ret->version, sizeof ret->version, reply->status.daemon_version);
    ret->is_misconfigured = *reply->status.configuration_error != '\0';
    ret->warnings = count_lines(reply->status.warnings);
    ret->status.daemon_version = ret->status.spill_directory = NULL;
    ret->status.configuration_error = ret->status.warnings = NULL;
    return 0;
}

static void copy_durations(const struct durations *durations, struct gathered_durations *ret)
{
    ret->count = size_min(durations->bucket_count, GATHER_BUCKETS_MAX);
    ret->sum_ns = durations->sum_ns;
    for (size_t i = 0; i < ret->count; i++) {
        ret->buckets[i] = durations->buckets[i];
    }
}

static int gather_metrics(gather_ask *ask, void *data, struct gathered *ret)
{
    struct request request = {.kind = REQUEST_METRICS};
    const struct reply *reply;
    int result = gather_one(ask, data, &request, REPLY_METRICS, &reply);
    if (result < 0) {
        return result;
    }
    const struct metrics_reply *metrics = &reply->metrics;
    ret->metrics = *metrics;
    ret->metrics.refusals = NULL;
    ret->refusal_count = size_min(metrics->refusal_count, GATHER_REFUSALS_MAX);
    for (size_t i = 0; i < ret->refusal_count; i++) {
        ret->refusals[i] = metrics->refusals[i];
    }
    copy_durations(&metrics->acquire, &ret->acquire);
    copy_durations(&metrics->wait, &ret->wait);
    copy_durations(&metrics->freeing, &ret->freeing);
    copy_durations(&metrics->turn, &ret->turn);
    return 0;
}

/* ---- accounts ---- */

static int add_class(struct gathered *ret, const struct usage_entry *entry)
{
    if (ret->class_count == ret->class_room) {
        size_t room = ret->class_room ? 2 * ret->class_room : 16;
        struct usage_entry *classes = reallocarray(ret->classes, room, sizeof *classes);
        if (!classes) {
            return -ENOMEM;
        }
        ret->classes = classes;
        ret->class_room = room;
    }
    ret->classes[ret->class_count++] = *entry;
    return 0;
}

/* Into its place, if it is among those who hold most. */
static void add_user(struct gathered *ret, const struct usage_entry *entry)
{
    size_t at = ret->user_count;
    while (at > 0 && ret->users[at - 1].bytes < entry->bytes) {
        at--;
    }
    ret->all_users++;
    if (at == ret->user_most) {
        return;
    }
    size_t moved = size_min(ret->user_count, ret->user_most - 1) - at;
    (void)memmove(&ret->users[at + 1], &ret->users[at], moved * sizeof *entry);
    ret->users[at] = *entry;
    ret->user_count = size_min(ret->user_count + 1, ret->user_most);
}

static int add_account(struct gathered *ret, const struct usage_entry *entry)
{
    if (entry->kind == USAGE_USER) {
        add_user(ret, entry);
    }
    return entry->kind == USAGE_CLASS || entry->kind == USAGE_RESERVATION ? add_class(ret, entry) : 0;
}

static int gather_accounts(gather_ask *ask, void *data, struct gathered *ret)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_USAGE}};
    const struct reply *reply;
    size_t count;
    do {
        int result = gather_one(ask, data, &request, REPLY_LISTING, &reply);
        count = result < 0 ? 0 : reply->listing.usage_count;
        for (size_t i = 0; result == 0 && i < count; i++) {
            request.list.after = reply->listing.usage[i].number;
            result = add_account(ret, &reply->listing.usage[i]);
        }
        if (result < 0) {
            return result;
        }
    } while (reply->listing.more && count > 0);
    return 0;
}

int gather(gather_ask *ask, void *data, size_t users, struct gathered *ret)
{
    *ret = (struct gathered){.user_most = users};
    ret->users = calloc(users + 1, sizeof *ret->users);
    int result = ret->users ? gather_broker(ask, data, &ret->broker) : -ENOMEM;
    result = result < 0 ? result : gather_metrics(ask, data, ret);
    result = result < 0 ? result : gather_accounts(ask, data, ret);
    if (result < 0) {
        gather_free(ret);
    }
    return result;
}

void gather_free(struct gathered *gathered)
{
    free(gathered->classes);
    free(gathered->users);
    gathered->classes = gathered->users = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/blocks_follow.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "client/ctl/events.h"
#include "client/ctl/holding.h"
#include "client/ctl/output.h"
#include "client/ctl/print.h"
#include "proto/base/end_reason.h"
#include "proto/base/size.h"
#include "proto/name.h"

static const char *why(const mb_block_change *change)
{
    return change->reason == MB_END_NONE ? "why is not known, because it happened while nobody was told"
                                         : end_reason_text_of_block((enum end_reason)change->reason);
}

static int print_object(const mb_block_change *change, uint32_t owner)
{
    bool has_ended = change->type == MB_BLOCK_ENDED;
    json_t *reason = json_text(has_ended ? event_reason_word((enum end_reason)change->reason) : "");
    return ctl_print(json_pack("{s:s,s:I,s:s,s:o,s:I,s:I,s:o}", "change", has_ended ? "ended" : "published", "block",
                               (json_int_t)change->number, "name", change->name, "type", json_text(change->block_type),
                               "bytes", (json_int_t)change->bytes, "uid", (json_int_t)owner, "reason", reason),
                     true);
}

static int print_change(const struct ctl_options *options, const mb_block_change *change, uint32_t owner)
{
    char size[SIZE_TEXT_BYTES];
    if (options->json) {
        return print_object(change, owner);
    }
    if (change->type == MB_BLOCK_ENDED) {
        (void)printf("ended      %s (block %llu): %s\n", change->name, (unsigned long long)change->number, why(change));
    } else {
        (void)printf("published  %s (block %llu): %s%s%s\n", change->name, (unsigned long long)change->number,
                     size_to_text(change->bytes, size), *change->block_type ? ", " : "", change->block_type);
    }
    return fflush(stdout) == 0 ? CTL_DONE : CTL_REFUSED;
}

/* It is told once; the library goes on to try. */
static void wait_for_broker(int result, bool *is_away)
{
    const struct timespec moment = {.tv_nsec = 200000000};
    if (!*is_away) {
        (void)ctl_failed(result);
    }
    *is_away = true;
    (void)nanosleep(&moment, NULL);
}

static void note_return(const struct ctl_options *options, bool *is_away)
{
    if (*is_away && !options->json) {
        (void)fprintf(stderr, "membrokerctl: the broker is back\n");
    }
    *is_away = false;
}

static int follow(const struct ctl_options *options, mb_block_watch *watch, uint32_t owner)
{
    enum { WAIT_MS = 3600000 };
    const mb_block_change *change;
    bool is_away = false;
    int status = CTL_DONE;
    while (status == CTL_DONE) {
        int result = mb_block_watch_next(watch, WAIT_MS, &change);
        if (result == -ENOTCONN || result == -ETIMEDOUT) {
            wait_for_broker(result, &is_away);
            continue;
        }
        note_return(options, &is_away);
        status = result < 0 ? ctl_failed(result) : result > 0 ? print_change(options, change, owner) : CTL_DONE;
    }
    return status;
}

int blocks_follow(const struct ctl_options *options, uint32_t owner, const char *prefix)
{
    struct holding holding;
    mb_block_watch *watch;
    if (!name_is_valid(prefix)) {
        return ctl_usage("`%s` can't be the beginning of a name: it may have 63 bytes of UTF-8", prefix);
    }
    int status = holding_open(options, "membrokerctl blocks", 0, &holding);
    if (status != CTL_DONE) {
        return status;
    }
    output_end_with_reader();
    int result = mb_watch_blocks_of(holding.client, owner, prefix, &watch);
    status = result < 0 ? ctl_failed(result) : follow(options, watch, owner);
    if (result == 0) {
        mb_block_watch_end(watch);
    }
    holding_close(&holding);
    return status;
}

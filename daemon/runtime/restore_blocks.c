/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/restore_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/os/open_file.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/fdstore_names.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/restoring.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

/* ---- blocks ---- */

/* The daemon before may have begun to free one that had ended: its size says nothing. */
static bool is_block(const struct kept_block *kept, int fd)
{
    const struct kept_segment *segment = &kept->segment;
    return location_holds_bytes(segment->location) && open_file_is_nameless(fd, kept->ended ? 0 : segment->bytes) &&
           backend_get(backend_of(segment->location, false))->is_sealed(fd);
}

/* Nobody can have written to it since, and its owner pays for it still. */
static int restore_block(struct restoring *restoring, struct kept_block *kept, uint32_t record, int fd)
{
    struct server *server = restoring->server;
    const struct kept_segment *segment = &kept->segment;
    if (fd < 0) {
        return -ENOENT;
    }
    if (!is_block(kept, fd)) {
        log_error("block %s is lost: what is kept for it is not its memory", kept->name);
        return -EPROTO;
    }
    kept->has_publisher = restoring_slot(server, segment->session, segment->slot, segment->generation);
    struct segment_file *file = NULL;
    int result = segment_adopt(server, segment, fd, kept->user, LENDS_READABLE, &file);
    if (result < 0) {
        return result;
    }
    file->record = record;
    file->is_reported = kept->ended;
    result = broker_restore_block(server->broker, kept, file, clock_now(server));
    if (result < 0) {
        segment_disown(file);
    }
    return result;
}

static void take_block(struct restoring *restoring, uint32_t record)
{
    const struct server *server = restoring->server;
    struct kept_block kept = {.id = 0};
    char buffer[TABLE_BLOCK_BUFFER];
    bool is_whole = table_read_published(&server->fdstore.table, record, &kept.segment) &&
                    table_read_block(&server->fdstore.table, record, clock_monotonic(), &kept, buffer);
    int fd = restoring_take(restoring, restoring_letter(&kept.segment), record);
    int result = is_whole ? restore_block(restoring, &kept, record, fd) : -ENOENT;
    if (restoring_is_passing(result)) {
        restoring->failed = result;
        (void)fd_close(fd);
    } else if (result < 0) {
        restoring_drop_segment(restoring, &kept.segment, record, fd);
    } else {
        restoring->blocks++;
    }
}

struct use {
    uint64_t used;
    uint32_t record;
};

/* The one that was used last comes first. */
static int compare_uses(const void *one, const void *other)
{
    const struct use *a = one, *b = other;
    return (a->used < b->used) - (a->used > b->used);
}

/* NULL: memory is short. */
static struct use *list_blocks(const struct table *table, size_t *ret_count)
{
    uint32_t records = table_records(table);
    struct use *uses = calloc(records + 1, sizeof *uses);
    struct kept_segment kept;
    *ret_count = 0;
    for (uint32_t i = 0; uses && i < records; i++) {
        if (table_read_published(table, i, &kept)) {
            uses[(*ret_count)++] = (struct use){table_block_used(table, i), i};
        }
    }
    return uses;
}

/* ---- views ---- */

static int restore_view(struct restoring *restoring, const struct kept_view *kept, uint32_t record)
{
    struct server *server = restoring->server;
    if (!restoring_slot(server, kept->session, kept->slot, kept->generation)) {
        return -ENOENT;
    }
    int result = broker_restore_view(server->broker, kept, clock_now(server));
    return result == 0 && !fdstore_note_view(restoring_peer(server, kept->session), kept->slot, record) ? -ENOMEM
                                                                                                        : result;
}

static void take_view(struct restoring *restoring, const struct kept_view *kept, uint32_t record)
{
    int result = restore_view(restoring, kept, record);
    if (restoring_is_passing(result)) {
        restoring->failed = result;
    } else if (result < 0) {
        table_forget(&restoring->server->fdstore.table, record);
    } else {
        restoring->views++;
    }
}

void restore_blocks(struct restoring *restoring)
{
    const struct table *table = &restoring->server->fdstore.table;
    size_t count;
    cleanup(freep) struct use *uses = list_blocks(table, &count);
    struct kept_view view;
    if (!uses) {
        restoring->failed = -ENOMEM;
        return;
    }
    qsort(uses, count, sizeof *uses, compare_uses);
    for (size_t i = 0; i < count && !restoring->failed; i++) {
        take_block(restoring, uses[i].record);
    }
    for (uint32_t i = 0; i < table_records(table) && !restoring->failed; i++) {
        if (table_read_view(table, i, &view)) {
            take_view(restoring, &view, i);
        }
    }
}

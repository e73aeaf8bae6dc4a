/* SPDX-License-Identifier: Apache-2.0 */
/* Listing blocks, page by page. */
#include <errno.h>
#include <stdlib.h>

#include "client/block/block.h"
#include "client/call.h"
#include "client/error.h"
#include "client/location.h"
#include "client/thread.h"
#include "proto/base/cleanup.h"

static mb_block_info info_of(const struct block_entry *block)
{
    return (mb_block_info){.number = block->block,
                           .bytes = block->bytes,
                           .age_ms = block->age_ms,
                           .keep_ms = block->keep_ms,
                           .name = block->name,
                           .type = block->type,
                           .owner = block->owner,
                           .gid = block->gid,
                           .views = block->views,
                           .lifetime = (mb_lifetime)block->lifetime,
                           .access = (mb_access)block->access,
                           .ended = (mb_end_reason)block->ended,
                           .location = block->location ? (mb_location)block->location : location_published(),
                           .publisher = block->publisher};
}

static int read_page(mb_client *client, uint64_t after, struct block_page *ret)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_BLOCKS, .after = after}};
    struct call call = {.blocks = ret};
    ret->count = 0;
    ret->has_more = false;
    return call_broker(client, &request, &call);
}

static int visit_page(const struct block_page *page, mb_block_visitor *visit, void *user_data)
{
    int result = 0;
    for (size_t i = 0; i < page->count && result == 0; i++) {
        const mb_block_info info = info_of(&page->blocks[i]);
        result = visit(&info, user_data);
    }
    return result;
}

int mb_list_blocks(mb_client *client, mb_block_visitor *visit, void *user_data)
{
    cleanup(freep) struct block_page *page = malloc(sizeof *page);
    uint64_t after = 0;
    if (!page) {
        return error_no_memory();
    }
    do {
        int result = read_page(client, after, page);
        result = result < 0 ? error_end(result) : visit_page(page, visit, user_data);
        if (result != 0) {
            return result;
        }
        after = page->count > 0 ? page->blocks[page->count - 1].block : 0;
    } while (page->has_more && page->count > 0);
    return error_end(0);
}

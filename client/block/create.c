/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that can be published: acquiring it, looking at it, letting go of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/acquire.h"
#include "client/block/block.h"
#include "client/error.h"
#include "client/lease.h"
#include "client/location.h"
#include "client/release.h"
#include "client/thread.h"
#include "proto/base/text.h"
#include "proto/name.h"

_Static_assert((int)MB_LIFETIME_SESSION == LIFETIME_SESSION && (int)MB_LIFETIME_KEEP == LIFETIME_KEEP &&
                   (int)MB_LIFETIME_CACHE == LIFETIME_CACHE && (int)MB_ACCESS_USER == BLOCK_ACCESS_USER &&
                   (int)MB_ACCESS_GROUP == BLOCK_ACCESS_GROUP && (int)MB_ACCESS_ALL == BLOCK_ACCESS_ALL,
               "the broker's values are the library's");
_Static_assert((int)MB_BLOCK_METADATA_MAX == MESSAGE_METADATA_MAX, "what the library takes fits the message");

/* The caller's memory may be of another language, so that any number can come. */
static int check_options(const mb_block_options *options)
{
    if (options->size < sizeof *options) {
        return error_set(-EINVAL, "the options must begin as MB_BLOCK_OPTIONS_INIT");
    }
    if ((unsigned)options->lifetime > MB_LIFETIME_CACHE || (unsigned)options->access > MB_ACCESS_ALL) {
        return error_set(-EINVAL, "the lifetime or the access of the block is none that this library knows");
    }
    if (options->keep_ms && options->lifetime != MB_LIFETIME_KEEP) {
        return error_set(-EINVAL, "keep_ms goes with MB_LIFETIME_KEEP only");
    }
    if (!location_is_valid(options->location)) {
        return error_set(-EINVAL, "the location of the block is none that this library knows");
    }
    if (location_is_file(options->location) && options->access != MB_ACCESS_USER) {
        return error_set(-EOPNOTSUPP, "a block in a file is for processes of its own user only, since no seal of "
                                      "the kernel keeps a file as it is; use MB_ACCESS_USER, or memory");
    }
    if (options->type && !name_is_valid(options->type)) {
        return error_set(-EINVAL, "a block's type must be UTF-8 of at most 63 bytes without control characters");
    }
    int result = block_check_group(options->access, options->gid);
    result = result < 0 ? result : block_check_copied("metadata", options->metadata, options->metadata_bytes);
    if (result == 0 && options->metadata_bytes > MB_BLOCK_METADATA_MAX) {
        return error_set(-EINVAL, "a block's metadata has at most %d bytes, not %zu; put more into the block",
                         MB_BLOCK_METADATA_MAX, options->metadata_bytes);
    }
    return result;
}

static mb_block *block_new(const mb_block_options *options)
{
    mb_block *block = calloc(1, sizeof *block + options->metadata_bytes);
    if (!block) {
        (void)error_no_memory();
        return NULL;
    }
    block->terms = (struct publish_request){
        .lifetime = (enum lifetime)options->lifetime,
        .keep_ms = options->keep_ms,
        .access = (enum block_access)options->access,
        .gid = options->gid,
        .replace = options->replace,
        .metadata = {.data = block->metadata, .count = options->metadata_bytes},
    };
    text_copy(block->terms.type, sizeof block->terms.type, options->type ? options->type : "");
    if (options->metadata_bytes) {
        memcpy(block->metadata, options->metadata, options->metadata_bytes);
    }
    return block;
}

static mb_lease_options memory_of(const mb_block_options *options)
{
    mb_lease_options memory = MB_LEASE_OPTIONS_INIT;
    memory.name = "block";
    memory.location = options->location;
    memory.wait_ms = options->wait_ms;
    memory.ttl_ms = options->ttl_ms;
    memory.huge_pages = options->huge_pages;
    memory.numa_node = options->numa_node;
    memory.interleave = options->interleave;
    memory.prefault = options->prefault;
    return memory;
}

/* On success the lease owns the block. */
static int acquire(mb_client *client, uint64_t bytes, const mb_block_options *options, mb_block *block)
{
    const mb_lease_options memory = memory_of(options);
    mb_lease *lease;
    int result = acquire_publishable(client, bytes, &memory, &lease);
    if (result < 0) {
        return result;
    }
    result = mb_map(lease, 0, &block->address, &block->bytes);
    if (result < 0) {
        release_drop(lease);
        return result;
    }
    block->lease = lease;
    block->terms.lease = lease->id;
    lease->owned = block;
    return 0;
}

int mb_block_create(mb_client *client, uint64_t bytes, const mb_block_options *options, mb_block **ret_block)
{
    static const mb_block_options defaults = MB_BLOCK_OPTIONS_INIT;
    options = options ? options : &defaults;
    int result = check_options(options);
    if (result < 0) {
        return result;
    }
    mb_block *block = block_new(options);
    if (!block) {
        return -ENOMEM;
    }
    result = acquire(client, bytes, options, block);
    if (result < 0) {
        free(block);
        return result;
    }
    *ret_block = block;
    return error_end(0);
}

void *mb_block_data(const mb_block *block)
{
    return block->address;
}

uint64_t mb_block_bytes(const mb_block *block)
{
    return block->bytes;
}

mb_lease *mb_block_lease(const mb_block *block)
{
    return block->lease;
}

int mb_block_free(mb_block *block)
{
    return block ? mb_release(block->lease) : 0;
}

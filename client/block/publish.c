/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing. First this process gives up all ways to write to the memory, then the broker has the kernel prove that
 * nobody has one.
 */
#include <errno.h>
#include <string.h>

#include "client/block/block.h"
#include "client/call.h"
#include "client/client.h"
#include "client/error.h"
#include "client/lease.h"
#include "client/mapping.h"
#include "client/owner.h"
#include "proto/base/text.h"

/* The client's lock is held. */
static int check_state(const mb_block *block, const char *name)
{
    if (block->is_publishing) {
        return error_set(-EINVAL, "another thread is publishing the block");
    }
    if (block->is_published && strcmp(block->terms.name, name) != 0) {
        return error_set(-EINVAL, "the block is published as \"%s\" already; a block has one name", block->terms.name);
    }
    return 0;
}

/* One thread at a time gets here past the others. */
static int begin(mb_block *block, const char *name)
{
    mb_client *client = block->lease->client;
    (void)pthread_mutex_lock(&client->lock);
    int result = check_state(block, name);
    if (result == 0) {
        block->is_publishing = true;
        if (!block->is_published) { /* else it is the same, and others read it */
            text_copy(block->terms.name, sizeof block->terms.name, name);
        }
    }
    (void)pthread_mutex_unlock(&client->lock);
    return result;
}

static void end(mb_block *block, int result)
{
    mb_client *client = block->lease->client;
    (void)pthread_mutex_lock(&client->lock);
    block->is_publishing = false;
    block->is_published = block->is_published || result == 0;
    if (block->is_published) {
        atomic_store_explicit(&block->lease->block, block->terms.name, memory_order_release);
    }
    (void)pthread_mutex_unlock(&client->lock);
}

static int publish(mb_block *block, bool to_zeros)
{
    struct request request = {.kind = REQUEST_PUBLISH, .publish = block->terms};
    struct call call = {0};
    int result = mapping_end_writing(block->lease, to_zeros);
    block->address = lease_extent(block->lease, 0)->address;
    return result < 0 ? result : call_broker(block->lease->client, &request, &call);
}

static int check_and_publish(mb_block *block, const char *name, bool to_zeros)
{
    int result = owner_check(block->lease->client);
    if (result == 0) {
        result = block_check_name(name);
    }
    if (result == 0) {
        result = mb_lease_check(block->lease);
    }
    if (result == 0) {
        result = begin(block, name);
    }
    if (result < 0) {
        return result;
    }
    result = publish(block, to_zeros);
    end(block, result);
    return error_end(result);
}

int mb_block_publish(mb_block *block, const char *name)
{
    return check_and_publish(block, name, false);
}

int mb_block_publish_to_zeros(mb_block *block, const char *name)
{
    return check_and_publish(block, name, true);
}

int mb_unpublish(mb_client *client, const char *name)
{
    struct request request = {.kind = REQUEST_UNPUBLISH};
    struct call call = {0};
    int result = block_check_name(name);
    if (result == 0) {
        text_copy(request.unpublish.name, sizeof request.unpublish.name, name);
        result = call_broker(client, &request, &call);
    }
    return error_end(result);
}

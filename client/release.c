/* SPDX-License-Identifier: Apache-2.0 */
/* A released lease is kept for reuse, or unmapped and reported to the broker. */
#include "client/release.h"

#include "client/client.h"
#include "client/error.h"
#include "client/loss.h"
#include "client/mapping.h"
#include "client/owner.h"

/* Unmaps without the lock, since that can take long. */
static void release(mb_lease *lease)
{
    mb_client *client = lease->client;
    bool was_lost = mb_lease_end_reason(lease) != MB_END_NONE;
    (void)pthread_mutex_lock(&client->lock);
    bool is_kept = !was_lost && lease_cache_keep(lease);
    lease->is_going = !is_kept;
    (void)pthread_mutex_unlock(&client->lock);
    if (is_kept) {
        return;
    }
    mapping_remove(lease);
    (void)pthread_mutex_lock(&client->lock);
    releases_post(client, lease, was_lost);
    (void)pthread_mutex_unlock(&client->lock);
}

void release_drop(mb_lease *lease)
{
    if (lease && owner_is_here(lease->client)) {
        release(lease);
    }
}

/* First, since another thread may take it from the cache. */
void release_protected(mb_lease *lease)
{
    if (lease && lease->is_plain && owner_is_here(lease->client)) {
        (void)mapping_protect(lease, true);
    }
    release_drop(lease);
}

void release_give_back(mb_lease *lease)
{
    if (lease) {
        lease->is_plain = false;
    }
    release_drop(lease);
}

int mb_release_to_zeros(mb_lease *lease)
{
    if (lease) {
        lease->leaves_zeros = true;
        lease->is_plain = false;
    }
    return mb_release(lease);
}

int mb_release(mb_lease *lease)
{
    int result = lease ? owner_check(lease->client) : 0;
    if (!lease || result < 0) {
        return result;
    }
    mb_end_reason reason = mb_lease_end_reason(lease);
    uint64_t id = lease->id; /* now: the lease may be freed */
    char sentence[LOSS_SENTENCE_BYTES];
    if (reason != MB_END_NONE) {
        (void)loss_sentence(lease, reason, "", "", sentence, sizeof sentence);
    }
    release(lease);
    return reason == MB_END_NONE ? 0 : error_set_lost(id, sentence, reason);
}

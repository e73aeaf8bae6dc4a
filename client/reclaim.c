/* SPDX-License-Identifier: Apache-2.0 */
/* Retries as JavaCPP does, and ends a refusal's sentence with who holds most. */
#include "client/reclaim.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/error.h"
#include "client/holders.h"
#include "client/layers.h"
#include "client/release.h"
#include "client/thread.h"

static bool is_short_of_memory(int result)
{
    return result == -ENOMEM || result == -ENOSPC;
}

/* Memory that is given back does not help if the limit is smaller than the request. */
static bool may_fit_later(void)
{
    mb_refusal refusal = MB_REFUSAL_INIT;
    return mb_last_refusal(&refusal) < 0 || mb_refusal_may_fit_later(&refusal);
}

static bool is_worth_a_retry(int result)
{
    return is_short_of_memory(result) && may_fit_later();
}

int reclaim_try(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease,
                void **ret_address)
{
    mb_lease *lease;
    int result = mb_acquire(client, bytes, options, &lease);
    if (result == 0) {
        result = mb_map(lease, 0, ret_address, NULL);
        if (result < 0) {
            release_drop(lease);
            return result;
        }
        *ret_lease = lease;
    }
    return result;
}

static void ask_program(mb_client *client, uint64_t bytes, mb_location location, unsigned attempt)
{
    const mb_reclaim reclaim = {client, bytes, location, attempt};
    thread_self->reclaiming++;
    uint32_t milliseconds = reclaimers_ask(client, &reclaim);
    thread_self->reclaiming--;
    const struct timespec wait = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    (void)layers_trim(client); /* gives back what they freed */
    (void)nanosleep(&wait, NULL);
}

static int explain(mb_client *client, int result)
{
    struct local_holder holders[HOLDERS_MAX] = {{0}};
    char most[HOLDERS_TEXT_BYTES];
    layers_add_holders(client, holders);
    holders_describe(holders, most);
    error_continue("%s", most);
    errno = -result;
    return result;
}

int reclaim_acquire(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease,
                    void **ret_address)
{
    if (!thread_get()) {
        return -ENOMEM;
    }
    int result = reclaim_try(client, bytes, options, ret_lease, ret_address);
    /* also for what can never fit: a refusal is not to count what nobody but the library itself keeps */
    if (is_short_of_memory(result) && layers_trim(client) > 0) {
        result = reclaim_try(client, bytes, options, ret_lease, ret_address);
    }
    unsigned attempts = is_worth_a_retry(result) && !thread_self->reclaiming ? reclaimers_attempts(client) : 0;
    for (unsigned i = 1; is_worth_a_retry(result) && i <= attempts; i++) {
        ask_program(client, bytes, options->location, i);
        result = reclaim_try(client, bytes, options, ret_lease, ret_address);
    }
    /* Last, or the request would wait for memory that the program itself can free. */
    if (is_worth_a_retry(result) && client->options.wait_ms) {
        mb_lease_options waiting = *options;
        waiting.wait_ms = client->options.wait_ms;
        result = reclaim_try(client, bytes, &waiting, ret_lease, ret_address);
    }
    return is_short_of_memory(result) ? explain(client, result) : result;
}

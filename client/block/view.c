/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a view, and closing it. */
#include "client/block/block.h"

#include "client/client.h"
#include "client/registry.h"

const void *mb_view_data(const mb_view *view, uint64_t *ret_bytes)
{
    if (ret_bytes) {
        *ret_bytes = view->bytes;
    }
    return view->address;
}

/* What was read before is not read later than the generation, on any processor. */
int mb_view_check(const mb_view *view)
{
    atomic_thread_fence(memory_order_acquire);
    return mb_lease_check(view->lease);
}

const char *mb_view_type(const mb_view *view)
{
    return view->attached.type;
}

const void *mb_view_metadata(const mb_view *view, size_t *ret_bytes)
{
    if (ret_bytes) {
        *ret_bytes = view->attached.metadata_bytes;
    }
    return view->attached.metadata;
}

uint64_t mb_view_number(const mb_view *view)
{
    return view->attached.block;
}

mb_lease *mb_view_lease(const mb_view *view)
{
    return view->lease;
}

int mb_view_close(mb_view *view)
{
    return view ? mb_release(view->lease) : 0;
}

struct given_view view_give(mb_view *view)
{
    const mb_client *client = view->lease->client;
    return (struct given_view){.view = view, .client = client, .client_serial = client->serial};
}

void view_end_given(const struct given_view *given)
{
    if (registry_finds(given->client, given->client_serial)) {
        (void)mb_view_close(given->view);
    }
}

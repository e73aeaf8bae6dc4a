/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching blocks. A view is a lease whose memory can only be read. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "client/background.h"
#include "client/block/block.h"
#include "client/call.h"
#include "client/error.h"
#include "client/release.h"
#include "client/thread.h"
#include "proto/base/text.h"

/* The broker's view is in *lease, and what the publisher said in *attached. */
static int ask(mb_client *client, const struct attach_block_request *asked, mb_lease *lease, struct attached *attached)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK, .attach_block = *asked};
    struct call call = {.lease = lease, .attached = attached};
    int result = background_need(client); /* first, so that a lease is never without the thread that renews it */
    text_copy(lease->name, sizeof lease->name, asked->name);
    lease->is_read_only = true;
    atomic_init(&lease->block, lease->name);
    return result < 0 ? result : call_broker(client, &request, &call);
}

/* Has no room for more metadata than there is. */
static mb_view *view_new(mb_lease *lease, const struct attached *attached)
{
    size_t said = offsetof(struct attached, metadata) + attached->metadata_bytes;
    mb_view *view = malloc(offsetof(mb_view, attached) + said);
    if (!view) {
        (void)error_no_memory();
        return NULL;
    }
    view->lease = lease;
    memcpy(&view->attached, attached, said);
    return view;
}

/* On success the lease owns the view. */
static int take(mb_lease *lease, const struct attached *attached, mb_view **ret_view)
{
    mb_view *view = view_new(lease, attached);
    void *address;
    int result = view ? mb_map(lease, 0, &address, &view->bytes) : -ENOMEM;
    if (result < 0) {
        release_drop(lease);
        free(view);
        return result;
    }
    view->address = address;
    lease->owned = view;
    *ret_view = view;
    return 0;
}

static int attach(mb_client *client, const struct attach_block_request *asked, mb_view **ret_view)
{
    struct attached attached;
    mb_lease *lease = calloc(1, sizeof *lease);
    if (!lease) {
        return error_no_memory();
    }
    int result = ask(client, asked, lease, &attached);
    if (result < 0) {
        free(lease);
        return result;
    }
    return take(lease, &attached, ret_view);
}

static int attach_named(mb_client *client, const char *name, struct attach_block_request *request, mb_view **ret_view)
{
    int result = block_check_name(name);
    if (result == 0) {
        text_copy(request->name, sizeof request->name, name);
        result = attach(client, request, ret_view);
    }
    return error_end(result);
}

int mb_attach(mb_client *client, const char *name, uint32_t wait_ms, mb_view **ret_view)
{
    struct attach_block_request request = {.wait_ms = wait_ms};
    return attach_named(client, name, &request, ret_view);
}

int mb_attach_from(mb_client *client, uint32_t owner, const char *name, uint32_t wait_ms, mb_view **ret_view)
{
    struct attach_block_request request = {.has_owner = true, .owner = owner, .wait_ms = wait_ms};
    return attach_named(client, name, &request, ret_view);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching blocks. A view is a lease whose memory can only be read. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "client/background.h"
#include "client/block/block.h"
#include "client/call.h"
#include "client/error.h"
#include "client/release.h"
#include "client/thread.h"
#include "proto/base/text.h"

/* The broker's view is in *lease, and what the publisher said in *view. */
static int ask(mb_client *client, const struct attach_block_request *asked, mb_lease *lease, mb_view *view)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK, .attach_block = *asked};
    struct call call = {.lease = lease, .attached = &view->attached};
    int result = background_need(client); /* first, so that a lease is never without the thread that renews it */
    text_copy(lease->name, sizeof lease->name, asked->name);
    lease->is_read_only = true;
    return result < 0 ? result : call_broker(client, &request, &call);
}

static int map(mb_view *view)
{
    void *address;
    int result = mb_map(view->lease, 0, &address, &view->bytes);
    view->address = result < 0 ? NULL : address;
    return result;
}

/* The room for metadata that there is none of goes back. */
static mb_view *shrink(mb_view *view)
{
    mb_view *small = realloc(view, offsetof(mb_view, attached.metadata) + view->attached.metadata_bytes);
    /* cppcheck-suppress memleak */
    return small ? small : view;
}

static int take(mb_view *view, mb_lease *lease, mb_view **ret_view)
{
    view->lease = lease;
    int result = map(view);
    if (result < 0) {
        release_drop(lease);
        free(view);
        return result;
    }
    *ret_view = shrink(view);
    lease->owned = *ret_view;
    return 0;
}

static int attach(mb_client *client, const struct attach_block_request *asked, mb_view **ret_view)
{
    mb_lease *lease = calloc(1, sizeof *lease);
    mb_view *view = calloc(1, sizeof *view);
    int result = -ENOMEM;
    if (!lease || !view) {
        (void)error_no_memory();
    } else {
        result = ask(client, asked, lease, view);
    }
    if (result == 0) {
        return take(view, lease, ret_view);
    }
    free(lease);
    free(view);
    return result;
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Copies between workspaces and buffers: leverage, detach, migrate. */
#include <errno.h>
#include <string.h>

#include "client/buffer/buffer.h"
#include "client/error.h"
#include "client/workspace/own.h"

static int copy_to_workspace(const mb_ref *from, mb_workspace *workspace, mb_ref *ret_to)
{
    if (!from->buffer && from->origin == workspace->origin) {
        *ret_to = *from; /* it lies there already */
        return 0;
    }
    void *data = mb_workspace_alloc(workspace, from->bytes);
    if (!data) {
        return -errno;
    }
    memcpy(data, from->data, from->bytes);
    *ret_to = mb_workspace_ref(workspace, data, from->bytes);
    return 0;
}

/* The client that leased the memory: a copy goes to its heap. */
static mb_client *client_of(const mb_ref *from)
{
    const mb_workspace *workspace = own_of_origin(from->origin);
    return workspace ? workspace->client : NULL;
}

static int copy_to_buffer(const mb_ref *from, mb_buffer **ret_buffer)
{
    mb_client *client = thread_get() ? client_of(from) : NULL;
    if (!client) {
        return error_set(-EPERM, "only the thread that a workspace belongs to can copy out of it");
    }
    mb_buffer *buffer = NULL;
    int result = mb_buffer_create(client, from->bytes ? from->bytes : 1, NULL, &buffer);
    if (result == 0) {
        memcpy(mb_buffer_data(buffer), from->data, from->bytes);
        *ret_buffer = buffer;
    }
    return result;
}

static int detach_to_ref(const mb_ref *from, mb_ref *ret_to)
{
    mb_buffer *buffer = NULL;
    int result = copy_to_buffer(from, &buffer);
    if (result == 0) {
        *ret_to = mb_buffer_as_ref(buffer);
    }
    return result;
}

/* The workspace of the scope around the newest one. NULL: there is none, or a scope-out lies in between. */
static mb_workspace *parent(const struct thread *thread)
{
    return thread && thread->current && thread->scope_count > 1 ? thread->scopes[thread->scope_count - 2].workspace
                                                                : NULL;
}

int mb_buffer_leverage(const mb_ref *from, mb_ref *ret_to)
{
    int result = mb_ref_check(from);
    if (result < 0) {
        return result;
    }
    if (from->buffer) {
        *ret_to = *from;
        return 0;
    }
    mb_workspace *target = parent(thread_self);
    return target ? copy_to_workspace(from, target, ret_to) : detach_to_ref(from, ret_to);
}

int mb_buffer_leverage_to(const mb_ref *from, const char *name, mb_ref *ret_to)
{
    mb_workspace *workspace = own_find(NULL, name);
    int result = mb_ref_check(from);
    if (result < 0) {
        return result;
    }
    if (from->buffer) {
        *ret_to = *from;
        return 0;
    }
    if (!workspace) {
        return error_set(-ENOENT, "this thread has no workspace \"%s\"", name);
    }
    return copy_to_workspace(from, workspace, ret_to);
}

int mb_buffer_leverage_or_detach(const mb_ref *from, const char *name, mb_ref *ret_to)
{
    if (mb_workspace_exists_and_active(name)) {
        return mb_buffer_leverage_to(from, name, ret_to);
    }
    int result = mb_ref_check(from);
    if (result == 0 && from->buffer) {
        *ret_to = *from;
    } else if (result == 0) {
        result = detach_to_ref(from, ret_to);
    }
    return result;
}

int mb_buffer_detach(const mb_ref *from, mb_buffer **ret_buffer)
{
    int result = mb_ref_check(from);
    if (result < 0) {
        return result;
    }
    if (from->buffer) {
        *ret_buffer = mb_buffer_ref(from->buffer);
        return 0;
    }
    return copy_to_buffer(from, ret_buffer);
}

int mb_buffer_migrate(const mb_ref *from, mb_ref *ret_to)
{
    mb_workspace *current = mb_workspace_current();
    int result = mb_ref_check(from);
    if (result == 0 && current) {
        result = copy_to_workspace(from, current, ret_to);
    } else if (result == 0) {
        *ret_to = *from;
    }
    return result;
}

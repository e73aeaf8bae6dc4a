/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a workspace's bypassed buffers. */
#include "client/workspace/bypass.h"

#include <errno.h>
#include <stdlib.h>

#include "client/error.h"

static bool reserve_bypassed(mb_workspace *workspace)
{
    if (workspace->bypassed_count < workspace->bypassed_capacity) {
        return true;
    }
    size_t capacity = workspace->bypassed_capacity ? workspace->bypassed_capacity * 2 : 64;
    mb_buffer **bypassed = reallocarray(workspace->bypassed, capacity, sizeof(mb_buffer *));
    if (!bypassed) {
        (void)error_no_memory();
        return false;
    }
    workspace->bypassed = bypassed;
    workspace->bypassed_capacity = capacity;
    return true;
}

/* A buffer is aligned to 16 at least. For a larger alignment it gets room to move. */
void *bypass_alloc(mb_workspace *workspace, size_t bytes, size_t alignment, unsigned flags)
{
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer;
    if (bytes > INT64_MAX) {
        (void)error_set(-ENOMEM, "%zu bytes are more than any workspace can have", bytes);
        return NULL;
    }
    options.name = workspace->name;
    options.location = workspace->config.location;
    options.flags = flags;
    size_t room = alignment > CYCLE_ALIGNMENT ? bytes + alignment : bytes > 0 ? bytes : 1;
    if (!reserve_bypassed(workspace) || mb_buffer_create(workspace->client, room, &options, &buffer) < 0) {
        return NULL;
    }
    workspace->bypassed[workspace->bypassed_count++] = mb_buffer_keep(buffer);
    char *data = mb_buffer_data(buffer);
    return data + (-(uintptr_t)data & (alignment - 1));
}

void bypass_free_all(mb_workspace *workspace)
{
    for (size_t i = 0; i < workspace->bypassed_count; i++) {
        (void)mb_buffer_unref(workspace->bypassed[i]);
    }
    free(workspace->bypassed);
    workspace->bypassed = NULL;
    workspace->bypassed_count = workspace->bypassed_capacity = 0;
}

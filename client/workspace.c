/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workspace: a bump arena on a lease. Allocating moves a pointer and nothing else; the lease is looked at when a
 * cycle begins.
 */
#define MB_NO_INLINE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/error.h"

struct mb_workspace {
    struct mb_workspace_arena arena; /* first: the header's inline allocation works on it */
    char *base;
    uint64_t size;
    bool is_open;
    mb_lease *lease;
    char name[MESSAGE_NAME_SIZE];
};

static int map_arena(mb_workspace *workspace)
{
    void *address;
    uint64_t bytes;
    int result = mb_map(workspace->lease, 0, &address, &bytes);
    if (result == 0) {
        workspace->base = address;
        workspace->size = bytes;
    }
    return result;
}

int mb_workspace_open(mb_client *client, const char *name, const mb_workspace_config *config,
                      mb_workspace **ret_workspace)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    if (config->size < sizeof *config) {
        return error_set(-EINVAL, "the configuration must begin as MB_WORKSPACE_CONFIG_INIT");
    }
    if (!codec_name_is_valid(name)) {
        return error_set(-EINVAL, "a workspace's name must be UTF-8 of at most 63 bytes without control characters");
    }
    mb_workspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace) {
        return error_set(-ENOMEM, "out of memory for the library's own tables");
    }
    options.name = name;
    options.location = config->location;
    options.ttl_ms = config->ttl_ms;
    options.huge_pages = config->huge_pages;
    options.numa_node = config->numa_node;
    options.prefault = config->prefault;
    (void)stpncpy(workspace->name, name, sizeof workspace->name - 1);
    int result = mb_acquire(client, config->initial_size, &options, &workspace->lease);
    if (result == 0) {
        result = map_arena(workspace);
    }
    if (result < 0) {
        (void)mb_release(workspace->lease);
        free(workspace);
        return result;
    }
    *ret_workspace = workspace;
    return 0;
}

int mb_workspace_enter(mb_workspace *workspace)
{
    if (workspace->is_open) {
        return error_set(-EBUSY, "a cycle of workspace \"%s\" is open; leave it first", workspace->name);
    }
    int result = mb_lease_check(workspace->lease);
    if (result < 0) {
        return result;
    }
    workspace->is_open = true;
    workspace->arena.next = workspace->base;
    workspace->arena.end = workspace->base + workspace->size;
    return 0;
}

void *mb_workspace_alloc(mb_workspace *workspace, size_t bytes)
{
    struct mb_workspace_arena *arena = &workspace->arena;
    char *allocated = arena->next;
    if (bytes > (size_t)(arena->end - allocated)) {
        return mb_workspace_alloc_slow(workspace, bytes);
    }
    arena->next = allocated + ((bytes + (MB_WORKSPACE_ALIGNMENT - 1)) & ~(size_t)(MB_WORKSPACE_ALIGNMENT - 1));
    return allocated;
}

void *mb_workspace_alloc_slow(mb_workspace *workspace, size_t bytes)
{
    if (!workspace->is_open) {
        (void)error_set(-EINVAL, "no cycle of workspace \"%s\" is open; enter it first", workspace->name);
    } else {
        (void)error_set(
            -ENOMEM,
            "%zu bytes don't fit workspace \"%s\": it has %llu bytes, of which %llu are used in this cycle and "
            "%llu are free; open it with a larger initial_size",
            bytes, workspace->name, (unsigned long long)workspace->size,
            (unsigned long long)mb_workspace_offset(workspace),
            (unsigned long long)(workspace->size - mb_workspace_offset(workspace)));
    }
    return NULL;
}

int mb_workspace_leave(mb_workspace *workspace)
{
    if (!workspace->is_open) {
        return error_set(-EINVAL, "no cycle of workspace \"%s\" is open", workspace->name);
    }
    mb_lease_report_use(workspace->lease, mb_workspace_offset(workspace));
    workspace->is_open = false;
    workspace->arena.next = workspace->arena.end = workspace->base;
    return 0;
}

void mb_workspace_close(mb_workspace *workspace)
{
    if (workspace) {
        (void)mb_release(workspace->lease);
        free(workspace);
    }
}

uint64_t mb_workspace_size(const mb_workspace *workspace)
{
    return workspace->size;
}

uint64_t mb_workspace_offset(const mb_workspace *workspace)
{
    return (uint64_t)(workspace->arena.next - workspace->base);
}

mb_lease *mb_workspace_lease(mb_workspace *workspace)
{
    return workspace->lease;
}

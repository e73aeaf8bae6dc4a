/* SPDX-License-Identifier: Apache-2.0 */
/* Opens, finds and closes workspaces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/error.h"
#include "client/layers.h"
#include "client/misuse.h"
#include "client/owner.h"
#include "client/registry.h"
#include "client/release.h"
#include "client/workspace/arena.h"
#include "client/workspace/bypass.h"
#include "client/workspace/config.h"
#include "client/workspace/idle.h"
#include "client/workspace/own.h"
#include "client/workspace/stack.h"
#include "proto/name.h"

/* ---- opening ---- */

static int fill(mb_workspace *workspace, mb_client *client, const char *name, const mb_workspace_config *config,
                const struct cycle_rules *rules)
{
    workspace->client = client;
    workspace->config = *config;
    (void)stpncpy(workspace->name, name, sizeof workspace->name - 1);
    workspace->options = (mb_lease_options)MB_LEASE_OPTIONS_INIT;
    workspace->options.name = workspace->name;
    workspace->options.location = workspace->location = config->location;
    workspace->options.ttl_ms = config->ttl_ms;
    workspace->options.huge_pages =
        config->huge_pages == MB_HUGE_PAGES_NEVER ? MB_HUGE_PAGES_DEFAULT : config->huge_pages;
    workspace->options.numa_node = config->numa_node;
    workspace->options.prefault = config->prefault;
    workspace->options.flags = MB_LEASE_UNDEFINED_CONTENT;
    workspace->catch_misuse = client->options.flags & MB_CLIENT_CATCH_MISUSE;
    workspace->spill =
        (struct spill){.client = client, .options = &workspace->options, .catch_misuse = workspace->catch_misuse};
    TAILQ_INIT(&workspace->spill.areas);
    cycle_init(&workspace->cycle, rules);
    if (config->file && !(workspace->file = strdup(config->file))) {
        return error_no_memory();
    }
    workspace->config.file = workspace->file;
    workspace->origin = origin_new(name, rules->circular, client->owner);
    if (!workspace->origin) {
        return error_no_memory();
    }
    workspace->spill.ends = &workspace->origin->ends;
    return 0;
}

static void destroy(mb_workspace *workspace)
{
    bypass_free_all(workspace);
    spill_free_all(&workspace->spill);
    if (workspace->lease && workspace->catch_misuse) {
        misuse_forget(workspace->base, workspace->cycle.size);
    }
    release_protected(workspace->lease); /* references to it may be left */
    if (workspace->origin) {
        origin_close(workspace->origin);
    }
    free(workspace->file);
    free(workspace);
}

static void insert(mb_workspace *workspace, struct thread *thread)
{
    workspace->thread = thread;
    TAILQ_INSERT_TAIL(&thread->workspaces, workspace, in_thread);
    (void)pthread_mutex_lock(&workspace->client->lock);
    TAILQ_INSERT_TAIL(&workspace->client->workspaces, workspace, in_client);
    (void)pthread_mutex_unlock(&workspace->client->lock);
}

static int open_new(mb_client *client, const char *name, const mb_workspace_config *config,
                    const struct cycle_rules *rules, mb_workspace **ret_workspace)
{
    struct thread *thread = thread_get();
    mb_workspace *workspace = thread ? calloc(1, sizeof *workspace) : NULL;
    if (!workspace) {
        return error_no_memory();
    }
    int result = fill(workspace, client, name, config, rules);
    if (result == 0 && mb_get_debug_mode() != MB_DEBUG_BYPASS_EVERYTHING &&
        (workspace->cycle.size > 0 || workspace->file)) {
        result = arena_resize(workspace, workspace->cycle.size);
    } else if (result == 0 && mb_get_debug_mode() != MB_DEBUG_BYPASS_EVERYTHING) {
        arena_recall(workspace);
    }
    if (result < 0) {
        destroy(workspace);
        return result;
    }
    arena_publish(workspace);
    insert(workspace, thread);
    *ret_workspace = workspace;
    return 0;
}

static int check_name(mb_client *client, const char *name)
{
    int result = owner_check(client);
    if (result == 0 && !name_is_valid(name)) {
        result = error_set(-EINVAL, "a workspace's name must be UTF-8 of at most 63 bytes without control characters");
    }
    return result;
}

int mb_workspace_open(mb_client *client, const char *name, const mb_workspace_config *config,
                      mb_workspace **ret_workspace)
{
    mb_workspace_config resolved = {0};
    struct cycle_rules rules = {0};
    int result = check_name(client, name);
    if (result == 0 && own_find(client, name)) {
        result = error_set(-EEXIST, "this thread has a workspace \"%s\" already; mb_workspace_get() finds it", name);
    }
    if (result == 0) {
        result = config_resolve(name, config, &resolved, &rules);
    }
    return result < 0 ? result : error_end(open_new(client, name, &resolved, &rules, ret_workspace));
}

int mb_workspace_get(mb_client *client, const char *name, const mb_workspace_config *config,
                     mb_workspace **ret_workspace)
{
    mb_workspace_config wanted;
    struct cycle_rules rules;
    int result = check_name(client, name);
    mb_workspace *found = result == 0 ? own_find(client, name) : NULL;
    if (result < 0 || !found) {
        return result < 0 ? result : mb_workspace_open(client, name, config, ret_workspace);
    }
    if (config) {
        result = config_resolve(name, config, &wanted, &rules);
    }
    if (result < 0) {
        return result;
    }
    if (config && !config_is_equal(&found->config, &wanted)) {
        return error_set(-EEXIST,
                         "this thread has a workspace \"%s\" of another configuration; close it, or take another name",
                         name);
    }
    *ret_workspace = found;
    return error_end(0);
}

/* ---- closing ---- */

static void close_one(mb_workspace *workspace)
{
    mb_client *client = workspace->client;
    if (!thread_process_is(client->owner)) {
        return; /* a forked child's copy: the fork may have come in the middle of a change to the lists */
    }
    stack_remove(workspace);
    TAILQ_REMOVE(&workspace->thread->workspaces, workspace, in_thread);
    (void)pthread_mutex_lock(&client->lock);
    TAILQ_REMOVE(&client->workspaces, workspace, in_client);
    (void)pthread_mutex_unlock(&client->lock);
    destroy(workspace);
}

void mb_workspace_close(mb_workspace *workspace)
{
    if (workspace && own_check(workspace) == 0) {
        close_one(workspace);
    }
}

static void close_all(struct thread *thread)
{
    mb_workspace *workspace = TAILQ_LAST(&thread->workspaces, workspace_list), *next;
    for (; workspace; workspace = next) {
        next = TAILQ_PREV(workspace, workspace_list, in_thread);
        close_one(workspace);
    }
    stack_clear(thread); /* SCOPE_OUT entries too */
}

void mb_workspace_close_all(void)
{
    if (thread_self) {
        registry_lock(); /* so that no client ends meanwhile */
        close_all(thread_self);
        registry_unlock();
    }
}

/* ---- looking ---- */

int mb_workspace_exists(const char *name)
{
    return own_find(NULL, name) != NULL;
}

int mb_workspace_exists_and_active(const char *name)
{
    const mb_workspace *workspace = own_find(NULL, name);
    return workspace && mb_workspace_is_active(workspace);
}

size_t mb_workspace_list(mb_workspace **ret, size_t count)
{
    size_t found = 0;
    mb_workspace *workspace;
    if (thread_self) {
        TAILQ_FOREACH(workspace, &thread_self->workspaces, in_thread) {
            if (found < count) {
                ret[found] = workspace;
            }
            found++;
        }
    }
    return found;
}

const char *mb_workspace_name(const mb_workspace *workspace)
{
    return workspace->name;
}

mb_lease *mb_workspace_lease(mb_workspace *workspace)
{
    arena_seize(workspace);
    mb_lease *lease = workspace->lease;
    workspace->lease_is_lent = lease;
    arena_yield(workspace);
    return lease;
}

/* ---- what the client calls through layers.h ---- */

static void end_client(mb_client *client)
{
    mb_workspace *workspace = TAILQ_FIRST(&client->workspaces), *next;
    for (; workspace; workspace = next) {
        next = TAILQ_NEXT(workspace, in_client);
        close_one(workspace);
    }
}

static void end_thread(struct thread *thread)
{
    close_all(thread);
    stack_free(thread);
}

static void maintain(mb_client *client, uint64_t now, enum trim_wish wish)
{
    idle_note(client, now);
    if (wish != TRIM_NONE) {
        idle_take(client, now - TRIM_IDLE_MS);
    }
}

static void add_holders(mb_client *client, struct local_holder *holders)
{
    const mb_workspace *workspace;
    (void)pthread_mutex_lock(&client->lock);
    TAILQ_FOREACH(workspace, &client->workspaces, in_client) {
        holders_add(holders, "workspace", workspace->name,
                    atomic_load_explicit(&workspace->held_bytes, memory_order_relaxed));
    }
    (void)pthread_mutex_unlock(&client->lock);
}

__attribute__((constructor)) static void workspace_register(void)
{
    static const struct layer_operations operations = {
        .close = end_client,
        .maintain = maintain,
        .add_holders = add_holders,
        .end_thread = end_thread,
        .fork_child = arena_withdraw_all,
    };
    layers_register(LAYER_WORKSPACES, &operations);
}

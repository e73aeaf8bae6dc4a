/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the calling thread's list of workspaces. */
#include "client/workspace/own.h"

#include <errno.h>
#include <string.h>

#include "client/error.h"
#include "client/owner.h"

int own_check(const mb_workspace *workspace)
{
    if (__builtin_expect(!thread_process_is(workspace->client->owner), 0)) {
        return owner_check(workspace->client);
    }
    if (__builtin_expect(workspace->thread == thread_self, 1)) {
        return 0;
    }
    return error_set(-EPERM, "workspace \"%s\" belongs to another thread; open one of this name in this thread",
                     workspace->name);
}

mb_workspace *own_find(const mb_client *client, const char *name)
{
    mb_workspace *workspace;
    if (thread_self) {
        TAILQ_FOREACH(workspace, &thread_self->workspaces, in_thread) {
            if ((!client || workspace->client == client) && strcmp(workspace->name, name) == 0) {
                return workspace;
            }
        }
    }
    return NULL;
}

mb_workspace *own_of_origin(const struct origin *origin)
{
    mb_workspace *workspace;
    if (thread_self && origin) {
        TAILQ_FOREACH(workspace, &thread_self->workspaces, in_thread) {
            if (workspace->origin == origin) {
                return workspace;
            }
        }
    }
    return NULL;
}

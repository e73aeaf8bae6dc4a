/* SPDX-License-Identifier: Apache-2.0 */
/* A list: a host has few users at a time. */
#include "daemon/runtime/callers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct caller {
    LIST_ENTRY(caller) in_list;
    uint32_t uid, connections;
};

static struct caller *find(const struct caller_list *callers, uint32_t uid)
{
    struct caller *caller;
    LIST_FOREACH(caller, callers, in_list) {
        if (caller->uid == uid) {
            return caller;
        }
    }
    return NULL;
}

int64_t callers_add(struct caller_list *callers, uint32_t uid)
{
    struct caller *caller = find(callers, uid);
    if (!caller) {
        caller = calloc(1, sizeof *caller);
        if (!caller) {
            return -ENOMEM;
        }
        caller->uid = uid;
        LIST_INSERT_HEAD(callers, caller, in_list);
    }
    return ++caller->connections;
}

void callers_remove(struct caller_list *callers, uint32_t uid)
{
    struct caller *caller = find(callers, uid);
    assert(caller && caller->connections > 0);
    if (--caller->connections == 0) {
        LIST_REMOVE(caller, in_list);
        free(caller);
    }
}

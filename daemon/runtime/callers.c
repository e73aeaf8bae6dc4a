/* SPDX-License-Identifier: Apache-2.0 */
/* A list: a host has few users at a time. */
#include "daemon/runtime/callers.h"

#include <assert.h>
#include <stdlib.h>

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

struct caller *callers_add(struct caller_list *callers, uint32_t uid)
{
    struct caller *caller = find(callers, uid);
    if (!caller) {
        caller = calloc(1, sizeof *caller);
        if (!caller) {
            return NULL;
        }
        caller->uid = uid;
        TAILQ_INIT(&caller->ready);
        LIST_INSERT_HEAD(callers, caller, in_list);
    }
    caller->connections++;
    return caller;
}

void callers_remove(struct caller *caller)
{
    assert(caller->connections > 0);
    caller->connections--;
}

void callers_forget(struct caller_list *callers)
{
    struct caller *caller = LIST_FIRST(callers), *next;
    for (; caller; caller = next) {
        next = LIST_NEXT(caller, in_list);
        if (caller->connections == 0 && caller->credit_ns >= 0) {
            LIST_REMOVE(caller, in_list);
            free(caller);
        }
    }
}

void callers_tend(struct caller_list *callers)
{
    struct caller *caller;
    LIST_FOREACH(caller, callers, in_list) {
        caller->messages = 0;
        caller->credit_ns = caller->credit_ns < 0 ? 0 : caller->credit_ns;
    }
}

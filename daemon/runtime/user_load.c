/* SPDX-License-Identifier: Apache-2.0 */
/* A list: a host has few users at a time. */
#include "daemon/runtime/user_load.h"

#include <assert.h>
#include <stdlib.h>

static struct user_load *find(const struct user_load_list *user_loads, uint32_t uid)
{
    struct user_load *load;
    LIST_FOREACH(load, user_loads, in_list) {
        if (load->uid == uid) {
            return load;
        }
    }
    return NULL;
}

struct user_load *user_loads_add(struct user_load_list *user_loads, uint32_t uid)
{
    struct user_load *load = find(user_loads, uid);
    if (!load) {
        load = calloc(1, sizeof *load);
        if (!load) {
            return NULL;
        }
        load->uid = uid;
        TAILQ_INIT(&load->ready);
        LIST_INSERT_HEAD(user_loads, load, in_list);
    }
    load->connections++;
    return load;
}

void user_loads_remove(struct user_load *load)
{
    assert(load->connections > 0);
    load->connections--;
}

void user_loads_forget(struct user_load_list *user_loads)
{
    struct user_load *load = LIST_FIRST(user_loads), *next;
    for (; load; load = next) {
        next = LIST_NEXT(load, in_list);
        if (load->connections == 0 && load->credit_ns >= 0) {
            LIST_REMOVE(load, in_list);
            free(load);
        }
    }
}

void user_loads_maintain(struct user_load_list *user_loads)
{
    struct user_load *load;
    LIST_FOREACH(load, user_loads, in_list) {
        load->messages = 0;
        load->credit_ns = load->credit_ns < 0 ? 0 : load->credit_ns;
    }
}

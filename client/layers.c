/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the layers above through their tables. */
#include "client/layers.h"

#include "proto/base/size.h"

static const struct layer_operations none;
static const struct layer_operations *registered[LAYERS] = {&none, &none};

void layers_register(enum layer layer, const struct layer_operations *operations)
{
    registered[layer] = operations;
}

int layers_open(mb_client *client)
{
    int result = 0;
    for (int i = 0; i < LAYERS && result == 0; i++) {
        result = registered[i]->open ? registered[i]->open(client) : 0;
    }
    return result;
}

void layers_close(mb_client *client)
{
    for (int i = 0; i < LAYERS; i++) {
        if (registered[i]->close) {
            registered[i]->close(client);
        }
    }
}

uint64_t layers_due(const mb_client *client)
{
    uint64_t due = UINT64_MAX;
    for (int i = 0; i < LAYERS; i++) {
        due = registered[i]->due ? size_min(due, registered[i]->due(client)) : due;
    }
    return due;
}

void layers_maintain(mb_client *client, uint64_t now, enum trim_wish wish)
{
    for (int i = 0; i < LAYERS; i++) {
        if (registered[i]->maintain) {
            registered[i]->maintain(client, now, wish);
        }
    }
}

uint64_t layers_trim(mb_client *client)
{
    uint64_t bytes = 0;
    for (int i = 0; i < LAYERS; i++) {
        bytes += registered[i]->trim ? registered[i]->trim(client) : 0;
    }
    return bytes;
}

void layers_add_holders(mb_client *client, struct local_holder *holders)
{
    for (int i = 0; i < LAYERS; i++) {
        if (registered[i]->add_holders) {
            registered[i]->add_holders(client, holders);
        }
    }
}

void layers_end_thread(struct thread *thread)
{
    for (int i = 0; i < LAYERS; i++) {
        if (registered[i]->end_thread) {
            registered[i]->end_thread(thread);
        }
    }
}

void layers_fork_child(struct thread *thread)
{
    for (int i = 0; i < LAYERS; i++) {
        if (registered[i]->fork_child) {
            registered[i]->fork_child(thread);
        }
    }
}

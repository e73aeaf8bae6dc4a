/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layers above the client do for it. buffer/ and workspace/ register a table of operations when the library
 * is loaded, so that nothing in client/ calls them by name.
 */
#pragma once

#include <stdint.h>

#include "client/holders.h"
#include "client/thread.h"
#include "membroker.h"

/* In this order a layer's operations run: workspaces hold buffers, so they end first. */
enum layer { LAYER_WORKSPACES, LAYER_BUFFERS, LAYERS };

/* Why unused memory goes back. */
enum trim_wish {
    TRIM_NONE,  /* no request: memory that was idle for a while goes back */
    TRIM_AGAIN, /* the second look after the broker asked */
    TRIM_ASKED, /* the broker asks */
};

/* Any operation may be NULL. Without a remark, no lock is held. */
struct layer_operations {
    int (*open)(mb_client *client);   /* a client is being made; 0 or negative errno */
    void (*close)(mb_client *client); /* a client ends. May be called twice; the registry's lock is held */
    uint64_t (*due)(
        const mb_client *client); /* when maintain() has work, in ms; UINT64_MAX: never. Client's lock held */
    void (*maintain)(mb_client *client, uint64_t now, enum trim_wish wish);
    uint64_t (*trim)(mb_client *client); /* gives back all that is unused; returns how many bytes */
    void (*add_holders)(mb_client *client, struct local_holder *holders);
    void (*end_thread)(struct thread *thread); /* the calling thread ends; the registry's lock is held */
    void (*fork_child)(struct thread *thread); /* this is a forked child, which lacks the parent's mappings */
};

/* Called by constructors only. The table must live as long as the library. */
void layers_register(enum layer layer, const struct layer_operations *operations);

/* Each runs the operation of that name in all layers. */
int layers_open(mb_client *client);
void layers_close(mb_client *client);
uint64_t layers_due(const mb_client *client);
void layers_maintain(mb_client *client, uint64_t now, enum trim_wish wish);
uint64_t layers_trim(mb_client *client);
void layers_add_holders(mb_client *client, struct local_holder *holders);
void layers_end_thread(struct thread *thread);
void layers_fork_child(struct thread *thread);

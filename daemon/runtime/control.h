/* SPDX-License-Identifier: Apache-2.0 */
/* A session's control pages, the daemon's writing side. */
#pragma once

#include "daemon/core/effect.h"
#include "daemon/runtime/control_store.h"

struct control {
    struct control_store *store;
    unsigned count;
    struct control_memory *pages[CONTROL_PAGES_MAX];
};

/* The first page, of `bytes` (0: the usual). 0; an answer of control_store_take(); or negative errno. */
int control_open(struct control *control, struct control_store *store, uint32_t uid, uint64_t bytes,
                 const struct control_bounds *bounds);

/* Another page, for more slots. As before; also CONTROL_E_MOST: it has as many as there can be. */
int control_grow(struct control *control, const struct control_bounds *bounds);
enum { CONTROL_E_MOST = 3 };

void control_close(struct control *control);

/* How many slots there are. */
uint32_t control_slots(const struct control *control);

/* An even generation above all that were ever in these pages: at which slots begin that this session has not used. */
uint64_t control_generation(const struct control *control);

/* A slot; NULL: there is none of that number. */
struct control_slot *control_slot(const struct control *control, uint32_t slot);

/* Sets a slot to what it was before a restart. It must exist. */
void control_restore(struct control *control, uint32_t slot, uint64_t generation, uint32_t end_reason);

/* Writes a slot: the reason first, so that a client that sees the new generation sees the reason. */
void control_write(struct control *control, const struct effect_slot *slot);

/* Writes how short of memory the machine is. */
void control_write_pressure(struct control *control, enum pressure level);

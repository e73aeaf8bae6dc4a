/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that allocate. */
#include <errno.h>
#include <inttypes.h>

#include "tests/workspace-model/steps.h"

static uint64_t random_bytes(struct world *world)
{
    switch (world_below(world, 12)) {
    case 0:
        return 1 + world_below(world, 16);
    case 1:
        return 2000 + world_below(world, 4000);
    default:
        return 1 + world_below(world, 900);
    }
}

static void *allocate(struct world *world, struct slot *slot, uint64_t bytes, uint64_t alignment, bool zeroed)
{
    if (alignment > 16 || zeroed) {
        return mb_workspace_alloc_aligned(slot->real, bytes, alignment, zeroed ? MB_ZEROED : 0);
    }
    return current(world) == slot && world_below(world, 2) ? mb_alloc(bytes) : mb_workspace_alloc(slot->real, bytes);
}

static void expect_zeros(const struct world *world, const unsigned char *data, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++) {
        if (data[i]) {
            world_fail(world, "byte %" PRIu64 " of zeroed memory is %d", i, data[i]);
        }
    }
}

/* Its offset in the arena, by the address of another in the same one. */
static void expect_place(struct world *world, struct slot *slot, const struct record *record)
{
    const char *base = (const char *)record->ref.data - record->offset;
    if (record->place != INSIDE) {
        return;
    }
    if (slot->base && slot->arenas == slot->model.arenas && slot->base != base) {
        world_fail(world, "an allocation of %s is %td bytes off", slot->name, base - slot->base);
    }
    slot->base = base;
    slot->arenas = slot->model.arenas;
}

static void count(struct world *world, const struct record *record)
{
    world->tally->spilled += record->place == SPILLED;
    world->tally->pinned += record->place == PINNED;
    world->tally->toggled += record->place == TOGGLED;
    world->tally->bypassed += record->place == BYPASSED;
}

/* What the library allocated, and the model's record of it. NULL: both refused. */
struct record *allocated(struct world *world, struct slot *slot, struct record *record, void *data, uint64_t bytes)
{
    if (!record != !data) {
        world_fail(world, "%" PRIu64 " bytes in %s are %s", bytes, slot->name,
                   record ? "refused" : "there, and should be refused");
    }
    if (!record) {
        world->tally->refused++;
        return NULL;
    }
    record->ref = mb_workspace_ref(slot->real, data, bytes);
    expect_place(world, slot, record);
    count(world, record);
    return record;
}

/* An allocation of no bytes has an address, and takes none of anything. */
static void step_alloc_nothing(struct world *world, struct slot *slot)
{
    const void *data = mb_workspace_alloc(slot->real, 0);
    if ((uintptr_t)data % 16 != 0) {
        world_fail(world, "an allocation of no bytes is not aligned");
    }
}

void step_alloc(struct world *world, struct slot *slot)
{
    uint64_t bytes = random_bytes(world),
             alignment = world_below(world, 6) ? 16 : UINT64_C(16) << world_below(world, 6);
    bool zeroed = world_below(world, 8) == 0;
    if (world_below(world, 40) == 0) {
        step_alloc_nothing(world, slot);
        return;
    }
    struct record *record = nd4j_alloc(&slot->model, bytes, alignment);
    unsigned char *data = allocate(world, slot, bytes, alignment, zeroed);
    record = allocated(world, slot, record, data, bytes);
    if (!record) {
        return;
    }
    if ((uintptr_t)data % alignment != 0) {
        world_fail(world, "an address is not aligned to %" PRIu64, alignment);
    }
    if (zeroed) {
        expect_zeros(world, data, bytes);
    }
    record->pattern = ++world->last_pattern;
    fill_pattern(record);
}

void step_alloc_closed(struct world *world, struct slot *slot)
{
    if (mb_workspace_alloc(slot->real, 1) || errno != EINVAL) {
        world_fail(world, "a closed workspace allocates");
    }
}

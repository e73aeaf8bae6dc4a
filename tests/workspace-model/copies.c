/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that copy what references refer to, or refer to it again. */
#include <errno.h>

#include "tests/workspace-model/steps.h"

static struct record *random_record(struct world *world, struct slot *slot)
{
    return slot->model.count ? &slot->model.records[world_below(world, slot->model.count)] : NULL;
}

void step_detach(struct world *world, struct slot *slot)
{
    const struct record *record = random_record(world, slot);
    mb_buffer *buffer = NULL;
    if (!record) {
        return;
    }
    expect_result(world, "detach", mb_buffer_detach(&record->ref, &buffer), record->is_dead ? -ESTALE : 0);
    if (buffer) {
        expect_pattern(world, record, mb_buffer_data(buffer));
        (void)mb_buffer_unref(buffer);
        world->tally->copies++;
    }
}

/* A reference to what was allocated a while ago: in a ring, before its last turn too. */
void step_refer_again(struct world *world, struct slot *slot)
{
    struct record *record = random_record(world, slot);
    if (record && !record->is_dead) {
        record->ref = mb_workspace_ref(slot->real, record->ref.data, record->ref.bytes);
        record->generation = slot->model.generation;
    }
}

/* A copy into another workspace is an allocation there. */
static void expect_copied(struct world *world, struct slot *to, struct record source, int result, mb_ref copy)
{
    struct record *record = nd4j_alloc(&to->model, source.ref.bytes, 16);
    record = allocated(world, to, record, result == 0 ? copy.data : NULL, source.ref.bytes);
    if (!record) {
        expect_result(world, "a copy", result, -ENOMEM);
        return;
    }
    record->ref = copy;
    record->pattern = source.pattern;
    expect_pattern(world, record, copy.data);
    world->tally->copies++;
}

void step_migrate(struct world *world, struct slot *slot)
{
    const struct record *record = random_record(world, slot);
    mb_ref copy;
    if (!record) {
        return;
    }
    struct record source = *record;
    struct slot *to = current(world);
    int result = mb_buffer_migrate(&source.ref, &copy);
    if (source.is_dead) {
        expect_result(world, "migrate", result, -ESTALE);
    } else if (!to || to == slot) {
        expect_result(world, "migrate", result == 0 && copy.data == source.ref.data, 1);
    } else {
        expect_copied(world, to, source, result, copy);
    }
}

/* To one by its name, which must be open. */
void step_leverage_to(struct world *world, struct slot *slot)
{
    const struct record *record = random_record(world, slot);
    struct slot *to = &world->slots[world_below(world, SLOTS)];
    mb_ref copy;
    if (!record) {
        return;
    }
    struct record source = *record;
    int result = mb_buffer_leverage_to(&source.ref, to->name, &copy);
    if (source.is_dead) {
        expect_result(world, "leverage to", result, -ESTALE);
    } else if (!to->real) {
        expect_result(world, "leverage to", result, -ENOENT);
    } else if (to == slot) {
        expect_result(world, "leverage to", result == 0 && copy.data == source.ref.data, 1);
    } else if (!to->model.is_open) {
        expect_result(world, "leverage to", result, -EINVAL);
    } else {
        expect_copied(world, to, source, result, copy);
    }
}

void step_leverage(struct world *world, struct slot *slot)
{
    const struct record *record = random_record(world, slot);
    mb_ref copy;
    if (!record) {
        return;
    }
    struct record source = *record;
    struct slot *to = current(world) && world->depth > 1 ? world->scopes[world->depth - 2].slot : NULL;
    int result = mb_buffer_leverage(&source.ref, &copy);
    if (source.is_dead) {
        expect_result(world, "leverage", result, -ESTALE);
    } else if (!to) {
        expect_result(world, "leverage", result == 0 && copy.buffer, 1);
        expect_pattern(world, &source, copy.data);
        (void)mb_buffer_unref(copy.buffer);
    } else if (to == slot) {
        expect_result(world, "leverage", result == 0 && copy.data == source.ref.data, 1);
    } else {
        expect_copied(world, to, source, result, copy);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing a world's workspaces with their models. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/workspace-model/world.h"

/* ---- bytes ---- */

static unsigned char pattern_at(unsigned pattern, size_t at)
{
    return (unsigned char)(pattern * 167U + at * 13U + (at >> 8));
}

void fill_pattern(struct record *record)
{
    unsigned char *data = record->ref.data;
    for (size_t i = 0; i < record->ref.bytes; i++) {
        data[i] = pattern_at(record->pattern, i);
    }
}

/* The kernel copies it: a page that is gone is an error, and no signal. */
static bool is_mapped(const void *data, size_t bytes)
{
    char copy[8192];
    struct iovec to = {copy, bytes < sizeof copy ? bytes : sizeof copy};
    struct iovec from = {(void *)(uintptr_t)data, to.iov_len};
    return bytes == 0 || process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)to.iov_len || errno == EPERM;
}

static void expect_bytes(const struct world *world, const struct record *record, const void *data, size_t step)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < record->ref.bytes; i += step) {
        if (bytes[i] != pattern_at(record->pattern, i)) {
            world_fail(world, "byte %zu of %zu is not what was written (place %d, generation %" PRIu64 ")", i,
                       record->ref.bytes, record->place, record->generation);
        }
    }
}

void expect_pattern(const struct world *world, const struct record *record, const void *data)
{
    if (!is_mapped(data, record->ref.bytes)) {
        world_fail(world, "memory of a valid reference is not mapped (place %d)", record->place);
    }
    expect_bytes(world, record, data, 1);
}

/* ---- references ---- */

static const char *const verdicts[] = {"valid", "leaked", "outdated", "lost"};

static void compare_record(struct world *world, struct slot *slot, const struct record *record, bool is_thorough)
{
    mb_ref_validity expected = nd4j_verdict(&slot->model, record), verdict = mb_ref_state(&record->ref);
    if (verdict != expected) {
        world_fail(world,
                   "a reference into %s is said to be %s, and is %s (place %d, offset %" PRIu64 ", generation %" PRIu64
                   " of %" PRIu64 ", offset now %" PRIu64 ")",
                   slot->name, verdicts[verdict], verdicts[expected], record->place, record->offset, record->generation,
                   slot->model.generation, slot->model.offset);
    }
    if ((mb_ref_check(&record->ref) == 0) != (verdict == MB_REF_VALID)) {
        world_fail(world, "mb_ref_check() and mb_ref_state() differ");
    }
    if (verdict == MB_REF_VALID && is_thorough) {
        expect_pattern(world, record, record->ref.data);
    } else if (verdict == MB_REF_VALID) {
        expect_bytes(world, record, record->ref.data, 61);
    }
    world->tally->valid += verdict == MB_REF_VALID;
    world->tally->leaked += verdict == MB_REF_LEAKED;
    world->tally->outdated += verdict == MB_REF_OUTDATED;
}

/* ---- numbers ---- */

static void compare_number(struct world *world, const struct slot *slot, const char *what, uint64_t real,
                           uint64_t expected)
{
    if (real != expected) {
        world_fail(world, "%s of %s is %" PRIu64 ", and should be %" PRIu64, what, slot->name, real, expected);
    }
}

#define COMPARE(field, expected) compare_number(world, slot, #field, real.field, expected)

static void compare_statistics(struct world *world, struct slot *slot)
{
    const struct nd4j *model = &slot->model;
    mb_workspace_statistics real;
    uint64_t bytes, count;
    mb_workspace_stats(slot->real, &real);
    COMPARE(current_size, model->current_size);
    COMPARE(offset, model->offset);
    COMPARE(initial_block_size, model->initial_block_size);
    COMPARE(this_cycle_bytes, model->cycle_allocations);
    COMPARE(last_cycle_bytes, model->last_cycle);
    COMPARE(max_cycle_bytes, model->max_cycle);
    COMPARE(cycles, model->cycles);
    COMPARE(steps, model->steps);
    COMPARE(generation, model->generation);
    COMPARE(total_spilled_bytes, model->total_spilled_bytes);
    COMPARE(total_spilled_count, model->total_spilled_count);
    COMPARE(total_pinned_bytes, model->total_pinned_bytes);
    COMPARE(total_pinned_count, model->total_pinned_count);
    COMPARE(sizings_refused, 0);
    nd4j_outside(model, false, &bytes, &count);
    COMPARE(spilled_bytes, bytes);
    COMPARE(spilled_count, count);
    nd4j_outside(model, true, &bytes, &count);
    COMPARE(pinned_bytes, bytes);
    COMPARE(pinned_count, count);
}

void compare_slot(struct world *world, struct slot *slot)
{
    bool is_thorough = world->step % 8 == 0;
    if (!slot->real) {
        return;
    }
    compare_statistics(world, slot);
    if (mb_workspace_is_active(slot->real) != slot->model.is_open) {
        world_fail(world, "%s is open or not, and should not be", slot->name);
    }
    for (size_t i = 0; i < slot->model.count; i++) {
        compare_record(world, slot, &slot->model.records[i], is_thorough);
    }
}

void compare_all(struct world *world)
{
    const struct slot *current = world->depth ? world->scopes[world->depth - 1].slot : NULL;
    if (mb_workspace_current() != (current ? current->real : NULL)) {
        world_fail(world, "another workspace is current than %s", current ? current->name : "none");
    }
    for (int i = 0; i < SLOTS; i++) {
        compare_slot(world, &world->slots[i]);
    }
}

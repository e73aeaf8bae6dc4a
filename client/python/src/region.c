/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation in counted regions. */
#include "client/python/src/region.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/python/src/acquire.h"
#include "client/python/src/block.h"
#include "client/python/src/errors.h"
#include "client/python/src/forks.h"
#include "client/python/src/gil.h"

enum { ALIGNMENT = 64 };

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool has(const struct region *region, const void *data)
{
    return region && (uintptr_t)data - (uintptr_t)region->base < region->bytes;
}

/* ---- regions ---- */

static void free_region(struct owner *owner, struct region *region)
{
    if (region && !atomic_load(&owner->is_inherited)) {
        struct gil gil = gil_drop();
        (void)mb_release(region->lease);
        gil_take(gil);
        owner_unref(owner);
    }
    free(region);
}

static struct region *make(struct region_stack *stack, size_t bytes)
{
    struct acquired acquired;
    struct region *region = calloc(1, sizeof *region);
    if (!region) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    stack->options.name = stack->name[0] ? stack->name : NULL;
    if (!acquire(stack->owner, bytes, &stack->options, stack->owner->progress, &acquired)) {
        free(region);
        return NULL;
    }
    owner_ref(stack->owner);
    *region = (struct region){
        .lease = acquired.lease, .base = acquired.data, .bytes = acquired.bytes, .epoch = forks_epoch()};
    return region;
}

/* A child that lives may read what an emptied region has. */
static void keep_or_free(struct region_stack *stack, struct region *region)
{
    if (!stack->spare && stack->current && region->bytes >= stack->current->bytes && forks_allow_reuse() &&
        mb_lease_end_reason(region->lease) == MB_END_NONE) {
        region->top = 0;
        stack->spare = region;
        return;
    }
    free_region(stack->owner, region);
}

static void retire(struct region_stack *stack)
{
    struct region *region = stack->current;
    stack->current = NULL;
    if (region && region->arrays > 0) {
        region->next = stack->retired;
        stack->retired = region;
        stack->retired_count++;
    } else {
        free_region(stack->owner, region);
    }
}

static bool is_usable(const struct region *region, size_t bytes)
{
    return region && region->arrays == 0 && region->bytes >= bytes && forks_allow_reuse() &&
           mb_lease_end_reason(region->lease) == MB_END_NONE;
}

bool region_begin(struct region_stack *stack, size_t bytes)
{
    stack->cycle_bytes = stack->spilled_bytes = stack->spilled_count = 0;
    if (is_usable(stack->current, bytes)) {
        stack->current->top = 0;
        return true;
    }
    retire(stack);
    if (is_usable(stack->spare, bytes)) {
        stack->current = stack->spare;
        stack->spare = NULL;
    } else if (bytes > 0) {
        stack->current = make(stack, bytes);
    }
    return bytes == 0 || stack->current;
}

void region_close(struct region_stack *stack)
{
    retire(stack);
    free_region(stack->owner, stack->spare);
    stack->spare = NULL;
}

static int check(struct region *region)
{
    int result = mb_lease_check(region->lease);
    region->is_loss_told = result < 0;
    return result;
}

/* What the arrays of earlier cycles lost says nothing about the later ones. */
int region_check(struct region_stack *stack)
{
    int result = stack->current ? check(stack->current) : 0;
    for (struct region *region = stack->retired; region && result == 0; region = region->next) {
        result = region->is_loss_told ? 0 : check(region);
    }
    return result;
}

/* ---- allocating ---- */

static void *spill(struct region_stack *stack, size_t bytes, unsigned flags)
{
    if (!stack->can_spill && !(flags & BLOCK_PLAIN)) {
        struct failure *failure = errors_of_thread();
        *failure = (struct failure){.code = -ENOMEM, .asked_bytes = bytes};
        (void)snprintf(failure->sentence, sizeof failure->sentence,
                       "%zu bytes do not fit workspace \"%s\": %zu of its %zu bytes are free, and it may not spill",
                       bytes, stack->name, stack->current ? stack->current->bytes - stack->current->top : 0,
                       stack->current ? stack->current->bytes : 0);
        return NULL;
    }
    void *data = block_allocate(stack->owner, stack->options.location, bytes, flags);
    if (data) {
        stack->spilled_bytes += rounded(bytes);
        stack->spilled_count++;
    }
    return data;
}

void *region_allocate(struct region_stack *stack, size_t bytes, unsigned flags)
{
    struct region *region = stack->current;
    size_t needed = rounded(bytes ? bytes : 1);
    if (needed < bytes) {
        return NULL;
    }
    stack->cycle_bytes += needed;
    if (atomic_load_explicit(&stack->owner->is_inherited, memory_order_relaxed) || !region ||
        needed > region->bytes - region->top) {
        return spill(stack, bytes, flags);
    }
    char *data = region->base + region->top;
    region->top += needed;
    region->arrays++;
    return flags & BLOCK_ZEROED ? memset(data, 0, bytes) : data;
}

/* ---- freeing ---- */

static struct region *find(const struct region_stack *stack, const void *data)
{
    struct region *region = has(stack->current, data) ? stack->current : stack->retired;
    while (region && !has(region, data)) {
        region = region->next;
    }
    return region;
}

static void end_retired(struct region_stack *stack, struct region *region)
{
    struct region **at = &stack->retired;
    while (*at && *at != region) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = region->next;
        stack->retired_count--;
        keep_or_free(stack, region);
    }
}

/* What was allocated last is free again at once; temporaries of an expression use the same bytes. */
void region_free(struct region_stack *stack, void *data, size_t bytes)
{
    struct region *region = find(stack, data);
    if (!region) {
        block_free(stack->owner, data);
        return;
    }
    if (atomic_load(&stack->owner->is_inherited)) {
        return;
    }
    region->arrays--;
    size_t start = (size_t)((char *)data - region->base);
    if (start + rounded(bytes ? bytes : 1) == region->top && forks_allow_reuse()) {
        region->top = start;
    }
    if (region->arrays == 0 && region != stack->current) {
        end_retired(stack, region);
    }
}

/* How many bytes it had is not known; what is copied too much is not read. */
void *region_resize(struct region_stack *stack, void *data, size_t bytes)
{
    struct region *region = data ? find(stack, data) : NULL;
    if (data && !region) {
        return block_resize(stack->owner, stack->options.location, data, bytes);
    }
    void *moved = region_allocate(stack, bytes, 0);
    if (moved && data) {
        size_t most = region->bytes - (size_t)((char *)data - region->base);
        memmove(moved, data, bytes < most ? bytes : most);
        region_free(stack, data, 0);
    }
    return moved;
}

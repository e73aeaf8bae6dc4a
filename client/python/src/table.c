/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table with linear probing: at most half full, and without tombstones. */
#include "client/python/src/table.h"

#include <pthread.h>
#include <stdlib.h>

enum { SLOTS_AT_FIRST = 256, PAGE_SHIFT = 12 };

static struct table_entry *slots;
static size_t slot_count, used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t home(const void *data)
{
    return (size_t)(((uintptr_t)data >> PAGE_SHIFT) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (slot_count - 1);
}

static void put(const struct table_entry *entry)
{
    size_t at = home(entry->data);
    while (slots[at].data) {
        at = (at + 1) & (slot_count - 1);
    }
    slots[at] = *entry;
}

static bool grow(void)
{
    struct table_entry *old = slots;
    size_t old_count = slot_count, count = old_count ? 2 * old_count : SLOTS_AT_FIRST;
    struct table_entry *grown = calloc(count, sizeof *grown);
    if (!grown) {
        return false;
    }
    slots = grown;
    slot_count = count;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].data) {
            put(&old[i]);
        }
    }
    free(old);
    return true;
}

bool table_add(const struct table_entry *entry)
{
    (void)pthread_mutex_lock(&lock);
    bool has_room = 2 * (used + 1) <= slot_count || grow();
    if (has_room) {
        put(entry);
        used++;
    }
    (void)pthread_mutex_unlock(&lock);
    return has_room;
}

/* Moves the entries behind the hole, so that a search never stops at it. */
static void close_hole(size_t hole)
{
    size_t mask = slot_count - 1;
    for (size_t at = (hole + 1) & mask; slots[at].data; at = (at + 1) & mask) {
        if (((at - home(slots[at].data)) & mask) >= ((at - hole) & mask)) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole].data = NULL;
    used--;
}

/* SIZE_MAX: there is none. */
static size_t find(const void *data)
{
    if (slot_count == 0) {
        return SIZE_MAX;
    }
    size_t at = home(data);
    while (slots[at].data && slots[at].data != data) {
        at = (at + 1) & (slot_count - 1);
    }
    return slots[at].data ? at : SIZE_MAX;
}

bool table_take(const void *data, struct table_entry *ret)
{
    (void)pthread_mutex_lock(&lock);
    size_t at = find(data);
    if (at != SIZE_MAX) {
        *ret = slots[at];
        close_hole(at);
    }
    (void)pthread_mutex_unlock(&lock);
    return at != SIZE_MAX;
}

bool table_find(const void *data, struct table_entry *ret)
{
    (void)pthread_mutex_lock(&lock);
    size_t at = find(data);
    if (at != SIZE_MAX) {
        *ret = slots[at];
    }
    (void)pthread_mutex_unlock(&lock);
    return at != SIZE_MAX;
}

void table_lock_for_fork(void)
{
    (void)pthread_mutex_lock(&lock);
}

void table_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

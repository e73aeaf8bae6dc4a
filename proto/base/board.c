/* SPDX-License-Identifier: Apache-2.0 */
/* Finding an object in a board that may change at any moment. */
#include "proto/base/board.h"

#include <stdbool.h>
#include <string.h>

enum { TRIES = 16, STEPS_MAX = 64 };

/* One round of a hash: the product's halves mixed. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

struct board_bucket board_bucket_of(uint64_t key, const char name[BOARD_NAME_SIZE])
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = key, word = 1;
    for (size_t at = 0; at < BOARD_NAME_SIZE && word; at += sizeof word) {
        memcpy(&word, name + at, sizeof word);
        hash = mix(hash ^ word, odd);
    }
    hash = mix(hash ^ key, odd);
    return (struct board_bucket){(uint32_t)(hash / BOARD_BUCKETS_IN_BLOCK % BOARD_BLOCKS),
                                 (uint32_t)(hash % BOARD_BUCKETS_IN_BLOCK)};
}

/* So many bytes from a position on; NULL: they are not mapped, or lie in no part. */
static const void *at(const struct board_view *view, uint32_t position, size_t bytes)
{
    uint32_t part = board_part_of(position), offset = board_offset_of(position);
    return part < view->part_count && offset + bytes <= board_part_bytes(part) ? view->parts[part] + offset : NULL;
}

/* What a walk came to, which counts only if the sequence has not changed meanwhile. */
enum walk { WALK_FOUND, WALK_ABSENT, WALK_LOST };

static enum walk copy(const struct board_view *view, uint32_t position, const struct board_record *record, void *buffer,
                      size_t size, size_t *ret_bytes)
{
    size_t bytes = atomic_load_explicit(&record->bytes, memory_order_relaxed);
    if (bytes > BOARD_OBJECT_MAX || !at(view, position, sizeof *record + bytes)) {
        return WALK_LOST;
    }
    if (bytes && bytes <= size) {
        memcpy(buffer, record->data, bytes);
    }
    *ret_bytes = bytes;
    return WALK_FOUND;
}

static enum walk walk(const struct board_view *view, const char name[BOARD_NAME_SIZE], void *buffer, size_t size,
                      size_t *ret_bytes)
{
    const struct board_bucket bucket = board_bucket_of(view->header->key, name);
    uint32_t block = atomic_load_explicit(&view->header->blocks[bucket.block], memory_order_relaxed);
    if (!block) {
        return WALK_ABSENT;
    }
    const _Atomic uint32_t *buckets = at(view, block, BOARD_BLOCK_BYTES);
    if (!buckets) {
        return WALK_LOST;
    }
    uint32_t position = atomic_load_explicit(&buckets[bucket.place], memory_order_relaxed);
    for (int steps = 0; position && steps < STEPS_MAX; steps++) {
        const struct board_record *record = at(view, position, sizeof *record);
        if (!record) {
            return WALK_LOST;
        }
        if (memcmp(record->name, name, BOARD_NAME_SIZE) == 0) {
            return copy(view, position, record, buffer, size, ret_bytes);
        }
        position = atomic_load_explicit(&record->next, memory_order_relaxed);
    }
    return position ? WALK_LOST : WALK_ABSENT;
}

static enum board_answer answer_of(const struct board_view *view, enum walk walked)
{
    if (walked == WALK_LOST) {
        uint32_t parts = atomic_load_explicit(&view->header->parts, memory_order_relaxed);
        return parts > view->part_count ? BOARD_LONGER : BOARD_BUSY;
    }
    return walked == WALK_FOUND ? BOARD_FOUND : BOARD_ABSENT;
}

enum board_answer board_read(const struct board_view *view, const char name[BOARD_NAME_SIZE], void *buffer, size_t size,
                             size_t *ret_bytes)
{
    const struct board_header *header = view->header;
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = atomic_load_explicit(&header->sequence, memory_order_acquire);
        if (atomic_load_explicit(&header->has_ended, memory_order_relaxed)) {
            return BOARD_ENDED;
        }
        if (before % 2 == 0) {
            enum walk walked = walk(view, name, buffer, size, ret_bytes);
            atomic_thread_fence(memory_order_acquire); /* what was read is not read later than the sequence */
            if (atomic_load_explicit(&header->sequence, memory_order_relaxed) == before) {
                return answer_of(view, walked);
            }
        }
    }
    return BOARD_BUSY;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Finding an object in a board that may change at any moment. */
#include "proto/base/board.h"

#include <string.h>

enum { TRIES = 16, STEPS_MAX = 64 };

/* One round of a hash: the product's halves mixed. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

bool board_name_set(struct board_name *name, const char *text)
{
    *name = (struct board_name){0};
    if (!text) {
        return false;
    }
    name->bytes = strnlen(text, BOARD_NAME_SIZE);
    bool fits = name->bytes > 0 && name->bytes < BOARD_NAME_SIZE;
    if (fits) {
        memcpy(name->text, text, name->bytes);
    }
    return fits;
}

static uint64_t hash_of(uint64_t key, const char name[BOARD_NAME_SIZE])
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = key, word = 1;
    for (size_t at = 0; at < BOARD_NAME_SIZE && word; at += sizeof word) {
        memcpy(&word, name + at, sizeof word);
        hash = word ? mix(hash ^ word, odd) : hash;
    }
    return mix(hash ^ key, odd);
}

static uint32_t block_of(uint64_t hash)
{
    return (uint32_t)(hash / BOARD_BUCKETS_IN_BLOCK % BOARD_BLOCKS);
}

static uint32_t slot_of(uint64_t hash)
{
    return (uint32_t)(hash % BOARD_BUCKETS_IN_BLOCK * BOARD_SLOTS);
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32 >> BOARD_TAG_SHIFT);
}

struct board_bucket board_bucket_of(uint64_t key, const char name[BOARD_NAME_SIZE])
{
    uint64_t hash = hash_of(key, name);
    return (struct board_bucket){block_of(hash), slot_of(hash), tag_of(hash)};
}

/* So many bytes from a position on; NULL: they are not mapped, or lie in no part. */
static const void *at(const struct board_view *view, uint32_t position, size_t bytes)
{
    uint32_t part = board_part_of(position), offset = board_offset_of(position);
    return part < view->part_count && offset + bytes <= board_part_bytes(part) ? view->parts[part] + offset : NULL;
}

/* What is looked for, and where its bytes go. */
struct search {
    const struct board_name *name;
    uint64_t hash;
    void *buffer;
    size_t size;
    size_t *ret_bytes;
};

/* What a walk came to, which counts only if the sequence has not changed meanwhile. */
enum walk { WALK_FOUND, WALK_ABSENT, WALK_LOST };

/* Copies the object out of a record if it has the name. Each length is loaded once, so that what was checked is what is
 * used. */
static enum walk look_at(const struct board_view *view, uint32_t position, const struct board_record *record,
                         const struct search *search)
{
    size_t name_bytes = atomic_load_explicit(&record->name_bytes, memory_order_relaxed);
    size_t bytes = atomic_load_explicit(&record->bytes, memory_order_relaxed);
    if (name_bytes != search->name->bytes) {
        return WALK_ABSENT;
    }
    if (bytes > BOARD_OBJECT_MAX || !at(view, position, sizeof *record + name_bytes + bytes)) {
        return WALK_LOST;
    }
    if (memcmp(record->text, search->name->text, name_bytes) != 0) {
        return WALK_ABSENT;
    }
    if (bytes && bytes <= search->size) {
        memcpy(search->buffer, record->text + name_bytes, bytes);
    }
    *search->ret_bytes = bytes;
    return WALK_FOUND;
}

/* From an entry on, along its chain. A record whose tag is another one has another name. */
static enum walk follow(const struct board_view *view, uint32_t entry, const struct search *search)
{
    enum walk walked = WALK_ABSENT;
    for (int steps = 0; entry && walked == WALK_ABSENT; steps++) {
        uint32_t position = board_position_of(entry);
        const struct board_record *record = at(view, position, sizeof *record);
        if (!record || steps == STEPS_MAX) {
            return WALK_LOST;
        }
        if (board_tag_of(entry) == tag_of(search->hash)) {
            walked = look_at(view, position, record, search);
        }
        entry = atomic_load_explicit(&record->next, memory_order_relaxed);
    }
    return walked;
}

/* Only the last slot has a chain, so the records of the others are of no interest unless the tag is the name's. */
static enum walk walk(const struct board_view *view, const struct search *search)
{
    uint32_t block = atomic_load_explicit(&view->header->blocks[block_of(search->hash)], memory_order_relaxed);
    if (!block) {
        return WALK_ABSENT;
    }
    const _Atomic uint32_t *slots = at(view, block, BOARD_BLOCK_BYTES);
    enum walk walked = slots ? WALK_ABSENT : WALK_LOST;
    for (int i = 0; i < BOARD_SLOTS && walked == WALK_ABSENT; i++) {
        uint32_t entry = atomic_load_explicit(&slots[slot_of(search->hash) + (uint32_t)i], memory_order_relaxed);
        if (i == BOARD_SLOTS - 1 || board_tag_of(entry) == tag_of(search->hash)) {
            walked = follow(view, entry, search);
        }
    }
    return walked;
}

static enum board_answer answer_of(const struct board_view *view, enum walk walked)
{
    if (walked == WALK_LOST) {
        uint32_t parts = atomic_load_explicit(&view->header->parts, memory_order_relaxed);
        return parts > view->part_count ? BOARD_LONGER : BOARD_BUSY;
    }
    return walked == WALK_FOUND ? BOARD_FOUND : BOARD_ABSENT;
}

enum board_answer board_read(const struct board_view *view, const struct board_name *name, void *buffer, size_t size,
                             size_t *ret_bytes)
{
    const struct board_header *header = view->header;
    const struct search search = {name, hash_of(header->key, name->text), buffer, size, ret_bytes};
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = atomic_load_explicit(&header->sequence, memory_order_acquire);
        if (atomic_load_explicit(&header->has_ended, memory_order_relaxed)) {
            return BOARD_ENDED;
        }
        if (before % 2 == 0) {
            enum walk walked = walk(view, &search);
            atomic_thread_fence(memory_order_acquire); /* what was read is not read later than the sequence */
            if (atomic_load_explicit(&header->sequence, memory_order_relaxed) == before) {
                return answer_of(view, walked);
            }
        }
    }
    return BOARD_BUSY;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Finding an object in a board that may change at any moment. */
#include "proto/base/board.h"

#include <endian.h>
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
    *name = (struct board_name){text, text ? strnlen(text, BOARD_NAME_SIZE) : 0};
    return name->bytes > 0 && name->bytes < BOARD_NAME_SIZE;
}

enum { WORD_BYTES = sizeof(uint64_t) };

static uint64_t word_at(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return le64toh(word);
}

/* The bytes behind the last whole word, 1 to 7 of them, filled up with zeros. */
static uint64_t last_word(const char *text, size_t bytes)
{
    size_t count = bytes % WORD_BYTES;
    uint64_t word = 0;
    if (bytes > WORD_BYTES) {
        return word_at(text + bytes - WORD_BYTES) >> (WORD_BYTES - count) * 8;
    }
    for (size_t i = count; i > 0; i--) {
        word = word << 8 | (uint8_t)text[i - 1];
    }
    return word;
}

static uint64_t hash_of(uint64_t key, const char *name, size_t bytes)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = key;
    for (size_t at = 0; at + WORD_BYTES <= bytes; at += WORD_BYTES) {
        hash = mix(hash ^ word_at(name + at), odd);
    }
    if (bytes % WORD_BYTES) {
        hash = mix(hash ^ last_word(name, bytes), odd);
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

struct board_bucket board_bucket_of(uint64_t key, const char *name)
{
    uint64_t hash = hash_of(key, name, strlen(name));
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
    size_t name_bytes = search->name->bytes;
    size_t bytes = atomic_load_explicit(&record->bytes, memory_order_relaxed);
    if (atomic_load_explicit(&record->name_bytes, memory_order_relaxed) != name_bytes) {
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

/*
 * The slots whose records may have the name, as bits: those that have its tag, and the last one, which has a chain. All
 * are compared: which one it is can't be predicted, and a branch that was predicted wrong costs more than they do.
 */
static uint32_t candidates(const _Atomic uint32_t *slots, uint32_t tag)
{
    uint32_t found = 1U << (BOARD_SLOTS - 1);
    for (int i = 0; i < BOARD_SLOTS; i++) {
        uint32_t entry = atomic_load_explicit(&slots[i], memory_order_relaxed);
        found |= (uint32_t)(board_tag_of(entry) == tag) << i;
    }
    return found;
}

static enum walk walk(const struct board_view *view, const struct search *search)
{
    uint32_t block = atomic_load_explicit(&view->header->blocks[block_of(search->hash)], memory_order_relaxed);
    if (!block) {
        return WALK_ABSENT;
    }
    const _Atomic uint32_t *slots = at(view, block, BOARD_BLOCK_BYTES);
    if (!slots) {
        return WALK_LOST;
    }
    slots += slot_of(search->hash);
    enum walk walked = WALK_ABSENT;
    for (uint32_t left = candidates(slots, tag_of(search->hash)); left && walked == WALK_ABSENT; left &= left - 1) {
        walked = follow(view, atomic_load_explicit(&slots[__builtin_ctz(left)], memory_order_relaxed), search);
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
    const struct search search = {name, hash_of(header->key, name->text, name->bytes), buffer, size, ret_bytes};
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

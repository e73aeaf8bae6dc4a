/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boards: the memory that has the small objects of a user. The daemon writes it; the user's processes map it read-only
 * and copy objects out of it, without asking the daemon.
 *
 * A board consists of parts, each twice as large as the one before, up to a bound; a part never moves and never
 * shrinks. A position names a place in a part, in granules. The first part begins with the header. The index is a hash
 * table of fixed size, whose blocks of buckets are made when they are first needed. A bucket has some slots, each with
 * an entry: the position of a record, and a tag out of the hash of its name; 0 if it has none. The record of the last
 * slot has the entry of the next one, and so on: they are those that had no slot of their own when they were put. So a
 * look-up loads a record only if its tag is the name's, but for those in a chain; and a small record is one cache line.
 *
 * Reading: the sequence is odd while the daemon changes the index, and grows with each change. What was read between
 * two equal, even values of it was an object. All else may be of two objects, or of none, so a reader checks each
 * position before it follows it, and bounds its steps.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_MAGIC UINT64_C(0x314452414f424d4d) /* "MMBOARD1" as little-endian bytes */

enum {
    BOARD_VERSION = 2,
    BOARD_NAME_SIZE = 64,
    BOARD_OBJECT_MAX = 32768, /* bytes of an object */
    BOARD_GRANULE_BYTES = 64,
    BOARD_PARTS_MAX = 64,
    BOARD_PART_BYTES_LEAST = 64 * 1024,
    BOARD_PART_DOUBLINGS = 6, /* from part to part */
    BOARD_PART_BYTES_MOST = BOARD_PART_BYTES_LEAST << BOARD_PART_DOUBLINGS,
    BOARD_PART_SHIFT = 16, /* of a position: the part stands above, the granule below */
    BOARD_TAG_SHIFT = 22,  /* of an entry: the tag stands above, the position below */
    BOARD_SLOTS = 4,       /* of a bucket */
    BOARD_BUCKETS_IN_BLOCK = 32,
    BOARD_SLOTS_IN_BLOCK = BOARD_BUCKETS_IN_BLOCK * BOARD_SLOTS,
    BOARD_BLOCKS = 2048,
    BOARD_BLOCK_BYTES = BOARD_SLOTS_IN_BLOCK * (int)sizeof(uint32_t),
};

struct board_header {
    uint64_t magic;
    uint32_t version;
    _Atomic uint32_t parts; /* there are so many */
    _Atomic uint64_t sequence;
    uint64_t key;               /* of the hash */
    _Atomic uint32_t has_ended; /* 1: there will be no object in it any more */
    uint32_t reserved[7];
    _Atomic uint32_t blocks[BOARD_BLOCKS]; /* positions of the blocks of buckets; 0: no object was ever in it */
};

struct board_record {
    _Atomic uint32_t next; /* entry; 0: it is the last one */
    _Atomic uint16_t name_bytes, bytes;
    uint8_t text[]; /* the name, and the object behind it */
};

_Static_assert(sizeof(struct board_header) == 64 + BOARD_BLOCKS * sizeof(uint32_t),
               "the layout is shared between programs");
_Static_assert(sizeof(struct board_record) == 8, "the layout is shared between programs");
_Static_assert(BOARD_PART_BYTES_MOST / BOARD_GRANULE_BYTES <= 1 << BOARD_PART_SHIFT, "a position names each granule");
_Static_assert(BOARD_PARTS_MAX << BOARD_PART_SHIFT == 1 << BOARD_TAG_SHIFT, "an entry has room for each position");

static inline uint32_t board_part_bytes(uint32_t part)
{
    return (uint32_t)BOARD_PART_BYTES_LEAST << (part < BOARD_PART_DOUBLINGS ? part : BOARD_PART_DOUBLINGS);
}

static inline uint32_t board_part_of(uint32_t position)
{
    return position >> BOARD_PART_SHIFT;
}

static inline uint32_t board_offset_of(uint32_t position)
{
    return (position & ((1U << BOARD_PART_SHIFT) - 1)) * BOARD_GRANULE_BYTES;
}

/* How many granules so many bytes take. */
static inline uint32_t board_granules(size_t bytes)
{
    return (uint32_t)((bytes + BOARD_GRANULE_BYTES - 1) / BOARD_GRANULE_BYTES);
}

/* How many granules a record takes. */
static inline uint32_t board_record_granules(size_t name_bytes, size_t bytes)
{
    return board_granules(sizeof(struct board_record) + name_bytes + bytes);
}

static inline uint32_t board_entry(uint32_t position, uint32_t tag)
{
    return tag << BOARD_TAG_SHIFT | position;
}

static inline uint32_t board_position_of(uint32_t entry)
{
    return entry & ((1U << BOARD_TAG_SHIFT) - 1);
}

static inline uint32_t board_tag_of(uint32_t entry)
{
    return entry >> BOARD_TAG_SHIFT;
}

/* A name that is looked for. It is not copied: before the processor loads words of a copy that was just written in
 * other pieces, it finishes all that comes before, such as the loads of the last look-up. */
struct board_name {
    const char *text;
    size_t bytes;
};

/* False: it has no bytes, or too many. NULL is allowed. The text must live as long as the name. */
bool board_name_set(struct board_name *name, const char *text);

/* The bucket of a name: its block, and its first slot in that; and the tag of the name. */
struct board_bucket {
    uint32_t block, slot, tag;
};

struct board_bucket board_bucket_of(uint64_t key, const char *name);

/* A board as a reader has it mapped: the first parts of it. */
struct board_view {
    const struct board_header *header; /* the first part */
    const uint8_t *parts[BOARD_PARTS_MAX];
    uint32_t part_count;
};

/* BOARD_ABSENT: the board has no object of that name. BOARD_BUSY: it changes too often, or is too crowded there: ask
 * the daemon. BOARD_LONGER: it has a part that is not mapped. BOARD_ENDED: it has ended. */
enum board_answer { BOARD_FOUND, BOARD_ABSENT, BOARD_BUSY, BOARD_LONGER, BOARD_ENDED };

/*
 * Copies the object of that name, if it has at most `size` bytes; *ret_bytes is how many it has. In other cases than
 * BOARD_FOUND the buffer may have been written as well. Any thread; the bytes are never those of two objects.
 */
enum board_answer board_read(const struct board_view *view, const struct board_name *name, void *buffer, size_t size,
                             size_t *ret_bytes);

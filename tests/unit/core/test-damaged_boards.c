/* SPDX-License-Identifier: Apache-2.0 */
/* A reader trusts nothing in a board: no damage leads it out of the parts that it has mapped, or keeps it there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/core/putting.h"

TestSuite(damaged_boards);

enum { OWNER, NAMES = 40, MEETING = 8, PARTS = 2, PAGE_BYTES = 4096, DAMAGES = 20000, LARGE = 20000 };

static char names[NAMES][MEETING_NAME_SIZE];
static uint8_t *parts[PARTS];
static struct board_view view;

/* A copy whose end may not be passed. */
static uint8_t *guarded(const uint8_t *part, size_t bytes)
{
    uint8_t *copy = mmap(NULL, bytes + PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(copy != MAP_FAILED && mprotect(copy + bytes, PAGE_BYTES, PROT_NONE) == 0);
    memcpy(copy, part, bytes);
    return copy;
}

static struct board_header *header(void)
{
    return (struct board_header *)(void *)parts[0];
}

/* The memory of a board as the core has it written: small objects, some in one chain, and large ones. */
static void begin(void)
{
    struct model *model = model_for_putting(0);
    find_meeting_names(model->boards.key, names, MEETING);
    for (int i = MEETING; i < NAMES; i++) {
        (void)snprintf(names[i], sizeof names[i], "object %d", i);
    }
    for (int i = 0; i < NAMES; i++) {
        put_for_session(model, OWNER, names[i], i % 10 ? 10 : LARGE, (uint8_t)i);
    }
    const struct model_board *board = &model->boards.boards[0];
    cr_assert_eq(board->count, PARTS);
    for (uint32_t i = 0; i < PARTS; i++) {
        parts[i] = guarded(board->parts[i], board_part_bytes(i));
        view.parts[i] = parts[i];
    }
    view.header = header();
    view.part_count = PARTS;
    model_free(model);
}

static enum board_answer look_up(const char *name, size_t *ret_bytes)
{
    static uint8_t buffer[BOARD_OBJECT_MAX];
    struct board_name sought;
    cr_assert(board_name_set(&sought, name));
    *ret_bytes = 0;
    enum board_answer answer = board_read(&view, &sought, buffer, sizeof buffer, ret_bytes);
    cr_assert_leq(*ret_bytes, BOARD_OBJECT_MAX);
    return answer;
}

static int count(enum board_answer answer)
{
    int those = 0;
    size_t bytes;
    for (int i = 0; i < NAMES; i++) {
        those += look_up(names[i], &bytes) == answer && (answer != BOARD_FOUND || bytes == (i % 10 ? 10 : LARGE));
    }
    return those;
}

/* A word of what was written, which zeros are not. */
static uint32_t *written_word(unsigned *seed)
{
    for (;;) {
        uint32_t part = (uint32_t)rand_r(seed) % PARTS;
        uint32_t *word = (uint32_t *)(void *)parts[part] + (uint32_t)rand_r(seed) % (board_part_bytes(part) / 4);
        if (*word) {
            return word;
        }
    }
}

/* Another entry of the same tag, up to those at and behind the end of a part; or anything. */
static uint32_t damaged(uint32_t word, unsigned *seed)
{
    uint32_t position = (uint32_t)rand_r(seed) % (PARTS + 1) << BOARD_PART_SHIFT;
    switch (rand_r(seed) % 3) {
    case 0:
        return (uint32_t)rand_r(seed) << 1;
    case 1:
        return word ^ 1U << rand_r(seed) % 32;
    default:
        position |= (board_part_bytes(0) / BOARD_GRANULE_BYTES << rand_r(seed) % 2) - (uint32_t)rand_r(seed) % 2;
        return board_entry(position, board_tag_of(word));
    }
}

Test(damaged_boards, no_damage_leads_a_reader_astray)
{
    unsigned seed = 1;
    begin();
    cr_assert_eq(count(BOARD_FOUND), NAMES);
    for (int i = 0; i < DAMAGES; i++) {
        uint32_t *word = written_word(&seed), kept = *word;
        *word = damaged(kept, &seed);
        (void)count(BOARD_FOUND);
        *word = kept;
    }
    cr_expect_eq(count(BOARD_FOUND), NAMES);
}

/* The bucket of the name, which has no object any more. */
static _Atomic uint32_t *empty_bucket(const char *name, uint32_t *ret_tag)
{
    struct board_bucket bucket = board_bucket_of(header()->key, name);
    header()->blocks[bucket.block] = 1U << BOARD_PART_SHIFT;
    memset(parts[1], 0, BOARD_BLOCK_BYTES);
    *ret_tag = bucket.tag;
    return (_Atomic uint32_t *)(void *)parts[1] + bucket.slot;
}

/* An object whose name is one letter, in the last granule of a part. */
static struct board_record *last_record(uint32_t part, char letter, uint16_t bytes)
{
    struct board_record *record =
        (struct board_record *)(void *)(parts[part] + board_part_bytes(part) - BOARD_GRANULE_BYTES);
    record->next = 0;
    record->name_bytes = 1;
    record->bytes = bytes;
    record->text[0] = (uint8_t)letter;
    return record;
}

static uint32_t last_position(uint32_t part)
{
    return (part << BOARD_PART_SHIFT) + board_part_bytes(part) / BOARD_GRANULE_BYTES - 1;
}

Test(damaged_boards, a_record_at_the_end_of_its_part_ends_there)
{
    const uint16_t most = BOARD_GRANULE_BYTES - sizeof(struct board_record) - 1;
    uint32_t tag;
    size_t bytes;
    begin();
    _Atomic uint32_t *slots = empty_bucket("x", &tag);
    struct board_record *record = last_record(0, 'x', most);
    slots[0] = board_entry(last_position(0), tag);
    cr_expect(look_up("x", &bytes) == BOARD_FOUND && bytes == most);
    record->bytes = most + 1;
    cr_expect_eq(look_up("x", &bytes), BOARD_BUSY);
    record->bytes = UINT16_MAX;
    cr_expect_eq(look_up("x", &bytes), BOARD_BUSY);
    record->text[0] = 'y';
    record->bytes = 1;
    cr_expect_eq(look_up("x", &bytes), BOARD_ABSENT);
    record->next = board_entry(last_position(0), tag); /* in a circle */
    cr_expect_eq(look_up("x", &bytes), BOARD_BUSY);
}

Test(damaged_boards, an_object_is_found_behind_another_with_its_tag)
{
    uint32_t tag;
    size_t bytes;
    begin();
    _Atomic uint32_t *slots = empty_bucket("x", &tag);
    struct board_record *other = last_record(0, 'y', 1);
    (void)last_record(1, 'x', 2);
    slots[0] = board_entry(last_position(0), tag);
    for (int i = 1; i < BOARD_SLOTS; i++) {
        slots[i] = board_entry(last_position(1), tag);
        other->name_bytes = i % 2 ? 1 : 2;
        cr_expect(look_up("x", &bytes) == BOARD_FOUND && bytes == 2, "slot %d", i);
        slots[i] = 0;
    }
    slots[BOARD_SLOTS - 1] = slots[0];
    other->next = board_entry(last_position(1), tag);
    cr_expect(look_up("x", &bytes) == BOARD_FOUND && bytes == 2, "in the chain");
}

Test(damaged_boards, a_block_at_the_end_of_its_part_ends_there)
{
    const uint32_t last_slot = BOARD_SLOTS_IN_BLOCK - BOARD_SLOTS;
    const uint32_t offset = board_part_bytes(1) - BOARD_BLOCK_BYTES;
    char name[MEETING_NAME_SIZE];
    struct board_bucket bucket;
    size_t bytes;
    unsigned number = 0;
    begin();
    do {
        (void)snprintf(name, sizeof name, "%u", number++);
        bucket = board_bucket_of(header()->key, name);
    } while (bucket.slot != last_slot);
    memset(parts[1] + offset, 0, BOARD_BLOCK_BYTES);
    header()->blocks[bucket.block] = (1U << BOARD_PART_SHIFT) + offset / BOARD_GRANULE_BYTES;
    cr_expect_eq(look_up(name, &bytes), BOARD_ABSENT);
    header()->blocks[bucket.block]++;
    cr_expect_eq(look_up(name, &bytes), BOARD_BUSY);
}

Test(damaged_boards, what_is_not_mapped_or_in_order_is_no_answer)
{
    size_t bytes;
    begin();
    cr_expect_eq(look_up("absent", &bytes), BOARD_ABSENT);
    view.part_count = 1;
    int longer = count(BOARD_LONGER);
    cr_expect(longer > 0 && longer + count(BOARD_FOUND) == NAMES, "%d", longer);
    header()->parts = 1;
    cr_expect_eq(count(BOARD_BUSY), longer);
    view.part_count = PARTS;
    header()->sequence++;
    cr_expect_eq(count(BOARD_BUSY), NAMES);
    header()->has_ended = 1;
    cr_expect_eq(count(BOARD_ENDED), NAMES);
}

Test(damaged_boards, names_that_no_object_has_are_told)
{
    struct board_name name;
    char words[BOARD_NAME_SIZE + 1] = "";
    cr_expect(!board_name_set(&name, NULL) && !board_name_set(&name, ""));
    memset(words, 'x', BOARD_NAME_SIZE - 1);
    cr_expect(board_name_set(&name, words) && name.bytes == BOARD_NAME_SIZE - 1);
    words[BOARD_NAME_SIZE - 1] = 'x';
    cr_expect(!board_name_set(&name, words));
}

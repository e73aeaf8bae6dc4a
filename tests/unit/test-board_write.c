/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What readers see in the middle of a write: the bytes to be written are in a page that is not there yet, and a reader
 * looks when the copy has come to it.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/runtime/boards.h"

TestSuite(board_write);

enum { BYTES = 8192, PAGE_BYTES = 4096, KEY = 7, FIRST_FREE = 200 };

static struct part_memory part;
static struct board_memory board = {.count = 1, .parts = {&part}};
static uint8_t *data;
static volatile int looked;
static volatile enum board_answer seen;
static uint8_t seen_byte;

static enum board_answer read_one(uint8_t *ret_byte)
{
    static uint8_t buffer[BYTES];
    const struct board_view view = {board_header_of(&board), {part.address}, 1};
    struct board_name name;
    size_t bytes = 0;
    cr_assert(board_name_set(&name, "name"));
    enum board_answer answer = board_read(&view, &name, buffer, sizeof buffer, &bytes);
    *ret_byte = buffer[0];
    for (size_t i = 0; i < bytes; i++) {
        cr_assert(answer != BOARD_FOUND || buffer[i] == buffer[0], "a mix of two objects");
    }
    return answer;
}

static void look(int signal)
{
    (void)signal;
    looked++;
    seen = read_one(&seen_byte);
    if (mprotect(data, BYTES, PROT_READ | PROT_WRITE) < 0) {
        abort();
    }
}

static uint8_t *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(memory != MAP_FAILED);
    return memory;
}

/* Writes the object at that position, and notes what a reader sees meanwhile. */
static void write_at(uint32_t position, uint8_t byte, bool is_over_another)
{
    const char name[BOARD_NAME_SIZE] = "name";
    const struct board_bucket bucket = board_bucket_of(KEY, name);
    bool is_first = !board.sequence;
    struct effect_board_write write = {.handle = &board,
                                       .record = position,
                                       .is_over_another = is_over_another,
                                       .name = "name",
                                       .data = {data, BYTES},
                                       .cleared = is_first ? FIRST_FREE : 0};
    const uint32_t blocks = (uint32_t)(offsetof(struct board_header, blocks) + bucket.block * sizeof(uint32_t));
    write.links[write.link_count++] = (struct board_link){0, blocks, FIRST_FREE};
    write.links[write.link_count++] =
        (struct board_link){FIRST_FREE, bucket.slot * (uint32_t)sizeof(uint32_t), board_entry(position, bucket.tag)};
    memset(data, byte, BYTES);
    cr_assert(mprotect(data + PAGE_BYTES, PAGE_BYTES, PROT_NONE) == 0);
    looked = 0;
    board_write(&write);
    cr_assert_eq(looked, 1);
}

static void begin(void)
{
    data = map(BYTES);
    part.address = map(BOARD_PART_BYTES_LEAST);
    board_header_of(&board)->key = KEY;
    board_header_of(&board)->parts = 1;
    (void)signal(SIGSEGV, look);
}

/* Whether that is what a reader finds. */
static bool has(uint8_t byte)
{
    uint8_t found;
    return read_one(&found) == BOARD_FOUND && found == byte;
}

Test(board_write, until_the_end_there_is_what_was_there, .init = begin)
{
    write_at(FIRST_FREE + 100, 1, false);
    cr_expect(seen == BOARD_ABSENT && has(1));
    write_at(FIRST_FREE + 300, 2, false);
    cr_expect(seen == BOARD_FOUND && seen_byte == 1 && has(2));
}

Test(board_write, what_is_written_over_another_is_seen_by_nobody_until_then, .init = begin)
{
    write_at(FIRST_FREE + 100, 1, false);
    write_at(FIRST_FREE + 100, 2, true);
    cr_expect(seen == BOARD_BUSY && has(2));
    write_at(FIRST_FREE + 90, 3, true); /* with what was free before it */
    cr_expect(seen == BOARD_BUSY && has(3));
}

Test(board_write, the_brokers_own_copy_is_right, .init = begin)
{
    write_at(FIRST_FREE + 100, 5, false);
    const uint8_t *copy = board_data(&board, FIRST_FREE + 100, 4);
    cr_expect(copy[0] == 5 && copy[BYTES - 1] == 5);
}

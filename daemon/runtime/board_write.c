/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the memory of boards, under the eyes of readers. */
#include <assert.h>
#include <string.h>

#include "daemon/runtime/boards.h"

static void *at(const struct board_memory *board, uint32_t position)
{
    assert(board_part_of(position) < board->count);
    return board->parts[board_part_of(position)]->address + board_offset_of(position);
}

/* Either no reader of the present index gets there, and one of an older index finds that the sequence has moved on; or
 * the sequence is odd. */
static void write_record(const struct board_memory *board, const struct effect_board_write *write)
{
    struct board_record *record = at(board, write->record);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&record->next, write->next, memory_order_relaxed);
    size_t name_bytes = strlen(write->name);
    atomic_store_explicit(&record->name_bytes, (uint16_t)name_bytes, memory_order_relaxed);
    atomic_store_explicit(&record->bytes, (uint16_t)write->data.count, memory_order_relaxed);
    memcpy(record->text, write->name, name_bytes);
    if (write->data.count) {
        memcpy(record->text + name_bytes, write->data.data, write->data.count);
    }
}

void board_write(const struct effect_board_write *write)
{
    struct board_memory *board = write->handle;
    struct board_header *header = board_header_of(board);
    if (write->record && !write->is_over_another) {
        write_record(board, write);
    }
    if (write->cleared) {
        memset(at(board, write->cleared), 0, BOARD_BLOCK_BYTES);
    }
    atomic_store_explicit(&header->sequence, board->sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    if (write->is_over_another) {
        write_record(board, write);
    }
    for (size_t i = 0; i < write->link_count; i++) {
        const struct board_link *link = &write->links[i];
        _Atomic uint32_t *place = (void *)((uint8_t *)at(board, link->position) + link->offset);
        atomic_store_explicit(place, link->value, memory_order_relaxed);
    }
    board->sequence += 2;
    atomic_store_explicit(&header->sequence, board->sequence, memory_order_release);
}

const uint8_t *board_data(const struct board_memory *board, uint32_t position, uint32_t name_bytes)
{
    const struct board_record *record = at(board, position);
    return record->text + name_bytes;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/board_model.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>

static struct board_header *header_of(const struct model_board *board)
{
    return (struct board_header *)(void *)board->parts[0];
}

static struct model_board *begin(struct board_model *boards, const struct effect_board_grow *grow)
{
    for (int i = 0; i < MODEL_BOARDS; i++) {
        if (!boards->boards[i].id) {
            boards->boards[i] = (struct model_board){.id = grow->board, .user = grow->user, .key = boards->key};
            return &boards->boards[i];
        }
    }
    cr_assert_fail("too many boards");
    return NULL;
}

/* Its memory is no allocation of the core's, which may be made to fail. */
static uint8_t *make_part(uint64_t bytes)
{
    void *part = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(part != MAP_FAILED);
    return part;
}

void board_model_grow(struct board_model *boards, const struct effect_board_grow *grow)
{
    struct model_board *board = grow->handle;
    cr_assert(!boards->has_grown && (grow->part == 0) == !board && grow->bytes == board_part_bytes(grow->part));
    boards->has_grown = true;
    boards->grown = (struct input_board){.board = grow->board, .part = grow->part, .error = boards->fail_error};
    if (boards->fail_error) {
        return;
    }
    board = board ? board : begin(boards, grow);
    cr_assert(board->count == grow->part && !board->has_ended);
    board->parts[board->count++] = make_part(grow->bytes);
    boards->bytes += grow->bytes;
    header_of(board)->key = board->key;
    header_of(board)->parts = board->count;
    boards->grown.handle = board;
    boards->grown.key = board->key;
}

static uint8_t *at(const struct model_board *board, uint32_t position, size_t bytes)
{
    uint32_t part = board_part_of(position), offset = board_offset_of(position);
    cr_assert(part < board->count && offset + bytes <= board_part_bytes(part));
    return board->parts[part] + offset;
}

void board_model_write(struct board_model *boards, const struct effect_board_write *write)
{
    const struct model_board *board = write->handle;
    (void)boards;
    cr_assert(board->id && !board->has_ended && write->link_count <= BOARD_LINKS_MAX);
    if (write->record) {
        size_t name_bytes = strlen(write->name);
        struct board_record *record =
            (void *)at(board, write->record, sizeof(struct board_record) + name_bytes + write->data.count);
        record->next = write->next;
        record->name_bytes = (uint16_t)name_bytes;
        record->bytes = (uint16_t)write->data.count;
        memcpy(record->text, write->name, name_bytes);
        if (write->data.count) {
            memcpy(record->text + name_bytes, write->data.data, write->data.count);
        }
    }
    if (write->cleared) {
        memset(at(board, write->cleared, BOARD_BLOCK_BYTES), 0, BOARD_BLOCK_BYTES);
    }
    for (size_t i = 0; i < write->link_count; i++) {
        const struct board_link *link = &write->links[i];
        memcpy(at(board, link->position, link->offset + sizeof link->value) + link->offset, &link->value,
               sizeof link->value);
    }
    header_of(board)->sequence += 2;
}

void board_model_end(struct board_model *boards, const struct effect_board_end *end)
{
    struct model_board *board = end->handle;
    (void)boards;
    cr_assert(board->id && !board->has_ended);
    board->has_ended = true;
    header_of(board)->has_ended = 1;
}

static void free_part(struct board_model *boards, struct model_board *board)
{
    board->count--;
    boards->bytes -= board_part_bytes(board->count);
    (void)munmap(board->parts[board->count], board_part_bytes(board->count));
}

bool board_model_free_one(struct board_model *boards, struct input_board *ret)
{
    for (int i = 0; i < MODEL_BOARDS; i++) {
        struct model_board *board = &boards->boards[i];
        if (board->id && board->has_ended) {
            free_part(boards, board);
            *ret = (struct input_board){.board = board->id, .part = board->count};
            board->id = board->count ? board->id : 0;
            return true;
        }
    }
    return false;
}

void board_model_clear(struct board_model *boards)
{
    for (int i = 0; i < MODEL_BOARDS; i++) {
        struct model_board *board = &boards->boards[i];
        while (board->id && board->count) {
            free_part(boards, board);
        }
        board->id = 0;
    }
    boards->has_grown = false;
}

static struct board_view view_of(const struct model_board *board)
{
    struct board_view view = {.header = header_of(board), .part_count = board->count};
    for (uint32_t i = 0; i < board->count; i++) {
        view.parts[i] = board->parts[i];
    }
    return view;
}

int board_model_read(const struct board_model *boards, uint32_t user, const char *name, void *buffer, size_t size)
{
    struct board_name sought;
    int result = -ENOENT;
    cr_assert(board_name_set(&sought, name));
    for (int i = 0; i < MODEL_BOARDS; i++) {
        const struct model_board *board = &boards->boards[i];
        size_t bytes;
        if (board->id && board->user == user && !board->has_ended) {
            const struct board_view view = view_of(board);
            if (board_read(&view, &sought, buffer, size, &bytes) == BOARD_FOUND) {
                cr_assert(result == -ENOENT, "two boards have the object");
                result = (int)bytes;
            }
        }
    }
    return result;
}

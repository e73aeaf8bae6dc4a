/* SPDX-License-Identifier: Apache-2.0 */
/* Making the memory of boards, and giving it back. */
#include "daemon/runtime/boards.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/os/memfd.h"
#include "daemon/runtime/server.h"
#include "proto/base/container.h"

enum { LOOKED_AT_ONCE = 8, LOOK_PAUSE_MS = 500 };

void boards_init(struct boards *boards)
{
    LIST_INIT(&boards->all);
    TAILQ_INIT(&boards->leaving);
    TAILQ_INIT(&boards->left);
}

/* ---- making ---- */

static struct board_memory *board_new(struct server *server, const struct effect_board_grow *grow)
{
    struct board_memory *board = calloc(1, sizeof *board);
    if (board) {
        board->id = grow->board;
        board->user = grow->user;
        LIST_INSERT_HEAD(&server->boards.all, board, in_server);
    }
    return board;
}

static void board_free(struct board_memory *board)
{
    LIST_REMOVE(board, in_server);
    free(board);
}

static void part_free(struct server *server, struct part_memory *part)
{
    server->boards.bytes -= part->bytes;
    part->board->parts[part->number] = NULL;
    (void)munmap(part->address, part->bytes);
    (void)descriptor_close(&server->descriptors, part->fd);
    free(part);
}

static int map_part(struct part_memory *part, int ceiling)
{
    struct memfd_control made = {0};
    int fd = memfd_board(part->bytes, &made);
    if (fd >= ceiling) { /* the last descriptors are not for clients */
        (void)munmap(made.address, part->bytes);
        (void)close(fd);
        return -EMFILE;
    }
    part->fd = fd;
    part->address = made.address;
    part->is_counted = made.is_counted;
    part->is_own = true;
    return fd < 0 ? fd : 0;
}

static int add_part(struct server *server, struct board_memory *board, const struct effect_board_grow *grow)
{
    struct part_memory *part = calloc(1, sizeof *part);
    if (!part) {
        return -ENOMEM;
    }
    part->board = board;
    part->number = grow->part;
    part->bytes = grow->bytes;
    int result = map_part(part, server->descriptors.ceiling);
    if (result < 0) {
        free(part);
        return result;
    }
    descriptor_note(&server->descriptors, part->fd, DESCRIPTOR_BOARD);
    server->boards.bytes += part->bytes;
    board->parts[board->count++] = part;
    return 0;
}

static void begin(const struct board_memory *board, uint64_t key)
{
    struct board_header *header = board_header_of(board);
    header->magic = BOARD_MAGIC;
    header->version = BOARD_VERSION;
    header->key = key;
}

/* Without a random number it is a guess which names meet in a bucket: slower, not wrong. */
static uint64_t random_key(const void *otherwise)
{
    uint64_t key = (uintptr_t)otherwise;
    (void)!getrandom(&key, sizeof key, GRND_NONBLOCK);
    return key;
}

void boards_grow(struct server *server, const struct effect_board_grow *grow)
{
    struct boards *boards = &server->boards;
    struct board_memory *board = grow->handle ? grow->handle : board_new(server, grow);
    int error = board ? add_part(server, board, grow) : -ENOMEM;
    boards->has_result = boards->has_grown = true;
    boards->grow_error = error;
    boards->result = (struct input_board){.board = grow->board, .part = grow->part, .handle = board, .error = error};
    if (error == 0 && !grow->handle) {
        boards->result.key = random_key(board);
        begin(board, boards->result.key);
    }
    if (error == 0) {
        atomic_store_explicit(&board_header_of(board)->parts, board->count, memory_order_relaxed);
    } else if (board && !grow->handle) {
        board_free(board);
    }
}

/* ---- lending ---- */

int board_lend(struct board_memory *board, uint32_t number)
{
    if (number >= board->count) {
        return -EBADF;
    }
    struct part_memory *part = board->parts[number];
    part->was_lent = true;
    part->is_own = false;
    return part->fd;
}

/* ---- ending ---- */

static void look(uv_timer_t *timer);

static void look_soon(struct server *server, uint64_t pause_ms)
{
    if (!server->is_closing && !uv_is_active((const uv_handle_t *)&server->boards.timer)) {
        (void)uv_timer_start(&server->boards.timer, look, pause_ms, 0);
    }
}

void boards_end(struct server *server, const struct effect_board_end *end)
{
    struct board_memory *board = end->handle;
    atomic_store_explicit(&board_header_of(board)->has_ended, 1, memory_order_release);
    for (uint32_t i = 0; i < board->count; i++) {
        TAILQ_INSERT_TAIL(&server->boards.leaving, board->parts[i], in_leaving);
    }
    look_soon(server, 0);
}

static void ask(struct server *server, struct part_memory *part);

/* The descriptor that clients were sent is replaced by one that they were not. False: it could not be. */
static bool take_reopened(struct server *server, struct part_memory *part, int fd)
{
    if (fd >= server->descriptors.ceiling) {
        (void)close(fd);
        return false;
    }
    if (fd >= 0) {
        (void)descriptor_close(&server->descriptors, part->fd);
        descriptor_note(&server->descriptors, fd, DESCRIPTOR_BOARD);
        part->fd = fd;
        part->is_own = true;
    }
    return fd >= 0;
}

static void asked(struct server *server, struct work *work, const struct job_result *result, int fd)
{
    struct part_memory *part = container_of(work, struct part_memory, work);
    if (work->job.kind == JOB_REOPEN && take_reopened(server, part, fd) && !server->is_closing) {
        ask(server, part);
    } else if (work->job.kind == JOB_ASK_SOLE && result->is_sole) {
        TAILQ_INSERT_TAIL(&server->boards.left, part, in_leaving);
    } else {
        TAILQ_INSERT_TAIL(&server->boards.leaving, part, in_leaving);
        look_soon(server, LOOK_PAUSE_MS);
    }
}

static void ask(struct server *server, struct part_memory *part)
{
    part->work = (struct work){
        .job.kind = part->is_own ? JOB_ASK_SOLE : JOB_REOPEN,
        .fd = part->fd,
        .user = part->board->user,
        .done = asked,
    };
    workers_do(server, &part->work);
}

/* Those that nobody was ever sent are free as they are. */
static void look_at(struct server *server, struct part_memory *part)
{
    struct boards *boards = &server->boards;
    if (!part->was_lent) {
        TAILQ_INSERT_TAIL(&boards->left, part, in_leaving);
    } else if (part->is_counted && !workers_are_held_up(&server->workers, part->board->user, false)) {
        ask(server, part);
    } else {
        TAILQ_INSERT_TAIL(&boards->leaving, part, in_leaving);
    }
}

static void look(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct boards *boards = &server->boards;
    struct part_memory *part;
    if (server->is_closing) { /* the workers have been stopped */
        return;
    }
    for (int i = 0; i < LOOKED_AT_ONCE && (part = TAILQ_FIRST(&boards->leaving)); i++) {
        TAILQ_REMOVE(&boards->leaving, part, in_leaving);
        look_at(server, part);
    }
    server->workers.settle(server);
    if (!TAILQ_EMPTY(&boards->leaving)) {
        look_soon(server, LOOK_PAUSE_MS);
    }
}

static void free_left(struct boards *boards, struct part_memory *part, struct input *ret)
{
    struct server *server = container_of(boards, struct server, boards);
    struct board_memory *board = part->board;
    *ret = (struct input){.kind = INPUT_BOARD_FREED, .board = {.board = board->id, .part = part->number}};
    TAILQ_REMOVE(&boards->left, part, in_leaving);
    part_free(server, part);
    if (--board->count == 0) {
        board_free(board);
    }
}

bool boards_take_result(struct boards *boards, struct input *ret)
{
    struct part_memory *part = TAILQ_FIRST(&boards->left);
    if (boards->has_result) {
        boards->has_result = false;
        *ret = (struct input){.kind = INPUT_BOARD_GROWN, .board = boards->result};
        return true;
    }
    if (part) {
        free_left(boards, part, ret);
    }
    return part;
}

void boards_start(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->boards.timer);
    server->boards.timer.data = server;
}

/* Of one that has ended, some parts may be gone. */
static void close_board(struct server *server, struct board_memory *board)
{
    for (uint32_t i = 0; i < BOARD_PARTS_MAX; i++) {
        if (board->parts[i]) {
            part_free(server, board->parts[i]);
        }
    }
    board_free(board);
}

void boards_close(struct server *server)
{
    struct board_memory *board;
    while ((board = LIST_FIRST(&server->boards.all))) {
        if (board->parts[0]) {
            atomic_store_explicit(&board_header_of(board)->has_ended, 1, memory_order_release);
        }
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the one before was unlinked
        close_board(server, board);
    }
}

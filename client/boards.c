/* SPDX-License-Identifier: Apache-2.0 */
#include "client/boards.h"

#include <errno.h>
#include <sys/mman.h>

#include "client/background.h"
#include "client/call.h"
#include "client/client.h"
#include "client/received.h"
#include "proto/base/cleanup.h"
#include "proto/base/without_const.h"

void boards_init(struct boards *boards)
{
    (void)pthread_rwlock_init(&boards->lock, NULL);
}

static void unmap(struct board_mapping *mapping)
{
    for (uint32_t i = 0; i < mapping->view.part_count; i++) {
        (void)munmap(without_const(mapping->view.parts[i]), board_part_bytes(i));
    }
    *mapping = (struct board_mapping){0};
}

void boards_close(struct boards *boards)
{
    for (int i = 0; i < BOARDS_MAX; i++) {
        unmap(&boards->mappings[i]);
    }
    (void)pthread_rwlock_destroy(&boards->lock);
}

/* ---- reading ---- */

static bool is_current(const mb_client *client, const struct board_mapping *mapping)
{
    return mapping->id && mapping->connection == client->link.connection && client->link.state == LINK_UP;
}

enum board_answer boards_read(mb_client *client, const struct board_name *name, void *buffer, size_t size,
                              size_t *ret_bytes)
{
    struct boards *boards = &client->boards;
    enum board_answer answer = BOARD_ABSENT;
    bool has_ended = false;
    (void)pthread_rwlock_rdlock(&boards->lock);
    for (int i = 0; i < BOARDS_MAX && answer != BOARD_FOUND; i++) {
        if (is_current(client, &boards->mappings[i])) {
            answer = board_read(&boards->mappings[i].view, name, buffer, size, ret_bytes);
            has_ended = has_ended || answer == BOARD_ENDED;
        }
    }
    (void)pthread_rwlock_unlock(&boards->lock);
    return answer != BOARD_FOUND && has_ended ? BOARD_ENDED : answer;
}

/* ---- mapping: the lock is held for writing, but not while the broker is asked ---- */

static bool has_ended(const struct board_mapping *mapping)
{
    return atomic_load_explicit(&mapping->view.header->has_ended, memory_order_relaxed);
}

static void drop_ended(mb_client *client)
{
    for (int i = 0; i < BOARDS_MAX; i++) {
        struct board_mapping *mapping = &client->boards.mappings[i];
        if (mapping->id && (!is_current(client, mapping) || has_ended(mapping))) {
            unmap(mapping);
        }
    }
}

void boards_drop_ended(mb_client *client)
{
    (void)pthread_rwlock_wrlock(&client->boards.lock);
    drop_ended(client);
    (void)pthread_rwlock_unlock(&client->boards.lock);
}

/* The one of that number, or a free one; NULL: there is neither. */
static struct board_mapping *find(struct boards *boards, uint64_t id)
{
    struct board_mapping *free_one = NULL;
    for (int i = 0; i < BOARDS_MAX; i++) {
        struct board_mapping *mapping = &boards->mappings[i];
        if (mapping->id == id) {
            return mapping;
        }
        free_one = mapping->id ? free_one : mapping;
    }
    return free_one;
}

/* Which part is to be mapped next; BOARD_PARTS_MAX: none. */
static uint32_t next_part(mb_client *client, uint64_t id)
{
    uint32_t part = BOARD_PARTS_MAX;
    (void)pthread_rwlock_wrlock(&client->boards.lock);
    drop_ended(client);
    const struct board_mapping *mapping = find(&client->boards, id);
    if (mapping && !mapping->id) {
        part = 0;
    } else if (mapping &&
               atomic_load_explicit(&mapping->view.header->parts, memory_order_relaxed) > mapping->view.part_count) {
        part = mapping->view.part_count;
    }
    (void)pthread_rwlock_unlock(&client->boards.lock);
    return part;
}

static const uint8_t *map(int fd, uint32_t part, uint64_t bytes)
{
    ino_t inode;
    if (bytes != board_part_bytes(part) || received_control_fault(fd, bytes, &inode)) {
        return NULL;
    }
    void *address = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(address, bytes, MADV_DONTFORK);
    (void)madvise(address, bytes, MADV_DONTDUMP);
    const struct board_header *header = address;
    if (part == 0 && (header->magic != BOARD_MAGIC || header->version != BOARD_VERSION)) {
        (void)munmap(address, bytes);
        return NULL;
    }
    return address;
}

/* Another thread may have been faster. */
static bool add(mb_client *client, uint64_t id, uint64_t connection, uint32_t part, const uint8_t *address)
{
    (void)pthread_rwlock_wrlock(&client->boards.lock);
    struct board_mapping *mapping = find(&client->boards, id);
    bool fits = mapping && mapping->view.part_count == part && (!mapping->id || mapping->connection == connection);
    if (fits) {
        mapping->id = id;
        mapping->connection = connection;
        mapping->view.parts[part] = address;
        mapping->view.part_count++;
        mapping->view.header = (const struct board_header *)(const void *)mapping->view.parts[0];
    } else {
        (void)munmap(without_const(address), board_part_bytes(part));
    }
    (void)pthread_rwlock_unlock(&client->boards.lock);
    return fits;
}

static bool open_part(mb_client *client, uint64_t id, uint32_t part)
{
    struct request request = {.kind = REQUEST_OPEN_BOARD, .open_board = {id, part}};
    struct board_part_answer answer = {.fd = -EBADF};
    struct call call = {.board_part = &answer};
    uint64_t connection = client->link.connection;
    int result = call_broker(client, &request, &call);
    cleanup(fd_closep) int fd = answer.fd;
    const uint8_t *address = result == 0 ? map(fd, part, answer.bytes) : NULL;
    return address && add(client, id, connection, part, address);
}

void boards_open(mb_client *client, uint64_t id)
{
    uint32_t part;
    if (background_need(client) < 0) { /* it notices that the broker is gone */
        return;
    }
    while ((part = next_part(client, id)) < BOARD_PARTS_MAX && open_part(client, id, part)) {
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Harm to what is shared: blocks, small objects, and watches of their names. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/swarm/harm.h"

/* ---- blocks ---- */

static void block_name(char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "swarm-%u", below(8));
}

/* Of what it has, or of what it has not; in terms that are good or not. None outlives the swarm for long. */
static struct request publication(uint64_t lease)
{
    static uint8_t metadata[MESSAGE_METADATA_MAX];
    struct request request = {.kind = REQUEST_PUBLISH};
    request.publish = (struct publish_request){.lease = below(4) ? lease : below(100000),
                                               .lifetime = below(2) ? LIFETIME_SESSION : LIFETIME_KEEP,
                                               .access = (enum block_access)below(3),
                                               .gid = below(70000),
                                               .replace = below(2),
                                               .metadata = {metadata, below(sizeof metadata)}};
    request.publish.keep_ms = request.publish.lifetime == LIFETIME_KEEP ? 1 + below(1500) : below(8) == 0;
    metadata[below(sizeof metadata)] = (uint8_t)below(256);
    block_name(request.publish.name);
    return request;
}

static uint64_t attach(int fd, uint32_t wait_ms, bool listen)
{
    struct request request = {.kind = REQUEST_ATTACH_BLOCK};
    request.attach_block = (struct attach_block_request){
        .has_owner = below(2), .owner = below(2) ? 65534 : below(70000), .wait_ms = wait_ms, .ttl_ms = 1000};
    block_name(request.attach_block.name);
    return ask_for_lease(fd, &request, listen);
}

static void release(int fd, uint64_t lease)
{
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease};
    tell(fd, &request);
}

/* Publishes twice, attaches what there is and what there is not, and closes views and blocks twice. */
void misuse_blocks(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 20; i++) {
        struct request publishable = {.kind = REQUEST_ACQUIRE};
        publishable.acquire = (struct acquire_request){.bytes = 1 + below(1 << 16),
                                                       .location = LOCATION_RAM,
                                                       .ttl_ms = 1000,
                                                       .numa_node = -1,
                                                       .publishable = true};
        uint64_t lease = ask_for_lease(fd, &publishable, true);
        struct request publish = publication(lease), again = publication(lease);
        tell(fd, &publish);
        tell(fd, below(2) ? &publish : &again);
        uint64_t view = attach(fd, below(2) * 50, true);
        struct request unpublish = {.kind = REQUEST_UNPUBLISH, .unpublish = {.has_owner = below(2), .owner = below(2)}};
        block_name(unpublish.unpublish.name);
        tell(fd, &unpublish);
        release(fd, view);
        release(fd, view);
        release(fd, lease);
        release(fd, below(2) ? lease : below(100000));
    }
    (void)fd_close(fd);
}

/* Of blocks that others publish. It never renews, and waits for names that never come. */
void hold_views(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 20; i++) {
        (void)attach(fd, below(4) ? 0 : 3000, false);
    }
    pause_ms(below(2500));
    (void)fd_close(fd);
}

/* ---- objects ---- */

static void object_name(char name[MESSAGE_NAME_SIZE])
{
    (void)snprintf(name, MESSAGE_NAME_SIZE, "swarm-%u", below(64));
}

/* In terms that are good or not. None is kept: it would outlive the swarm. */
static void put(int fd)
{
    static uint8_t data[MESSAGE_OBJECT_MAX + 1000];
    struct request request = {.kind = REQUEST_PUT};
    request.put = (struct put_request){.data = {data, below(8) ? below(200) : below(sizeof data)},
                                       .lifetime = below(8) ? LIFETIME_SESSION : LIFETIME_CACHE,
                                       .access = (enum block_access)below(3),
                                       .gid = below(70000)};
    object_name(request.put.name);
    tell(fd, &request);
}

/* The board that has an object; a number at random if none has it. */
static uint64_t find_board(int fd)
{
    struct reply reply = {.kind = REPLY_UNKNOWN};
    struct request get = {.kind = REQUEST_GET, .get = {.has_owner = below(2), .owner = below(70000)}};
    object_name(get.get.name);
    tell(fd, &get);
    while (hear(fd, &reply) && !(reply.is_answer && reply.reply_to == get.id)) {
    }
    return reply.kind == REPLY_GOT ? reply.got.board : below(100);
}

/* Tries to change it, and keeps it as long as this process lives. */
static void misuse_part(int part)
{
    (void)!ftruncate(part, 0);
    (void)fcntl(part, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_WRITE);
    uint8_t *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, part, 0);
    if (writable != MAP_FAILED) {
        memset(writable, 0xff, 4096);
    }
    if (below(4) == 0) {
        (void)mmap(NULL, 4096, PROT_READ, MAP_SHARED, part, 0);
    }
    (void)fd_close(part);
}

/* Puts, gets and removes what there is and what there is not, and opens parts of boards. */
void misuse_boards(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 40; i++) {
        struct reply reply = {.kind = REPLY_UNKNOWN};
        int part = -EBADF;
        put(fd);
        struct request open = {.kind = REQUEST_OPEN_BOARD, .open_board = {find_board(fd), below(3)}};
        tell(fd, &open);
        while (part < 0 && hear_with(fd, &reply, &part) && !(reply.is_answer && reply.reply_to == open.id)) {
        }
        misuse_part(part);
        struct request remove = {.kind = REQUEST_REMOVE};
        object_name(remove.remove.name);
        tell(fd, &remove);
    }
    (void)fd_close(fd);
}

/* ---- watches ---- */

/* From revisions, names and users that there are or are not. */
static struct request watch(uint32_t wait_ms)
{
    struct request request = {.kind = REQUEST_WATCH_BLOCKS};
    request.watch_blocks = (struct watch_blocks_request){
        .has_owner = below(2), .owner = below(2) ? 65534 : below(70000), .wait_ms = wait_ms};
    request.watch_blocks.after = below(3) ? 0 : below(2) ? below(1000) : UINT64_MAX - below(1000);
    if (below(2)) {
        block_name(request.watch_blocks.after_name);
    }
    block_name(request.watch_blocks.prefix);
    request.watch_blocks.prefix[below(9)] = '\0';
    return request;
}

/* The revision of the answer; one at random if none comes. */
static uint64_t revision_of(int fd, const struct request *asked)
{
    struct reply reply = {.kind = REPLY_UNKNOWN};
    while (hear(fd, &reply) && !(reply.is_answer && reply.reply_to == asked->id)) {
    }
    return reply.kind == REPLY_BLOCK_CHANGES ? reply.block_changes.revision : below(100000);
}

/* Waits on for what it knows, cancels that and what it never asked for, and leaves while some of it waits. */
void misuse_watches(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 20; i++) {
        struct request list = watch(0), changes = watch(below(2) * 3000);
        tell(fd, &list);
        changes.watch_blocks.after = revision_of(fd, &list);
        tell(fd, &changes);
        struct request cancel = {.kind = REQUEST_CANCEL, .cancel_request = below(2) ? changes.id : below(1000)};
        tell(fd, &cancel);
        (void)attach(fd, 0, false);
    }
    pause_ms(below(1000));
    (void)fd_close(fd);
}

/* More than it may have at once, and none of the answers is ever read. */
void watch_without_reading(void)
{
    int fd = greet();
    for (int i = 0; fd >= 0 && i < 1000; i++) {
        struct request request = watch(below(4) ? 0 : 3000);
        tell(fd, &request);
    }
    pause_ms(below(2000));
    (void)fd_close(fd);
}

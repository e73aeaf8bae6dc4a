/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/publishing.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/control_page.h"
#include "proto/transport.h"

struct party party_open(const struct fixture *fixture)
{
    struct party party = {.socket = fixture_socket(fixture)};
    struct reply reply;
    cleanup(fd_closep) int control = -EBADF;
    cr_assert(party.socket >= 0 && fixture_hello(party.socket, false, &reply, &control));
    cr_assert(reply.kind == REPLY_WELCOME);
    party.control = mmap(NULL, 4096, PROT_READ, MAP_SHARED, control, 0);
    cr_assert(party.control != MAP_FAILED);
    return party;
}

void party_close(struct party *party)
{
    struct request bye = {.kind = REQUEST_BYE};
    struct reply reply;
    (void)fixture_exchange(party->socket, &bye, &reply, NULL);
    (void)munmap((void *)(uintptr_t)party->control, 4096);
    party->socket = fd_close(party->socket);
}

enum error_code party_ask(const struct party *party, struct request *request, struct reply *ret)
{
    cr_assert(fixture_exchange(party->socket, request, ret, NULL), "the daemon hung up");
    return ret->kind == REPLY_ERROR ? ret->error.code : ERROR_UNSPECIFIED;
}

static const char *slot_at(const struct party *party, uint32_t slot)
{
    return (const char *)party->control + 64 + (size_t)16 * slot;
}

uint64_t party_generation(const struct party *party, uint32_t slot)
{
    return *(const volatile uint64_t *)(const volatile void *)slot_at(party, slot);
}

enum end_reason party_reason(const struct party *party, uint32_t slot)
{
    return (enum end_reason) * (const volatile uint32_t *)(const volatile void *)(slot_at(party, slot) + 8);
}

/* ---- publishing ---- */

struct written party_write(const struct party *party, enum location location, uint8_t value)
{
    static uint64_t next_id = UINT64_C(1) << 32;
    struct request request = {.id = next_id++, .kind = REQUEST_ACQUIRE};
    struct packet_descriptors descriptors;
    struct reply reply = {.kind = REPLY_UNKNOWN};
    request.acquire = (struct acquire_request){
        .bytes = BLOCK_BYTES, .location = location, .ttl_ms = 30000, .numa_node = -1, .publishable = true};
    cr_assert(fixture_send(party->socket, &request));
    cr_assert(fixture_receive_all(party->socket, &reply, &descriptors));
    cr_assert(reply.kind == REPLY_GRANT && descriptors.count == 2, "%s", reply.error.sentence);
    struct written written = {.location = location,
                              .lease = reply.grant.lease,
                              .generation = reply.grant.generation,
                              .slot = reply.grant.slot,
                              .writable = descriptors.fd[0],
                              .readable = descriptors.fd[1]};
    written.data = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, written.writable, 0);
    cr_assert(written.data != MAP_FAILED);
    memset(written.data, value, BLOCK_BYTES);
    return written;
}

void written_give_up(struct written *written)
{
    void *again = mmap(written->data, BLOCK_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, written->readable, 0);
    cr_assert(again == written->data);
    written->writable = fd_close(written->writable);
}

void written_close(struct written *written)
{
    (void)munmap(written->data, BLOCK_BYTES);
    written->writable = fd_close(written->writable);
    written->readable = fd_close(written->readable);
}

enum error_code party_publish(const struct party *party, const struct written *written, const char *name,
                              enum lifetime lifetime)
{
    struct request request = {.kind = REQUEST_PUBLISH};
    struct reply reply;
    request.publish = (struct publish_request){
        .lease = written->lease, .lifetime = lifetime, .type = "test", .metadata = {(const uint8_t *)"meta", 4}};
    memcpy(request.publish.name, name, strlen(name) + 1);
    return party_ask(party, &request, &reply);
}

struct written party_publish_new(const struct party *party, const char *name, enum lifetime lifetime, uint8_t value)
{
    struct written written = party_write(party, LOCATION_RAM, value);
    written_give_up(&written);
    cr_assert_eq(party_publish(party, &written, name, lifetime), ERROR_UNSPECIFIED);
    return written;
}

enum error_code party_unpublish(const struct party *party, const char *name)
{
    struct request request = {.kind = REQUEST_UNPUBLISH};
    struct reply reply;
    memcpy(request.unpublish.name, name, strlen(name) + 1);
    return party_ask(party, &request, &reply);
}

enum error_code party_release(const struct party *party, uint64_t lease)
{
    struct request request = {.kind = REQUEST_RELEASE, .release_lease = lease};
    struct reply reply;
    return party_ask(party, &request, &reply);
}

/* ---- attaching ---- */

struct attached party_attach(const struct party *party, const char *name, uint32_t wait_ms)
{
    struct attached attached = {.fd = -EBADF};
    struct request request = {.kind = REQUEST_ATTACH_BLOCK, .attach_block = {.wait_ms = wait_ms, .ttl_ms = 30000}};
    struct reply reply;
    memcpy(request.attach_block.name, name, strlen(name) + 1);
    cr_assert(fixture_exchange(party->socket, &request, &reply, &attached.fd), "the daemon hung up");
    if (reply.kind == REPLY_ERROR) {
        attached.code = reply.error.code;
        attached.ended = reply.error.ended;
        return attached;
    }
    cr_assert(reply.kind == REPLY_ATTACHED && attached.fd >= 0);
    attached.reply = reply.attached;
    attached.data = mmap(NULL, attached.reply.bytes, PROT_READ, MAP_SHARED, attached.fd, 0);
    cr_assert(attached.data != MAP_FAILED);
    return attached;
}

void attached_close(struct attached *attached)
{
    if (attached->data) {
        (void)munmap((void *)(uintptr_t)attached->data, attached->reply.bytes);
    }
    attached->fd = fd_close(attached->fd);
}

size_t party_blocks(const struct party *party, struct block_entry *ret, size_t max)
{
    struct request request = {.kind = REQUEST_LIST, .list = {.what = LIST_BLOCKS}};
    struct reply reply;
    cr_assert(party_ask(party, &request, &reply) == ERROR_UNSPECIFIED && reply.kind == REPLY_LISTING);
    size_t count = reply.listing.block_count < max ? reply.listing.block_count : max;
    if (count) {
        memcpy(ret, reply.listing.blocks, count * sizeof *ret);
    }
    return reply.listing.block_count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Raw connections of several users from one process: the kernel tells the broker who we were when we connected. */
#include "tests/attacks/party.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/attacks/hold_inode.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

void party_needs_fuse(void)
{
    char why[160];
    if (geteuid() != 0) {
        cr_skip("being two users needs root");
    }
    if (!inode_holder_is_possible(MALLORY, why, sizeof why)) {
        (void)fprintf(stderr, "skipped: this kernel does not allow FUSE in a user namespace (%s)\n", why);
        cr_skip("this kernel does not allow FUSE in a user namespace (%s)", why);
    }
}

void party_begin(struct fixture *fixture, const char *settings)
{
    party_needs_fuse();
    fixture_start(fixture, settings);
    cr_assert(chmod(fixture->socket, 0666) == 0);
}

struct party party_join(const struct fixture *fixture, uid_t uid)
{
    const struct timeval patience = {.tv_sec = PARTY_PATIENCE_S};
    struct party party = {.uid = uid};
    struct reply reply;
    cr_assert(seteuid(uid) == 0);
    party.socket = fixture_socket(fixture);
    cr_assert(seteuid(0) == 0);
    cr_assert(party.socket >= 0, "user %u can't connect", uid);
    (void)setsockopt(party.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(party.socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    cr_assert(fixture_hello(party.socket, false, &reply, &party.control) && reply.kind == REPLY_WELCOME,
              "user %u is not welcomed", uid);
    return party;
}

void party_leave(struct party *party)
{
    for (size_t i = 0; i < party->leases; i++) {
        party->segment[i] = fd_close(party->segment[i]);
    }
    party->leases = 0;
    party->control = fd_close(party->control);
    party->socket = fd_close(party->socket);
}

bool party_try(struct party *party, const struct acquire_request *acquire, struct reply *ret)
{
    struct request request = {.kind = REQUEST_ACQUIRE, .acquire = *acquire};
    int fd = -EBADF;
    if (!fixture_exchange(party->socket, &request, ret, &fd)) {
        return false;
    }
    if (ret->kind != REPLY_GRANT || party->leases == PARTY_LEASES_MAX) {
        (void)fd_close(fd);
        return ret->kind != REPLY_GRANT;
    }
    party->lease[party->leases] = ret->grant.lease;
    party->segment[party->leases++] = fd;
    return true;
}

bool party_acquire(struct party *party, uint64_t bytes, enum location location, bool prefault)
{
    struct reply reply;
    const struct acquire_request acquire = {
        .bytes = bytes, .location = location, .numa_node = -1, .prefault = prefault};
    return party_try(party, &acquire, &reply) && reply.kind == REPLY_GRANT;
}

void party_send_release(struct party *party, uint64_t lease)
{
    const struct request release = {.kind = REQUEST_RELEASE, .release_lease = lease};
    (void)fixture_send(party->socket, &release);
}

bool party_release(struct party *party, uint64_t lease)
{
    struct request release = {.kind = REQUEST_RELEASE, .release_lease = lease};
    struct reply reply;
    return fixture_exchange(party->socket, &release, &reply, NULL) && reply.kind == REPLY_DONE;
}

bool party_ping(struct party *party)
{
    struct request ping = {.kind = REQUEST_PING};
    struct reply reply;
    return fixture_exchange(party->socket, &ping, &reply, NULL) && reply.kind == REPLY_PONG;
}

/* What a party releases it keeps no descriptor of. */
static void acquire_and_release(struct party *party, uint64_t bytes, enum location location, bool prefault)
{
    cr_assert(party_acquire(party, bytes, location, prefault), "user %u: no grant of %llu bytes (location %d)",
              party->uid, (unsigned long long)bytes, (int)location);
    party->leases--;
    (void)close(party->segment[party->leases]);
    cr_assert(party_release(party, party->lease[party->leases]), "user %u: a release is not answered", party->uid);
}

struct status_reply party_status(struct party *party)
{
    struct request ask = {.kind = REQUEST_STATUS};
    struct reply reply;
    cr_assert(fixture_exchange(party->socket, &ask, &reply, NULL) && reply.kind == REPLY_STATUS,
              "user %u: the status is not answered", party->uid);
    return reply.status;
}

void party_works(struct party *party)
{
    for (int i = 0; i < 5; i++) {
        cr_assert(party_ping(party), "user %u: a ping is not answered", party->uid);
        acquire_and_release(party, 64 * KIB, LOCATION_RAM, false);
        acquire_and_release(party, 8 * MIB, LOCATION_RAM, true);
        acquire_and_release(party, MIB, LOCATION_MMAP, false);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker with 100 leases of a thousand sessions, then with as many as the limit of descriptors allows (the
 * daemon has one for each lease and two for each session): what acquiring with releasing, and renewing, cost; the
 * daemon's own memory a lease; and the longest that a ping takes while all of them expire at one instant.
 * Speaks the protocol itself, so that none of the limits is this program's. Usage: scale LEASES DAEMON_PID
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/socket_path.h"
#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/transport.h"
#include "tests/bench/measure.h"
#include "tests/bench/process.h"

enum { SESSIONS = 1000, FEW = 100, ROUNDS = 1000, PINGS_MAX = 1000000, LONG_MS = 3600000 };

static struct codec_arena *arena;
static uint64_t next_id = 1;

static void send_request(int session, struct request *request)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    request->id = next_id++;
    int bytes = codec_encode_request(request, arena, frame);
    if (bytes < 0 || transport_send(session, frame, (size_t)bytes, -EBADF, true) < 0)
        measure_fail("scale", "the broker takes no request");
}

/* What came for a request; events before it are skipped. */
static void receive_answer(int session, uint64_t id, struct reply *ret)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    const uint8_t *payload;
    size_t length;
    do {
        struct packet_descriptors got = {.count = 0};
        ssize_t bytes = transport_receive(session, frame, sizeof frame, &got, true);
        for (size_t i = 0; i < got.count; i++)
            (void)close(got.fd[i]);
        if (bytes <= 0 || frame_open(frame, (size_t)bytes, &payload, &length) < 0 ||
            codec_decode_reply(payload, length, arena, ret) < 0)
            measure_fail("scale", "the broker answered nothing that makes sense");
    } while (!ret->is_answer || ret->reply_to != id);
    if (ret->kind == REPLY_ERROR)
        measure_fail("scale", ret->error.sentence);
}

static void exchange(int session, struct request *request, struct reply *ret)
{
    send_request(session, request);
    receive_answer(session, request->id, ret);
}

static int open_session(void)
{
    struct sockaddr_un address;
    struct reply reply;
    struct request hello = {.kind = REQUEST_HELLO};
    int session = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (session < 0 || socket_path_resolve(NULL, &address) < 0 ||
        connect(session, (struct sockaddr *)&address, sizeof address) < 0)
        measure_fail_errno("connect");
    hello.hello = (struct hello_request){.protocol_min = 1, .protocol_max = 1, .name = "scale"};
    hello.hello.heap_bytes = hello.hello.max_bytes = hello.hello.max_physical_bytes = LIMIT_DEFAULT;
    exchange(session, &hello, &reply);
    return session;
}

static uint64_t acquire(int session, uint32_t ttl_ms)
{
    struct reply reply;
    struct request request = {.kind = REQUEST_ACQUIRE};
    request.acquire = (struct acquire_request){
        .bytes = 4096, .location = LOCATION_RAM, .name = "scale", .numa_node = -1, .ttl_ms = ttl_ms};
    exchange(session, &request, &reply);
    return reply.grant.lease;
}

static double median_of(double *took, int count)
{
    values_sort(took, (size_t)count);
    return values_quantile(took, (size_t)count, 0.5);
}

static void measure_verbs(const int *sessions, int session_count, const char *acquire_name, const char *renew_name)
{
    static double took[ROUNDS];
    struct reply reply;
    for (int i = 0; i < ROUNDS; i++) {
        int session = sessions[i * 7919 % session_count];
        double begun = clock_us();
        struct request release = {.kind = REQUEST_RELEASE, .release_lease = acquire(session, LONG_MS)};
        exchange(session, &release, &reply);
        took[i] = clock_us() - begun;
    }
    figure_print(acquire_name, median_of(took, ROUNDS));
    for (int i = 0; i < ROUNDS; i++) {
        struct request renew = {.kind = REQUEST_RENEW};
        double begun = clock_us();
        exchange(sessions[i * 7919 % session_count], &renew, &reply);
        took[i] = clock_us() - begun;
    }
    figure_print(renew_name, median_of(took, ROUNDS));
}

/* Pings without a pause until no lease is left; the first that is late shows the longest stall. */
static void measure_expiry(int watch, int lease_count)
{
    struct reply reply;
    double longest = 0, first = 0, last = 0;
    uint64_t left = (uint64_t)lease_count, before = left;
    for (int i = 0; i < PINGS_MAX && left > 0; i++) {
        struct request status = {.kind = REQUEST_STATUS};
        double begun = clock_ms();
        exchange(watch, &status, &reply);
        last = clock_ms();
        left = reply.status.leases;
        if (left < before && first == 0)
            first = begun;
        if (first != 0 && last - begun > longest)
            longest = last - begun;
    }
    figure_print("expired", lease_count);
    figure_print("expire_all_ms", last - first);
    figure_print("longest_stall_ms", longest);
}

int main(int argc, char **argv)
{
    static int sessions[SESSIONS];
    int leases = argc == 3 ? atoi(argv[1]) : 0, held;
    if (leases < SESSIONS || !(arena = codec_arena_new()))
        measure_fail("scale", "it takes a number of leases, at least a thousand, and the daemon's process");
    for (int i = 0; i < SESSIONS; i++)
        sessions[i] = open_session();
    for (held = 0; held < FEW; held++)
        (void)acquire(sessions[held], LONG_MS);
    measure_verbs(sessions, SESSIONS, "acquire_us_100", "renew_us_100");
    double before = process_own_bytes(argv[2]);
    double begun = clock_ms(), rest = 0;
    int more = leases - held;
    for (int i = 0; i < more; i++)
        (void)acquire(sessions[i % SESSIONS], LONG_MS);
    double fill_ms = clock_ms() - begun;
    figure_print("leases", leases);
    figure_print("fill_ms", fill_ms);
    figure_print("daemon_bytes_a_lease", (process_own_bytes(argv[2]) - before) / more);
    measure_verbs(sessions, SESSIONS, "acquire_us_many", "renew_us_many");
    for (int i = 0; i < SESSIONS; i++) /* with them go their leases */
        (void)close(sessions[i]);
    int watch = open_session();
    struct reply reply;
    do {
        struct request status = {.kind = REQUEST_STATUS};
        exchange(watch, &status, &reply);
    } while (reply.status.leases > 0);
    /* again, to expire together: each TTL reaches to the same instant */
    for (int i = 0; i < SESSIONS - 1; i++)
        sessions[i] = open_session();
    begun = clock_ms();
    for (int i = 0; i < more; i++) {
        rest = 2 * fill_ms + 2000 - (clock_ms() - begun);
        if (rest < 1000)
            measure_fail("scale", "the machine is too slow to fill the broker before the first lease expires");
        (void)acquire(sessions[i % (SESSIONS - 1)], (uint32_t)rest);
    }
    measure_expiry(watch, more);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole connections through the real runtime: a server of its own for each input, several clients on socket pairs that
 * say hello once or twice, resume sessions with right and wrong tokens, ask for things, send garbage and descriptors,
 * read their answers or don't, and hang up at any point. Between the loop's turns the core's tables must be consistent;
 * when every client is gone, nothing may be left of them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/accept.h"
#include "daemon/runtime/connection.h"
#include "daemon/runtime/executor.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/peer.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/transport.h"
#include "tests/fuzz/fuzz_input.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 6, REMEMBERED = 8, OPERATIONS_MAX = 160, DESCRIPTORS = 512, PATIENCE = 2000 };

struct session_known {
    uint64_t id;
    struct token token;
};

static char directory[] = "/tmp/membroker-fuzz-XXXXXX";
static char config_file[64], socket_path[64];
static struct codec_arena *arena;
static struct fuzz_input *input;
static struct server *server;
static int clients[CLIENTS];
static struct session_known sessions[REMEMBERED]; /* the newest, as a ring */
static uint64_t leases[REMEMBERED];
static size_t session_count, lease_count;
static pid_t fuzzer;

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* The workers that a server forks end without the fuzzer's own last words. */
void __real_exit(int status) __attribute__((noreturn));
void __wrap_exit(int status) __attribute__((noreturn));
void __wrap_exit(int status)
{
    if (getpid() != fuzzer) {
        _exit(status);
    }
    __real_exit(status);
}

/* ---- what clients say ---- */

static void send_packet(int fd, const void *bytes, size_t size, bool with_descriptor)
{
    (void)transport_send(fd, bytes, size, with_descriptor ? STDIN_FILENO : -EBADF, false);
}

static void send_request(int fd, const struct request *request, bool with_descriptor)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    int bytes = codec_encode_request(request, arena, frame);
    check(bytes > 0);
    send_packet(fd, frame, (size_t)bytes, with_descriptor);
}

static const struct session_known *some_session(void)
{
    return &sessions[fuzz_below(input, REMEMBERED)];
}

static uint64_t some_lease(void)
{
    return leases[fuzz_below(input, REMEMBERED)] + fuzz_below(input, 16) / 15;
}

static void fill_hello(struct request *request)
{
    struct hello_request *hello = &request->hello;
    *hello = (struct hello_request){.protocol_min = 1, .protocol_max = 1, .name = "fuzz"};
    hello->heap_bytes = hello->max_bytes = hello->max_physical_bytes = LIMIT_DEFAULT;
    switch (fuzz_below(input, 8)) {
    case 0:
        hello->monitor = true;
        break;
    case 1:
        hello->protocol_min = hello->protocol_max = 7;
        break;
    case 2:
    case 3:
    case 4:
        hello->resume = true;
        hello->session = some_session()->id;
        hello->token = some_session()->token; /* of another one at times */
        break;
    default:
        break;
    }
}

static void fill_acquire(struct acquire_request *acquire)
{
    *acquire = (struct acquire_request){.bytes = 4096 + 4096 * fuzz_below(input, 300), .numa_node = -1};
    acquire->location = (enum location)fuzz_below(input, 4);
    acquire->wait_ms = fuzz_below(input, 4) * 1000;
    acquire->prefault = fuzz_below(input, 8) == 0;
    acquire->publishable = fuzz_below(input, 4) == 0;
    acquire->repeats = fuzz_below(input, 8) == 0 ? fuzz_below(input, 8) : 0;
}

static const char *const some_paths[] = {"/", "/jobs", "/world.slice", "/jobs/7", "/../x"};

static void fill_reserve(struct reserve_request *reserve)
{
    *reserve = (struct reserve_request){
        .terms = {.name = "job", .bytes = 4096 * fuzz_below(input, 300), .expires_ms = fuzz_below(input, 3) * 1000},
        .groups = {&some_paths[fuzz_below(input, 3)], fuzz_below(input, 3)}};
}

static void fill_request(struct request *request)
{
    static const enum request_kind common[] = {REQUEST_HELLO,  REQUEST_HELLO,   REQUEST_ACQUIRE, REQUEST_ACQUIRE,
                                               REQUEST_EXTEND, REQUEST_RELEASE, REQUEST_BYE,     REQUEST_REVOKE};
    uint32_t choice = fuzz_below(input, REQUEST_KINDS + 8);
    *request = (struct request){.id = fuzz_below(input, 8)};
    request->kind = choice < REQUEST_KINDS ? (enum request_kind)choice : common[choice - REQUEST_KINDS];
    switch ((int)request->kind) {
    case REQUEST_UNKNOWN:
        request->kind = REQUEST_PING;
        break;
    case REQUEST_HELLO:
        fill_hello(request);
        break;
    case REQUEST_ACQUIRE:
        fill_acquire(&request->acquire);
        break;
    case REQUEST_EXTEND:
        request->extend = (struct extend_request){.lease = some_lease(), .bytes = 4096};
        break;
    case REQUEST_RELEASE:
    case REQUEST_REVOKE:
        request->release_lease = some_lease();
        break;
    case REQUEST_LIST:
        request->list.what = (enum list_what)fuzz_below(input, LIST_BOARDS + 1);
        request->list.settled = fuzz_below(input, 2);
        break;
    case REQUEST_CANCEL:
        request->cancel_request = fuzz_below(input, 8);
        break;
    case REQUEST_RESERVE:
        fill_reserve(&request->reserve);
        break;
    case REQUEST_ATTACH:
        request->attach = (struct attach_request){"job", {&some_paths[fuzz_below(input, 3)], fuzz_below(input, 3)}};
        break;
    case REQUEST_UNRESERVE:
        request->unreserve = (struct unreserve_request){"job"};
        break;
    case REQUEST_SUSPEND:
        request->suspend = (struct suspend_request){"job", fuzz_choice(input)};
        break;
    case REQUEST_PUBLISH:
        request->publish = (struct publish_request){.lease = some_lease(), .name = "n"};
        request->publish.lifetime = (enum lifetime)fuzz_below(input, 3);
        break;
    case REQUEST_ATTACH_BLOCK:
        request->attach_block = (struct attach_block_request){.name = "n", .wait_ms = fuzz_below(input, 2) * 50};
        break;
    case REQUEST_WATCH_BLOCKS:
        request->watch_blocks =
            (struct watch_blocks_request){.after = fuzz_below(input, 3), .wait_ms = fuzz_below(input, 2) * 50};
        break;
    case REQUEST_UNPUBLISH:
        request->unpublish = (struct unpublish_request){.name = "n"};
        break;
    case REQUEST_WHY:
        request->why_session = fuzz_below(input, 2) ? some_session()->id : 0;
        break;
    default:
        break;
    }
}

static void say(int fd)
{
    struct request request;
    fill_request(&request);
    send_request(fd, &request, fuzz_below(input, 64) == 0);
}

static void say_garbage(int fd)
{
    uint8_t packet[40];
    size_t size = fuzz_below(input, sizeof packet);
    for (size_t i = 0; i < size; i++) {
        packet[i] = (uint8_t)fuzz_take(input, 1);
    }
    if (size >= 4 && fuzz_choice(input)) { /* with a length that is right */
        frame_write_header(packet, size - 4);
    }
    send_packet(fd, packet, size, fuzz_below(input, 8) == 0);
}

/* ---- what clients receive ---- */

static void note(const struct reply *reply)
{
    if (reply->kind == REPLY_WELCOME && reply->welcome.session) {
        sessions[session_count++ % REMEMBERED] = (struct session_known){reply->welcome.session, reply->welcome.token};
    } else if (reply->kind == REPLY_GRANT) {
        leases[lease_count++ % REMEMBERED] = reply->grant.lease;
    }
}

/* Everything that the daemon sends makes sense, and has the descriptors that it says. */
static bool hear(int fd)
{
    static uint8_t packet[FRAME_BYTES_MAX];
    struct packet_descriptors descriptors;
    const uint8_t *payload;
    struct reply reply;
    size_t bytes;
    ssize_t received = transport_receive(fd, packet, sizeof packet, &descriptors, false);
    if (received <= 0) {
        return false;
    }
    check(frame_open(packet, (size_t)received, &payload, &bytes) == 0);
    check(codec_decode_reply(payload, bytes, arena, &reply) == 0);
    check(descriptors.count == reply.descriptors);
    if (descriptors.count) {
        (void)close(descriptors.fd[0]);
    }
    note(&reply);
    return true;
}

/* ---- the loop ---- */

static void turn(void)
{
    (void)uv_run(&server->loop, UV_RUN_NOWAIT);
    check(!broker_check(server->broker));
}

static void connect_client(int *client)
{
    int pair[2];
    (void)fd_close(*client);
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    *client = pair[0];
    accept_socket(server, pair[1]);
}

/* The kernel would tell of a process's end: here all clients are one process. */
static void end_process(uint64_t session)
{
    struct input died = {.kind = INPUT_DIED, .session = session};
    executor_feed(server, &died);
}

static void operate(void)
{
    int *client = &clients[fuzz_below(input, CLIENTS)];
    uint32_t choice = fuzz_below(input, 24);
    if (*client < 0 && choice < 20) {
        connect_client(client);
    }
    if (choice < 11) {
        say(*client);
    } else if (choice < 12) {
        say_garbage(*client);
    } else if (choice < 15) {
        (void)hear(*client);
    } else if (choice < 17) {
        *client = fd_close(*client);
    } else if (choice < 18) {
        (void)shutdown(*client, fuzz_choice(input) ? SHUT_WR : SHUT_RD);
    } else if (choice < 19) {
        for (int i = 0; i < 80; i++) { /* more than are let in flight */
            struct request acquire = {.kind = REQUEST_ACQUIRE, .id = 1};
            acquire.acquire = (struct acquire_request){.bytes = 4096, .location = LOCATION_RAM, .numa_node = -1};
            send_request(*client, &acquire, false);
        }
    } else if (choice < 20) {
        end_process(some_session()->id);
    } else {
        turn();
    }
}

/* When all clients have hung up and their processes ended, the daemon has nothing of them. */
static void expect_nothing_left(void)
{
    struct session_entry left[1];
    struct identity root = {.uid = 0};
    bool more = false;
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = fd_close(clients[i]);
    }
    for (int i = 0;
         i < PATIENCE && !(LIST_EMPTY(&server->clients.connections) && LIST_EMPTY(&server->clients.peers) &&
                           workers_are_idle(&server->workers) && TAILQ_EMPTY(&server->outboxes.unread_sockets));
         i++) {
        turn();
        while (broker_list_sessions(server->broker, &root, 0, 0, left, 1, &more)) {
            end_process(left[0].session);
        }
        if (i > 20) {
            (void)usleep(1000);
        }
    }
    check(LIST_EMPTY(&server->clients.connections) && LIST_EMPTY(&server->clients.peers) &&
          LIST_EMPTY(&server->clients.ended));
    check(LIST_EMPTY(&server->clients.retired) && TAILQ_EMPTY(&server->outboxes.unread_sockets) &&
          TAILQ_EMPTY(&server->outboxes.held));
    check(TAILQ_EMPTY(&server->outboxes.unreceived));
}

/* ---- life ---- */

static struct server *start_server(void)
{
    struct config_options options = {.file = config_file, .socket = socket_path, .host_total_bytes = UINT64_C(1) << 30};
    struct config *config;
    char *error = NULL;
    check(config_load(&options, &config, &error) == 0);
    return server_new(config, config_file, socket_path);
}

static void clean_up(void)
{
    char spill[64];
    (void)snprintf(spill, sizeof spill, "%s/spill", directory);
    (void)unlink(config_file);
    (void)rmdir(spill);
    (void)rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const struct rlimit few = {DESCRIPTORS, DESCRIPTORS};
    fuzzer = getpid();
    (void)argc;
    (void)argv;
    log_set_level(LOG_LEVEL_ERROR);
    check(setrlimit(RLIMIT_NOFILE, &few) == 0 && mkdtemp(directory));
    (void)snprintf(config_file, sizeof config_file, "%s/config", directory);
    (void)snprintf(socket_path, sizeof socket_path, "%s/socket", directory);
    FILE *file = fopen(config_file, "we");
    check(file);
    (void)fprintf(file,
                  "[limits]\nmax_bytes = 4M\n[mapped]\ndirectory = %s/spill\n[pressure]\nsome = 0\nfull = 0\n"
                  "[clients]\nmax_connections = 5\nmax_sessions_per_user = 4\nmax_unread = 20K\n",
                  directory);
    check(fclose(file) == 0);
    (void)atexit(clean_up);
    arena = codec_arena_new();
    check(arena);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input bytes = {data, size};
    input = &bytes;
    session_count = lease_count = 0;
    (void)memset(sessions, 0, sizeof sessions);
    (void)memset(leases, 0, sizeof leases);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = -EBADF;
    }
    server = start_server();
    check(server);
    for (int i = 0; i < OPERATIONS_MAX && bytes.left; i++) {
        operate();
    }
    if (fuzz_choice(input)) {
        expect_nothing_left();
    }
    server_free(server);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = fd_close(clients[i]);
    }
    return 0;
}

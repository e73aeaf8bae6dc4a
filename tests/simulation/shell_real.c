/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's runtime in this process: server_new(), connections over socket pairs, and turns of libuv's loop. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "daemon/runtime/accept.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/executor.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/transport.h"
#include "tests/simulation/shell.h"
#include "tests/simulation/stand_ins.h"
#include "tests/simulation/virtual_time.h"

enum { TURNS_MAX = 100000 };

enum { HELLO_ID = 1 };

struct remote {
    int fd;    /* the client's end; -EBADF: it is not connected */
    int death; /* of its process */
    struct shell_client as;
    bool is_frozen;
    uint64_t session; /* 0: the hello was refused */
    struct token token;
};

struct shell {
    struct world *world;
    struct server *server;
    uv_async_t poke; /* a turn without anything to do */
    struct remote remotes[CLIENTS_MAX];
    struct codec_arena *arena;
    bool stays;   /* the clock is to stay where it is */
    bool arrived; /* the loop would sleep past the point to which the clock may go */
};

static struct shell *running;
uint64_t shell_sleeps, shell_oversleeps;

/* ---- the loop ---- */

static void hear(struct shell *shell, int client)
{
    static uint8_t packet[FRAME_BYTES_MAX];
    struct packet_descriptors descriptors;
    struct remote *remote = &shell->remotes[client];
    ssize_t bytes;
    while (remote->fd >= 0 && (bytes = transport_receive(remote->fd, packet, sizeof packet, &descriptors, false)) > 0) {
        const uint8_t *payload;
        size_t payload_bytes;
        struct reply reply;
        for (size_t i = 0; i < descriptors.count; i++) {
            (void)close(descriptors.fd[i]);
        }
        cr_assert(frame_open(packet, (size_t)bytes, &payload, &payload_bytes) == 0 &&
                  codec_decode_reply(payload, payload_bytes, shell->arena, &reply) == 0);
        if (reply.is_answer && reply.reply_to == HELLO_ID) {
            remote->session = reply.kind == REPLY_WELCOME ? reply.welcome.session : 0;
            remote->token = reply.welcome.token;
        } else {
            world_take_reply(shell->world, client, &reply, virtual_time.now);
        }
    }
}

/* Clients read immediately: this does not compare how the daemon treats slow readers. */
static void hear_all(void)
{
    struct pollfd watched[CLIENTS_MAX];
    for (int i = 0; i < CLIENTS_MAX; i++) {
        watched[i] = (struct pollfd){.fd = running->remotes[i].fd, .events = POLLIN};
    }
    (void)poll(watched, CLIENTS_MAX, 0);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (watched[i].revents & POLLIN) {
            hear(running, i);
        }
    }
}

/* The rule: with something due the loop does not sleep, nor beyond what is due next, but for the timer's rounding. */
static uint64_t on_sleep(uint64_t until)
{
    struct shell *shell = running;
    uint64_t due = broker_next_wakeup(shell->server->broker);
    due = due == UINT64_MAX ? due : due + virtual_time.now - clock_now(shell->server);
    shell_sleeps++;
    shell_oversleeps += due <= virtual_time.now || (due != UINT64_MAX && until > due + MS);
    hear_all();
    uint64_t action = shell->stays ? virtual_time.now : world_next_action(shell->world);
    if (action >= until) {
        return until;
    }
    shell->arrived = true;
    (void)uv_async_send(&shell->poke);
    return action > virtual_time.now ? action : virtual_time.now;
}

static void turn(struct shell *shell, bool stays)
{
    shell->stays = stays;
    shell->arrived = false;
    for (int i = 0; !shell->arrived; i++) {
        cr_assert(i < TURNS_MAX || !stays, "the loop runs and runs, and nothing comes of it");
        (void)uv_run(&shell->server->loop, UV_RUN_ONCE);
    }
}

static void on_poke(uv_async_t *poke)
{
    (void)poke;
}

/* ---- the interface ---- */

static struct shell *real_begin(struct world *world, struct config *config)
{
    struct shell *shell = calloc(1, sizeof *shell);
    shell->world = world;
    shell->arena = codec_arena_new();
    for (int i = 0; i < CLIENTS_MAX; i++) {
        shell->remotes[i] = (struct remote){.fd = -EBADF, .death = -EBADF};
    }
    running = shell;
    shell->server = server_new(config, NULL, NULL);
    cr_assert(shell->server && shell->arena);
    (void)uv_async_init(&shell->server->loop, &shell->poke, on_poke);
    shell_sleeps = shell_oversleeps = 0;
    virtual_time.before_sleep = on_sleep;
    stand_in_before_step = hear_all;
    turn(shell, true);
    return shell;
}

static void real_send(struct shell *shell, int client, const struct request *request)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    int bytes = codec_encode_request(request, shell->arena, frame);
    cr_assert(bytes > 0 && transport_send(shell->remotes[client].fd, frame, (size_t)bytes, -1, false) == 0);
    turn(shell, true);
}

/* Connects, and says hello: with the session, or 0 for a new one. */
static void greet(struct shell *shell, int client, uint64_t session)
{
    int fds[2];
    struct remote *remote = &shell->remotes[client];
    struct request hello = {.id = HELLO_ID, .kind = REQUEST_HELLO};
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    remote->fd = fds[0];
    const struct stand_in process = {1000 + client, remote->as.uid, remote->death, remote->as.group,
                                     &remote->is_frozen};
    stand_in_for(&process);
    accept_socket(shell->server, fds[1]);
    hello.hello = (struct hello_request){.protocol_min = PROTOCOL_VERSION,
                                         .protocol_max = PROTOCOL_VERSION,
                                         .heap_bytes = LIMIT_DEFAULT,
                                         .max_bytes = LIMIT_DEFAULT,
                                         .max_physical_bytes = LIMIT_DEFAULT};
    hello.hello.resume = session != 0;
    hello.hello.session = session;
    hello.hello.token = remote->token;
    (void)stpncpy(hello.hello.name, remote->as.name, sizeof hello.hello.name - 1);
    real_send(shell, client, &hello);
}

static void hang_up(struct shell *shell, int client)
{
    shell->remotes[client].fd = fd_close(shell->remotes[client].fd);
    turn(shell, true);
}

static void real_open(struct shell *shell, int client, const struct shell_client *as)
{
    struct remote *remote = &shell->remotes[client];
    (void)fd_close(remote->death); /* of an earlier process, whose session goes on without it */
    *remote = (struct remote){.fd = -EBADF, .death = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .as = *as};
    greet(shell, client, 0);
    cr_assert(remote->session);
}

static bool real_resume(struct shell *shell, int client)
{
    struct remote *remote = &shell->remotes[client];
    greet(shell, client, remote->session);
    if (!remote->session) {
        hang_up(shell, client);
    }
    return remote->session;
}

static void real_die(struct shell *shell, int client)
{
    const uint64_t one = 1;
    struct remote *remote = &shell->remotes[client];
    cr_assert(write(remote->death, &one, sizeof one) == sizeof one);
    turn(shell, true);
    hang_up(shell, client);
}

static void real_freeze(struct shell *shell, int client, bool is_frozen)
{
    shell->remotes[client].is_frozen = is_frozen;
}

static void real_empty(struct shell *shell, const uint64_t *reservations, size_t count)
{
    const struct input emptied = {.kind = INPUT_EMPTIED, .emptied = {reservations, count}};
    executor_feed(shell->server, &emptied);
    turn(shell, true);
}

static uint64_t real_pass(struct shell *shell)
{
    turn(shell, false);
    return virtual_time.now;
}

static const struct broker *real_broker(const struct shell *shell)
{
    return shell->server->broker;
}

static void real_end(struct shell *shell)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        shell->remotes[i].fd = fd_close(shell->remotes[i].fd);
        shell->remotes[i].death = fd_close(shell->remotes[i].death);
    }
    shell->server = server_free(shell->server);
    stand_in_before_step = NULL;
    free(shell->arena);
    free(shell);
}

const struct shell_kind shell_real = {
    .begin = real_begin,
    .open = real_open,
    .send = real_send,
    .disconnect = hang_up,
    .resume = real_resume,
    .die = real_die,
    .freeze = real_freeze,
    .empty = real_empty,
    .pass = real_pass,
    .broker = real_broker,
    .end = real_end,
};

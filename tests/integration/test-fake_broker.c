/* SPDX-License-Identifier: Apache-2.0 */
/* A broker that sends invalid messages: the library reports it, and maps nothing beyond the end of a file. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/codec.h"
#include "proto/control_page.h"
#include "proto/transport.h"
#include "tests/integration/fixture.h"

#define CONTROL_WELCOME_BYTES 4096
#define SEALS                 (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

TestSuite(fake_broker, .timeout = 60);

/* What it sends, and of what sizes. */
struct fake {
    char directory[32], socket[64];
    uint64_t control_bytes, segment_bytes;
    int control_seals, segment_seals;
    uint32_t slot;
    bool warns_late; /* of a lease's end, after that end as well */
    int hangs_up_at; /* the acquisition that makes it hang up, once; it answers none before, and refuses all after */
    int acquisitions;
    bool hangs_up_on_list; /* the first one */
    pid_t process;
};

static int make_memfd(uint64_t bytes, int seals)
{
    int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0 ? fd : -EBADF;
}

static int make_control(const struct fake *fake)
{
    const struct {
        uint64_t magic;
        uint32_t version, slots;
    } header = {CONTROL_PAGE_MAGIC, CONTROL_PAGE_VERSION, 100};
    int fd = make_memfd(fake->control_bytes, 0);
    (void)!pwrite(fd, &header, fake->control_bytes < sizeof header ? fake->control_bytes : sizeof header, 0);
    (void)fcntl(fd, F_ADD_SEALS, fake->control_seals);
    return fd;
}

static void send_packet(int socket, struct reply *reply, int fd)
{
    static struct codec_arena arena;
    static uint8_t frame[FRAME_BYTES_MAX];
    reply->descriptors = fd >= 0;
    int bytes = codec_encode_reply(reply, &arena, frame);
    (void)transport_send(socket, frame, (size_t)bytes, fd, true);
}

static void send_reply(int socket, struct reply *reply, int fd)
{
    reply->is_answer = true;
    send_packet(socket, reply, fd);
}

static void send_warnings(int socket, uint64_t lease)
{
    struct reply expiring = {.kind = EVENT_EXPIRING, .expiring = {.lease = lease, .remaining_ms = 7}};
    struct reply revoking = {.kind = EVENT_REVOKING, .revoking = {.lease = lease, .remaining_ms = 8}};
    struct reply spared = {.kind = EVENT_SPARED, .spared_lease = lease};
    send_packet(socket, &expiring, -EBADF);
    send_packet(socket, &revoking, -EBADF);
    send_packet(socket, &spared, -EBADF);
}

static void end_with_warnings(int socket, uint64_t lease)
{
    struct reply ended = {.kind = EVENT_LEASE_ENDED, .lease_ended = {lease, END_EXPIRED}};
    send_warnings(socket, lease);
    send_packet(socket, &ended, -EBADF);
    send_warnings(socket, lease);
    send_warnings(socket, lease + 1); /* which the client does not have */
}

/* The client sends as much as its socket takes, before anything of it is read. */
static void let_the_socket_fill(const struct fake *fake)
{
    if (fake->hangs_up_at && fake->acquisitions) {
        sleep_ms(300);
    }
}

static void serve(const struct fake *fake, int socket, const struct request *request)
{
    struct reply reply = {.reply_to = request->id, .kind = REPLY_DONE};
    if (request->kind == REQUEST_HELLO) {
        reply.kind = REPLY_WELCOME;
        reply.welcome = (struct welcome_reply){.protocol = request->hello.protocol_max,
                                               .daemon_version = "fake",
                                               .session = 1,
                                               .resumed = request->hello.resume,
                                               .times = {1000, 1000000, 30000, 10000},
                                               .control_bytes = CONTROL_WELCOME_BYTES};
        send_reply(socket, &reply, make_control(fake));
        let_the_socket_fill(fake);
    } else if (request->kind == REQUEST_ACQUIRE && fake->hangs_up_at) {
        reply.kind = REPLY_ERROR;
        reply.error.code = ERROR_LIMIT;
        (void)strcpy(reply.error.sentence, "full");
        send_reply(socket, &reply, -EBADF);
    } else if (request->kind == REQUEST_LIST) {
        reply.kind = REPLY_LISTING;
        send_reply(socket, &reply, -EBADF);
    } else if (request->kind == REQUEST_ACQUIRE) {
        reply.kind = REPLY_GRANT;
        reply.grant = (struct grant_reply){.lease = 1,
                                           .segment = 1,
                                           .bytes = 65536,
                                           .location = request->acquire.location,
                                           .slot = fake->slot,
                                           .ttl_ms = 30000,
                                           .extents = 1};
        send_reply(socket, &reply, make_memfd(fake->segment_bytes, fake->segment_seals));
        if (fake->warns_late) {
            end_with_warnings(socket, reply.grant.lease);
        }
    } else {
        send_reply(socket, &reply, -EBADF);
    }
}

/* Whether the request is answered, or else the last one of the connection. */
static bool must_answer(struct fake *fake, const struct request *request)
{
    if (request->kind == REQUEST_LIST && fake->hangs_up_on_list) {
        fake->hangs_up_on_list = false;
        return false;
    }
    fake->acquisitions += request->kind == REQUEST_ACQUIRE;
    return request->kind != REQUEST_ACQUIRE || fake->acquisitions > fake->hangs_up_at;
}

static void run(struct fake *fake, int socket)
{
    static struct codec_arena arena;
    static uint8_t packet[FRAME_BYTES_MAX];
    ssize_t received;
    while ((received = transport_receive(socket, packet, sizeof packet, NULL, true)) > 0) {
        const uint8_t *payload;
        size_t bytes;
        struct request request;
        const char *fault;
        if (frame_open(packet, (size_t)received, &payload, &bytes) < 0 ||
            codec_decode_request(payload, bytes, &arena, &request, &fault) < 0) {
            break;
        }
        if (must_answer(fake, &request)) {
            serve(fake, socket, &request);
        } else if (fake->acquisitions == fake->hangs_up_at) {
            break;
        }
    }
    (void)close(socket);
}

static void start(struct fake *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)strcpy(fake->directory, "/tmp/membroker-fake-XXXXXX");
    cr_assert(mkdtemp(fake->directory));
    (void)snprintf(fake->socket, sizeof fake->socket, "%s/socket", fake->directory);
    memcpy(address.sun_path, fake->socket, sizeof fake->socket);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    bool hangs_up = fake->hangs_up_at || fake->hangs_up_on_list;
    fake->process = fork();
    if (fake->process == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(fake, accept(listener, NULL, NULL));
        if (hangs_up) {
            run(fake, accept(listener, NULL, NULL));
        }
        _exit(0);
    }
    (void)close(listener);
}

static void stop(const struct fake *fake)
{
    (void)kill(fake->process, SIGKILL);
    (void)waitpid(fake->process, NULL, 0);
    (void)unlink(fake->socket);
    (void)rmdir(fake->directory);
}

static int connect_to(const struct fake *fake, mb_client **ret)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    options.socket = fake->socket;
    options.timeout_ms = 5000;
    return mb_connect(&options, ret);
}

static struct fake sound(void)
{
    return (struct fake){.control_bytes = CONTROL_WELCOME_BYTES,
                         .segment_bytes = 65536,
                         .control_seals = SEALS,
                         .segment_seals = F_SEAL_GROW};
}

static void expect_no_welcome(struct fake fake, const char *word)
{
    mb_client *client = NULL;
    start(&fake);
    cr_expect_eq(connect_to(&fake, &client), -EPROTO, "%s", mb_last_error());
    cr_expect(strstr(mb_last_error(), word), "%s", mb_last_error());
    stop(&fake);
}

Test(fake_broker, a_short_control_page_is_an_error)
{
    struct fake fake = sound();
    fake.control_bytes = 0;
    expect_no_welcome(fake, "control page is shorter");
    fake.control_bytes = CONTROL_WELCOME_BYTES - 1;
    expect_no_welcome(fake, "control page is shorter");
    fake = sound();
    fake.control_seals = 0;
    expect_no_welcome(fake, "not sealed");
}

static void expect_no_mapping(struct fake fake, mb_location location, int result, const char *word)
{
    mb_client *client;
    mb_lease *lease;
    void *address;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.location = location;
    start(&fake);
    cr_assert(connect_to(&fake, &client) == 0, "%s", mb_last_error());
    int got = mb_acquire(client, 65536, &options, &lease);
    if (got == 0) {
        got = mb_map(lease, 0, &address, NULL);
    }
    cr_expect_eq(got, result, "%d: %s", got, mb_last_error());
    cr_expect(strstr(mb_last_error(), word), "%s", mb_last_error());
    mb_disconnect(client);
    stop(&fake);
}

Test(fake_broker, a_segment_of_another_size_is_an_error)
{
    struct fake fake = sound();
    fake.segment_bytes = 4096;
    expect_no_mapping(fake, MB_LOCATION_RAM, -EPROTO, "not as long");
    expect_no_mapping(fake, MB_LOCATION_MMAP, -EPROTO, "not as long");
    fake.segment_bytes = 1 << 20;
    expect_no_mapping(fake, MB_LOCATION_RAM, -EPROTO, "not as long");
    fake = sound();
    fake.segment_seals = 0;
    expect_no_mapping(fake, MB_LOCATION_RAM, -EPROTO, "no sealed memfd");
}

Test(fake_broker, a_slot_beyond_the_control_page_is_an_error)
{
    struct fake fake = sound();
    fake.slot = UINT32_MAX;
    expect_no_mapping(fake, MB_LOCATION_RAM, -EPROTO, "is not valid");
}

Test(fake_broker, a_valid_segment_is_mapped)
{
    struct fake fake = sound();
    mb_client *client;
    mb_lease *lease;
    char *address;
    start(&fake);
    cr_assert(connect_to(&fake, &client) == 0, "%s", mb_last_error());
    cr_assert(mb_acquire(client, 65536, NULL, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_map(lease, 0, (void **)&address, NULL) == 0, "%s", mb_last_error());
    memset(address, 1, 65536);
    mb_disconnect(client);
    stop(&fake);
}

static mb_event_type told[16];
static size_t told_count;

static void note_event(const mb_event *event, void *user_data)
{
    (void)user_data;
    cr_assert(told_count < sizeof told / sizeof *told);
    told[told_count++] = event->type;
}

Test(fake_broker, an_ended_lease_causes_no_warning)
{
    static const mb_event_type expected[] = {MB_EVENT_EXPIRING, MB_EVENT_REVOKING, MB_EVENT_SPARED,
                                             MB_EVENT_LEASE_LOST};
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    struct fake fake = sound();
    mb_client *client;
    mb_lease *lease;
    fake.warns_late = true;
    start(&fake);
    options.socket = fake.socket;
    options.flags = MB_CLIENT_NO_THREAD;
    options.on_event = note_event;
    cr_assert(mb_connect(&options, &client) == 0, "%s", mb_last_error());
    cr_assert(mb_acquire(client, 65536, NULL, &lease) == 0, "%s", mb_last_error());
    cr_assert(mb_ping(client) == 0, "what came before its answer has been read: %s", mb_last_error());
    cr_assert(mb_client_dispatch(client) == 0, "%s", mb_last_error());
    cr_expect_eq(told_count, sizeof expected / sizeof *expected, "%zu", told_count);
    cr_expect_arr_eq(told, expected, sizeof expected);
    mb_release(lease);
    mb_disconnect(client);
    stop(&fake);
}

/* ---- calls of many threads that are repeated ---- */

enum { CALLS = 600 /* more than a socket holds */ };

static mb_client *shared_client;

static void *acquire_once(void *ret_result)
{
    mb_lease *lease = NULL;
    *(int *)ret_result = mb_acquire(shared_client, 4096, NULL, &lease);
    return NULL;
}

Test(fake_broker, every_call_is_repeated_when_more_wait_than_the_socket_takes)
{
    static int results[CALLS];
    static pthread_t threads[CALLS];
    struct fake fake = sound();
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    fake.hangs_up_at = CALLS;
    start(&fake);
    options.socket = fake.socket;
    options.timeout_ms = 20000;
    cr_assert(mb_connect(&options, &shared_client) == 0, "%s", mb_last_error());
    for (int i = 0; i < CALLS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, acquire_once, &results[i]) == 0);
    }
    for (int i = 0; i < CALLS; i++) {
        (void)pthread_join(threads[i], NULL);
        cr_expect_eq(results[i], -ENOMEM, "call %d has %d, not the second broker's answer", i, results[i]);
    }
    mb_disconnect(shared_client);
    stop(&fake);
}

static int count_block(const mb_block_info *block, void *user_data)
{
    (void)block;
    ++*(int *)user_data;
    return 0;
}

Test(fake_broker, a_list_of_blocks_is_asked_for_again)
{
    struct fake fake = sound();
    mb_client *client;
    int count = 0;
    fake.hangs_up_on_list = true;
    start(&fake);
    cr_assert(connect_to(&fake, &client) == 0, "%s", mb_last_error());
    cr_expect_eq(mb_list_blocks(client, count_block, &count), 0, "%s", mb_last_error());
    cr_expect_eq(count, 0, "the second broker has no blocks");
    mb_disconnect(client);
    stop(&fake);
}

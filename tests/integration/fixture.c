/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, asking and stopping a real daemon. */
#include "tests/integration/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/without_const.h"
#include "proto/codec.h"
#include "proto/transport.h"

void sleep_ms(unsigned milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&time, &time) < 0 && errno == EINTR) {
    }
}

uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- starting ---- */

/* The daemon lies beside the directory of the test program. */
void fixture_program(const char *name, char *path, size_t size)
{
    char self[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    cr_assert(length > 0);
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    *strrchr(self, '/') = '\0';
    (void)snprintf(path, size, "%s/%s", self, name);
}

void fixture_write_config(const struct fixture *fixture, const char *settings)
{
    FILE *file = fopen(fixture->config, "we");
    cr_assert(file);
    /* the load of the machine must not decide a test: tests set the pressure */
    const char *pressure = strstr(settings, "some = ") ? "" : "[pressure]\nsome = 0\nfull = 0\n";
    (void)fprintf(file,
                  "%s%s\n[server]\nsocket = %s\n[mapped]\ndirectory = "
                  "%s\n[leases]\nlearned_sizes = %s/learned\n",
                  pressure, settings, fixture->socket, fixture->spill, fixture->directory);
    (void)fclose(file);
}

static void restrict_daemon(const struct fixture *fixture)
{
    const struct rlimit descriptors = {(rlim_t)fixture->descriptors, (rlim_t)fixture->descriptors};
    bool done = (!fixture->descriptors || setrlimit(RLIMIT_NOFILE, &descriptors) == 0) &&
                (!fixture->uid || (setgroups(0, NULL) == 0 && setgid(fixture->uid) == 0 && setuid(fixture->uid) == 0));
    if (!done) {
        _exit(127);
    }
}

static void run_daemon(const struct fixture *fixture)
{
    char path[640];
    fixture_program("faults/membrokerd", path, sizeof path);
    const char *arguments[] = {path, "--config", fixture->config, NULL};
    /* opened before another user is taken on, who may not reach the directory of the build */
    int program = open(path, O_PATH | O_CLOEXEC);
    int log = open(fixture->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    restrict_daemon(fixture);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)fexecve(program, without_const(arguments), environ);
    _exit(127);
}

static void wait_until_up(const struct fixture *fixture)
{
    for (int i = 0; i < 2000; i++) {
        cleanup(fd_closep) int fd = fixture_socket(fixture);
        if (fd >= 0) {
            return;
        }
        cr_assert(waitpid(fixture->daemon, NULL, WNOHANG) == 0, "the daemon ended; its log: %s", fixture->log);
        sleep_ms(5);
    }
    cr_assert_fail("the daemon did not come up; its log: %s", fixture->log);
}

static void prepare(struct fixture *fixture, const char *settings, const char *spill)
{
    *fixture = (struct fixture){.directory = "/tmp/membroker-test-XXXXXX"};
    cr_assert(mkdtemp(fixture->directory));
    (void)chmod(fixture->directory, 0755);
    (void)snprintf(fixture->socket, sizeof fixture->socket, "%s/socket", fixture->directory);
    (void)snprintf(fixture->config, sizeof fixture->config, "%s/config", fixture->directory);
    (void)snprintf(fixture->log, sizeof fixture->log, "%s/log", fixture->directory);
    if (spill) {
        (void)snprintf(fixture->spill, sizeof fixture->spill, "%s", spill);
    } else {
        (void)snprintf(fixture->spill, sizeof fixture->spill, "%s/spill", fixture->directory);
    }
    fixture_write_config(fixture, settings);
}

void fixture_launch(struct fixture *fixture)
{
    fixture->daemon = fork();
    if (fixture->daemon == 0) {
        run_daemon(fixture);
    }
    wait_until_up(fixture);
}

void fixture_prepare(struct fixture *fixture, const char *settings)
{
    prepare(fixture, settings, NULL);
}

void fixture_start_with_spill(struct fixture *fixture, const char *settings, const char *spill)
{
    prepare(fixture, settings, spill);
    fixture_launch(fixture);
}

void fixture_start(struct fixture *fixture, const char *settings)
{
    fixture_start_with_spill(fixture, settings, NULL);
}

/* ---- stopping ---- */

static size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (directory) {
        (void)closedir(directory);
    }
    return count;
}

static void remove_directory(const struct fixture *fixture)
{
    (void)unlink(fixture->config);
    (void)unlink(fixture->log);
    static const char *const state[] = {"learned", "last-good.conf"};
    for (size_t i = 0; i < sizeof state / sizeof *state; i++) {
        char path[640];
        (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, state[i]);
        (void)unlink(path);
    }
    char reservations[sizeof fixture->socket + sizeof ".reservations"];
    (void)snprintf(reservations, sizeof reservations, "%s.reservations", fixture->socket);
    (void)unlink(reservations);
    (void)unlink(fixture->socket);
    if (strncmp(fixture->spill, fixture->directory, strlen(fixture->directory)) == 0) {
        (void)rmdir(fixture->spill);
    }
    (void)rmdir(fixture->directory);
}

void fixture_stop(struct fixture *fixture)
{
    int status;
    fixture_audit(fixture);
    cr_assert(kill(fixture->daemon, SIGTERM) == 0);
    cr_assert(waitpid(fixture->daemon, &status, 0) == fixture->daemon);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the daemon ended with status %#x; its log: %s", status,
              fixture->log);
    cr_assert(access(fixture->socket, F_OK) < 0, "the socket was left behind");
    cr_assert(count_entries(fixture->spill) == 0, "a spill file was left behind");
    remove_directory(fixture);
}

void fixture_remove(struct fixture *fixture)
{
    cr_assert(count_entries(fixture->spill) == 0, "a spill file was left behind");
    remove_directory(fixture);
}

void fixture_discard(struct fixture *fixture)
{
    (void)kill(fixture->daemon, SIGKILL);
    (void)waitpid(fixture->daemon, NULL, 0);
    remove_directory(fixture);
}

/* ---- raw frames ---- */

int fixture_socket(const struct fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, fixture->socket, strlen(fixture->socket) + 1);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        return fd_close(fd);
    }
    return fd;
}

bool fixture_receive(int socket, struct reply *ret, int *ret_fd)
{
    struct packet_descriptors descriptors;
    bool is_there = fixture_receive_all(socket, ret, &descriptors);
    int fd = is_there && descriptors.count ? descriptors.fd[0] : -EBADF;
    if (is_there && descriptors.count > 1) {
        (void)fd_close(descriptors.fd[1]);
    }
    if (is_there && ret_fd) {
        *ret_fd = fd;
    } else {
        (void)fd_close(fd);
    }
    return is_there;
}

bool fixture_receive_all(int socket, struct reply *ret, struct packet_descriptors *ret_descriptors)
{
    static struct codec_arena arena;
    static uint8_t frame[FRAME_BYTES_MAX];
    const uint8_t *payload;
    size_t bytes;
    ssize_t received = transport_receive(socket, frame, sizeof frame, ret_descriptors, true);
    if (received <= 0) {
        return false;
    }
    cr_assert(frame_open(frame, (size_t)received, &payload, &bytes) == 0);
    cr_assert(codec_decode_reply(payload, bytes, &arena, ret) == 0);
    cr_assert(ret->descriptors == ret_descriptors->count);
    return true;
}

bool fixture_send(int socket, const struct request *request)
{
    static struct codec_arena arena;
    static uint8_t frame[FRAME_BYTES_MAX];
    int bytes = codec_encode_request(request, &arena, frame);
    cr_assert(bytes > 0);
    return transport_send(socket, frame, (size_t)bytes, -EBADF, true) == 0;
}

bool fixture_exchange(int socket, struct request *request, struct reply *ret, int *ret_fd)
{
    static uint64_t next_id = 1;
    request->id = next_id++;
    if (!fixture_send(socket, request)) {
        return false;
    }
    while (fixture_receive(socket, ret, ret_fd)) {
        if (ret->is_answer && ret->reply_to == request->id) {
            return true;
        }
        if (ret_fd) {
            *ret_fd = fd_close(*ret_fd); /* another control page's */
        }
    }
    return false;
}

bool fixture_hello(int socket, bool monitor, struct reply *ret, int *ret_control)
{
    struct request hello = {.kind = REQUEST_HELLO};
    hello.hello =
        (struct hello_request){.protocol_min = 1, .protocol_max = PROTOCOL_VERSION, .name = "test", .monitor = monitor};
    hello.hello.heap_bytes = hello.hello.max_bytes = hello.hello.max_physical_bytes = LIMIT_DEFAULT;
    return fixture_exchange(socket, &hello, ret, ret_control);
}

/* ---- asking ---- */

static int monitor_socket(const struct fixture *fixture)
{
    struct reply reply;
    int fd = fixture_socket(fixture);
    cr_assert(fd >= 0, "nobody listens; the daemon's log: %s", fixture->log);
    cr_assert(fixture_hello(fd, true, &reply, NULL) && reply.kind == REPLY_WELCOME);
    return fd;
}

bool fixture_try_status(const struct fixture *fixture, struct status_reply *ret)
{
    struct request request = {.kind = REQUEST_STATUS};
    struct reply reply;
    cleanup(fd_closep) int fd = fixture_socket(fixture);
    if (fd < 0 || !fixture_hello(fd, true, &reply, NULL) || !fixture_exchange(fd, &request, &reply, NULL)) {
        return false;
    }
    *ret = reply.status;
    return reply.kind == REPLY_STATUS;
}

struct status_reply fixture_status(const struct fixture *fixture)
{
    struct status_reply status;
    cr_assert(fixture_try_status(fixture, &status), "no status; the daemon's log: %s", fixture->log);
    return status;
}

enum error_code fixture_revoke(const struct fixture *fixture, uint64_t lease)
{
    struct request request = {.kind = REQUEST_REVOKE, .revoke_lease = lease};
    struct reply reply;
    cleanup(fd_closep) int fd = monitor_socket(fixture);
    cr_assert(fixture_exchange(fd, &request, &reply, NULL));
    return reply.kind == REPLY_ERROR ? reply.error.code : ERROR_UNSPECIFIED;
}

void fixture_lose(const struct fixture *fixture, const mb_lease *lease)
{
    (void)fixture_revoke(fixture, mb_lease_id(lease));
    while (mb_lease_check(lease) == 0 || fixture_status(fixture).freeing_bytes > 0) {
        sleep_ms(1);
    }
}

/* The daemon has several descriptors of a segment that can be published. */
static bool was_seen(ino_t inode, bool begins)
{
    enum { INODES = 16384 };
    static ino_t seen[INODES];
    static size_t count;
    count = begins ? 0 : count;
    for (size_t i = 0; i < count; i++) {
        if (seen[i] == inode) {
            return true;
        }
    }
    cr_assert_lt(count, INODES);
    seen[count++] = inode;
    return false;
}

void fixture_kernel_bytes(const struct fixture *fixture, uint64_t *ret_ram, uint64_t *ret_mapped)
{
    char directory[64];
    const struct dirent *entry;
    (void)snprintf(directory, sizeof directory, "/proc/%d/fd", fixture->daemon);
    DIR *stream = opendir(directory);
    cr_assert(stream);
    *ret_ram = *ret_mapped = 0;
    (void)was_seen(0, true);
    while ((entry = readdir(stream))) {
        char target[512];
        struct stat status;
        ssize_t length = readlinkat(dirfd(stream), entry->d_name, target, sizeof target - 1);
        if (length <= 0 || fstatat(dirfd(stream), entry->d_name, &status, 0) < 0) {
            continue;
        }
        target[length] = '\0';
        if (strcmp(target, "/memfd:membroker:segment (deleted)") == 0 ||
            strcmp(target, "/memfd:membroker:board (deleted)") == 0) {
            *ret_ram += was_seen(status.st_ino, false) ? 0 : (uint64_t)status.st_size;
        } else if (S_ISREG(status.st_mode) && strncmp(target, fixture->spill, strlen(fixture->spill)) == 0) {
            *ret_mapped += was_seen(status.st_ino, false) ? 0 : (uint64_t)status.st_size;
        }
    }
    (void)closedir(stream);
}

size_t fixture_descriptors(const struct fixture *fixture)
{
    char path[64];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", fixture->daemon);
    DIR *directory = opendir(path);
    while (directory && readdir(directory)) {
        count++;
    }
    if (directory) {
        (void)closedir(directory);
    }
    return count;
}

bool fixture_log_has(const struct fixture *fixture, const char *words)
{
    char line[1024];
    bool has = false;
    FILE *log = fopen(fixture->log, "re");
    while (log && !has && fgets(line, sizeof line, log)) {
        has = strstr(line, words) != NULL;
    }
    if (log) {
        (void)fclose(log);
    }
    return has;
}

/* It can't look while workers are slow, and counts what is in their hands on one side alone. */
static bool audit_agrees(int monitor)
{
    struct request request = {.kind = REQUEST_AUDIT};
    struct reply reply;
    if (!fixture_exchange(monitor, &request, &reply, NULL) || reply.kind != REPLY_AUDIT) {
        return false;
    }
    cr_assert(reply.audit.difference_count == 0, "audit: %s", reply.audit.differences[0]);
    return reply.audit.ledger_physical_bytes == reply.audit.kernel_physical_bytes &&
           reply.audit.ledger_mapped_bytes == reply.audit.kernel_mapped_bytes &&
           reply.audit.ledger_control_bytes == reply.audit.kernel_control_bytes;
}

void fixture_audit_inside(const struct fixture *fixture)
{
    cleanup(fd_closep) int fd = monitor_socket(fixture);
    WAIT_UNTIL(audit_agrees(fd));
}

void fixture_audit(const struct fixture *fixture)
{
    struct status_reply status;
    uint64_t ram, mapped;
    WAIT_UNTIL(fixture_status(fixture).freeing_bytes == 0);
    fixture_audit_inside(fixture);
    fixture_kernel_bytes(fixture, &ram, &mapped);
    status = fixture_status(fixture);
    cr_assert(ram == status.used_physical_bytes, "kernel %llu, ledger %llu", (unsigned long long)ram,
              (unsigned long long)status.used_physical_bytes);
    cr_assert(mapped == status.used_mapped_bytes, "kernel %llu, ledger %llu", (unsigned long long)mapped,
              (unsigned long long)status.used_mapped_bytes);
}

void fixture_drain_pool(const struct fixture *fixture)
{
    fixture_write_config(fixture, "[pool]\npool_bytes = 0\n");
    cr_assert(kill(fixture->daemon, SIGHUP) == 0);
    WAIT_UNTIL(fixture_status(fixture).used_bytes == 0);
}

/* ---- clients ---- */

mb_client *fixture_connect(const struct fixture *fixture, unsigned flags)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *client = NULL;
    options.socket = fixture->socket;
    options.name = "test";
    options.flags = flags;
    int result = mb_connect(&options, &client);
    cr_assert(result == 0, "%s", mb_last_error());
    return client;
}

void fixture_wait_connected(mb_client *client)
{
    WAIT_UNTIL(mb_ping(client) == 0);
}

pid_t fixture_fork(int (*body)(const struct fixture *fixture), const struct fixture *fixture)
{
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(body(fixture));
    }
    cr_assert(child > 0);
    return child;
}

int fixture_wait_child(pid_t child)
{
    int status;
    cr_assert(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

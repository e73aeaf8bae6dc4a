/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping descriptors and daemons. */
#include "tests/integration/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include <unistd.h>

#include "proto/base/cleanup.h"

enum { HANDED_FROM = 3, STORED_FROM = MANAGER_STORE_MAX + 100, NAMES_BYTES = MANAGER_STORE_MAX * 10 };

/* ---- the store; the lock is held ---- */

static void add(struct manager *manager, const char *name, int fd)
{
    if (manager->stored < MANAGER_STORE_MAX) {
        struct manager_entry *entry = &manager->store[manager->stored++];
        (void)snprintf(entry->name, sizeof entry->name, "%s", name);
        int high = fcntl(fd, F_DUPFD_CLOEXEC, STORED_FROM); /* clear of where a daemon is handed them */
        (void)close(fd);
        cr_assert(high >= 0, "the limit of descriptors is too low for the store");
        entry->fd = high;
    }
}

static void drop(struct manager *manager, const char *name)
{
    for (size_t i = 0; i < manager->stored;) {
        if (strcmp(manager->store[i].name, name) == 0) {
            (void)close(manager->store[i].fd);
            manager->store[i] = manager->store[--manager->stored];
        } else {
            i++;
        }
    }
}

static void handle(struct manager *manager, char *message, int fd)
{
    char *rest = message, *line;
    const char *name = "stored";
    bool store = false, forget = false;
    while ((line = strsep(&rest, "\n"))) {
        if (strcmp(line, "READY=1") == 0) {
            manager->ready++;
            manager->is_ready = true;
        }
        manager->alive += strcmp(line, "WATCHDOG=1") == 0;
        store = store || strcmp(line, "FDSTORE=1") == 0;
        forget = forget || strcmp(line, "FDSTOREREMOVE=1") == 0;
        if (strncmp(line, "FDNAME=", 7) == 0) {
            name = line + 7;
        }
    }
    if (store && fd >= 0) {
        add(manager, name, fd);
    } else {
        (void)fd_close(fd);
    }
    if (forget) {
        drop(manager, name);
    }
}

/* One message, if there is one. */
static bool receive(struct manager *manager)
{
    char text[512];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {text, sizeof text - 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(manager->notify, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fd = -EBADF;
    if (length < 0) {
        return false;
    }
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    text[length] = '\0';
    handle(manager, text, fd);
    return true;
}

/* ---- daemons ---- */

/* In the child: the descriptors at 3 and up, whatever was there. */
static void hand_over(const struct manager *manager)
{
    (void)dup2(manager->listen, HANDED_FROM);
    for (size_t i = 0; i < manager->stored; i++) {
        (void)dup2(manager->store[i].fd, HANDED_FROM + 1 + (int)i);
    }
}

/* "NAME=what the environment says of `variable`", or no variable at all. */
static char *passed_on(char *text, size_t size, const char *name, const char *variable)
{
    const char *value = getenv(variable);
    (void)snprintf(text, size, "%s=%s", name, value ? value : "");
    return value ? text : NULL;
}

static void run(const struct manager *manager, const char *names)
{
    char count[32], pid[32], notify[128], fault[64], preload[640], control[256], state[128];
    char *arguments[TRACE_WORDS + 4] = {NULL};
    size_t words = 0;
    for (; words < TRACE_WORDS && manager->trace[words]; words++) {
        arguments[words] = (char *)(uintptr_t)manager->trace[words];
    }
    arguments[words++] = (char *)(uintptr_t)manager->program;
    arguments[words++] = (char *)(uintptr_t) "--config";
    arguments[words] = (char *)(uintptr_t)manager->fixture->config;
    (void)snprintf(count, sizeof count, "LISTEN_FDS=%zu", manager->stored + 1);
    (void)snprintf(pid, sizeof pid, "LISTEN_PID=%d", getpid());
    (void)snprintf(notify, sizeof notify, "NOTIFY_SOCKET=%s", manager->notify_path);
    (void)snprintf(fault, sizeof fault, "MEMBROKER_FAULT=%s",
                   manager->starts == 0 && manager->fault ? manager->fault : "0");
    (void)snprintf(state, sizeof state, "STATE_DIRECTORY=%s", manager->fixture->directory);
    char *environment[] = {count,
                           state,
                           pid,
                           notify,
                           fault,
                           (char *)(uintptr_t) "WATCHDOG_USEC=300000",
                           (char *)(uintptr_t)names,
                           passed_on(control, sizeof control, "MEMBROKER_FAULT_CONTROL", "MEMBROKER_FAULT_CONTROL"),
                           passed_on(preload, sizeof preload, "LD_PRELOAD", "MANAGER_PRELOAD"),
                           NULL};
    int log = open(manager->fixture->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    hand_over(manager);
    (void)execvpe(arguments[0], arguments, environment);
    _exit(127);
}

static void spawn(struct manager *manager)
{
    static char names[NAMES_BYTES];
    size_t length = (size_t)snprintf(names, sizeof names, "LISTEN_FDNAMES=membroker.socket");
    for (size_t i = 0; i < manager->stored; i++) {
        length += (size_t)snprintf(names + length, sizeof names - length, ":%s", manager->store[i].name);
    }
    pid_t child = fork();
    if (child == 0) {
        run(manager, names);
    }
    manager->fixture->daemon = child;
    manager->is_ready = false;
    manager->starts++;
}

/* As systemd: messages that the daemon sent before it ended count. */
static void respawn_if_ended(struct manager *manager)
{
    int status;
    if (waitpid(manager->fixture->daemon, &status, WNOHANG) != manager->fixture->daemon) {
        return;
    }
    manager->last_end = status;
    while (receive(manager)) {
    }
    spawn(manager);
}

static void *manage(void *argument)
{
    struct manager *manager = argument;
    while (!manager->ended) {
        struct pollfd notify = {.fd = manager->notify, .events = POLLIN};
        (void)poll(&notify, 1, 5);
        (void)pthread_mutex_lock(&manager->lock);
        while (receive(manager)) {
        }
        if (!manager->stopping) {
            respawn_if_ended(manager);
        }
        (void)pthread_mutex_unlock(&manager->lock);
    }
    return NULL;
}

static int bound(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    cr_assert(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

void manager_start(struct manager *manager, struct fixture *fixture, const char *program, const char *fault,
                   const char *settings)
{
    memset(manager, 0, sizeof *manager);
    fixture_prepare(fixture, settings);
    manager->fixture = fixture;
    manager->fault = fault;
    fixture_program(program, manager->program, sizeof manager->program);
    (void)snprintf(manager->notify_path, sizeof manager->notify_path, "%s/notify", fixture->directory);
    manager->notify = bound(manager->notify_path, SOCK_DGRAM);
    const struct rlimit descriptors = {2 * STORED_FROM, 2 * STORED_FROM};
    (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    int listening = bound(fixture->socket, SOCK_SEQPACKET);
    manager->listen = fcntl(listening, F_DUPFD_CLOEXEC, STORED_FROM);
    (void)close(listening);
    cr_assert(listen(manager->listen, 64) == 0);
    (void)pthread_mutex_init(&manager->lock, NULL);
    spawn(manager);
    cr_assert(pthread_create(&manager->thread, NULL, manage, manager) == 0);
    manager_wait(manager);
}

void manager_wait(struct manager *manager)
{
    WAIT_UNTIL(manager->is_ready);
}

void manager_restart(struct manager *manager, int signal)
{
    unsigned before = manager->starts;
    cr_assert(kill(manager->fixture->daemon, signal) == 0);
    WAIT_UNTIL(manager->starts > before && manager->is_ready);
}

size_t manager_stored(struct manager *manager)
{
    (void)pthread_mutex_lock(&manager->lock);
    while (receive(manager)) {
    }
    size_t stored = manager->stored;
    (void)pthread_mutex_unlock(&manager->lock);
    return stored;
}

void manager_put(struct manager *manager, const char *name, int fd)
{
    (void)pthread_mutex_lock(&manager->lock);
    add(manager, name, fcntl(fd, F_DUPFD_CLOEXEC, 0));
    (void)pthread_mutex_unlock(&manager->lock);
}

void manager_replace(struct manager *manager, const char *name, int fd)
{
    (void)pthread_mutex_lock(&manager->lock);
    drop(manager, name);
    add(manager, name, fcntl(fd, F_DUPFD_CLOEXEC, 0));
    (void)pthread_mutex_unlock(&manager->lock);
}

void manager_stop(struct manager *manager)
{
    struct fixture *fixture = manager->fixture;
    int status;
    fixture_audit(fixture);
    (void)pthread_mutex_lock(&manager->lock);
    manager->stopping = true;
    (void)pthread_mutex_unlock(&manager->lock);
    cr_assert(kill(fixture->daemon, SIGINT) == 0);
    cr_assert(waitpid(fixture->daemon, &status, 0) == fixture->daemon);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x; log: %s", status, fixture->log);
    manager->ended = true; /* last: a daemon dies with the thread that started it */
    (void)pthread_join(manager->thread, NULL);
    while (receive(manager)) {
    }
    cr_assert_leq(manager->stored, 2, "only the empty table and the history are left in the store, and not %zu things",
                  manager->stored);
    while (manager->stored) {
        drop(manager, manager->store[0].name);
    }
    (void)close(manager->notify);
    (void)close(manager->listen);
    (void)unlink(manager->notify_path);
    fixture_remove(fixture);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listens. Two daemons that start at the same time must not take over the same stale socket. So a daemon that does so
 * locks a file beside the socket, which only the daemon's user can open, and removes it afterwards.
 */
#include "daemon/runtime/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/os/lock_file.h"
#include "daemon/runtime/accept.h"
#include "daemon/runtime/activation.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/maintenance.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "proto/transport.h"

enum { LOCK_TRIES = 100, LOCK_PAUSE_US = 20000, ACCEPTS_PER_TURN = 8, BACKLOG = 1024 };

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)stpncpy(address.sun_path, path, sizeof address.sun_path - 1);
    return address;
}

static int make_directory(const char *path)
{
    char copy[sizeof((struct sockaddr_un *)0)->sun_path];
    text_copy(copy, sizeof copy, path);
    return mkdir(dirname(copy), 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Another daemon that is starting holds the lock for moments only. */
static int take_lock(const char *path)
{
    int lock = -EBUSY;
    for (int i = 0; i < LOCK_TRIES && lock == -EBUSY; i++) {
        (void)usleep(i ? LOCK_PAUSE_US : 0);
        lock = lock_file_take(path);
    }
    return lock;
}

/* -EADDRINUSE: a daemon listens there, if only one that is stopped or has a full backlog. 0: none does. */
static int probe_listener(const struct sockaddr_un *address)
{
    cleanup(fd_closep) int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return -errno;
    }
    if (connect(probe, (const struct sockaddr *)address, sizeof *address) == 0) {
        return -EADDRINUSE;
    }
    return errno == ECONNREFUSED || errno == ENOENT ? 0 : errno == EAGAIN || errno == EPROTOTYPE ? -EADDRINUSE : -errno;
}

static int remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return -ENOTSOCK;
    }
    int result = probe_listener(address);
    if (result < 0) {
        return result;
    }
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

/* Nobody can connect before mode and group are right: the socket is bound with mode 0600 first. */
static int bind_socket(int fd, const struct sockaddr_un *address, const struct config *config)
{
    mode_t before = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
    (void)umask(before);
    if (result == 0 && config->socket_group.gid != (gid_t)-1 &&
        chown(address->sun_path, (uid_t)-1, config->socket_group.gid) < 0) {
        result = -errno;
    }
    if (result == 0 && chmod(address->sun_path, config->socket_mode) < 0) {
        result = -errno;
    }
    return result == 0 && listen(fd, BACKLOG) < 0 ? -errno : result;
}

static int open_socket(const struct config *config)
{
    struct sockaddr_un address = address_of(config->socket);
    int result = remove_stale(&address);
    if (result < 0) {
        return result;
    }
    cleanup(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    (void)transport_refuse_descriptors(fd); /* by a kernel that can't, they are left in their packets */
    result = bind_socket(fd, &address, config);
    return result < 0 ? result : fd_steal(&fd);
}

static void explain(int error, const char *path)
{
    if (error == -EADDRINUSE) {
        log_error("another daemon listens on %s: stop it, or choose another socket with --socket", path);
    } else if (error == -ENOTSOCK) {
        log_error("%s is there and is no socket: remove it, or choose another path with --socket", path);
    } else {
        log_error("can't listen on %s: %s", path, strerrordesc_np(-error));
    }
}

static void explain_lock(int error, const char *lock)
{
    if (error == -EBUSY) {
        log_error("another daemon is starting and has locked %s: wait for it, or end it", lock);
    } else if (error == -EPERM) {
        log_error("%s is not a file of this user's with mode 0600: remove it, or choose another path with --socket",
                  lock);
    } else {
        log_error("can't lock %s: %s", lock, strerrordesc_np(-error));
    }
}

/* The socket, or negative errno after a log line. */
static int open_locked(const struct config *config)
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path + sizeof ".lock"];
    (void)snprintf(path, sizeof path, "%s.lock", config->socket);
    int result = make_directory(config->socket);
    int lock = result < 0 ? result : take_lock(path);
    if (lock < 0) {
        explain_lock(lock, path);
        return lock;
    }
    result = open_socket(config);
    lock_file_drop(path, lock);
    if (result < 0) {
        explain(result, config->socket);
    }
    return result;
}

/* The whole machine is out of descriptors: the client is accepted for an instant to be refused, not left waiting. */
static void refuse(struct server *server)
{
    struct listener *listener = &server->listener;
    listener->spare_fd = fd_close(listener->spare_fd);
    int socket = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0) {
        accept_to_refuse(server, socket);
    }
    listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
    struct server *server = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && server->listener.fd >= 0; i++) {
        int socket = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= server->descriptors.ceiling) {
            accept_to_refuse(server, socket);
        } else if (socket >= 0) {
            accept_socket(server, socket);
        } else if (errno == EMFILE || errno == ENFILE) {
            refuse(server);
        } else {
            return;
        }
    }
}

/* A listening socket of the kind that we speak on, whatever the service manager calls it; -ENOENT: none was handed
 * over. */
static int take_activated(struct handed_descriptors *handed)
{
    for (size_t i = 0; i < handed->count; i++) {
        int fd = handed->at[i].fd, type = 0, listening = 0;
        socklen_t size = sizeof type;
        if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening) {
            (void)transport_refuse_descriptors(fd);
            return fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno : fd_steal(&handed->at[i].fd);
        }
    }
    return -ENOENT;
}

/* The socket's path, as the kernel knows it; an abstract one's name with an @ in front. */
static void find_path(struct listener *listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    if (getsockname(listener->fd, (struct sockaddr *)&address, &size) == 0) {
        memcpy(listener->path, address.sun_path, sizeof address.sun_path);
    }
    if (!listener->path[0] && listener->path[1]) {
        listener->path[0] = '@';
    }
}

void listener_init(struct listener *listener)
{
    *listener = (struct listener){.fd = -EBADF, .spare_fd = -EBADF};
}

int listener_open(struct server *server, struct handed_descriptors *handed)
{
    struct listener *listener = &server->listener;
    listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    listener->fd = take_activated(handed);
    listener->was_activated = listener->fd >= 0;
    if (listener->fd == -ENOENT) {
        listener->fd = open_locked(server->config);
    } else if (listener->fd < 0) {
        explain(listener->fd, server->config->socket);
    }
    if (listener->fd < 0) {
        return listener->fd;
    }
    find_path(listener);
    if (listener->was_activated) {
        server->reload.notices.socket = activation_check(server->config, listener->path);
    }
    int result = uv_poll_init(&server->loop, &listener->poll, listener->fd);
    if (result < 0) {
        return result;
    }
    maintenance_start(server);
    listener->poll.data = server;
    return uv_poll_start(&listener->poll, UV_READABLE, on_connect);
}

void listener_close(struct listener *listener, const struct config *config)
{
    if (listener->fd >= 0) {
        (void)uv_poll_stop(&listener->poll);
        uv_close((uv_handle_t *)&listener->poll, NULL);
        if (!listener->was_activated) {
            (void)unlink(config->socket);
        }
        listener->fd = fd_close(listener->fd);
        listener->spare_fd = fd_close(listener->spare_fd);
    }
}

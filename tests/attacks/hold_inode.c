/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that hold: a server of FUSE, and one that waits for it. */
#include "tests/attacks/hold_inode.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/transport.h"
#include "tests/attacks/fuse_server.h"

enum { PAGE_BYTES = 4096, FUSE_MAJOR = 10, FUSE_MINOR = 229, FILE_ONLY = -1 };
#define MOUNT_POINT "/tmp" /* of a namespace of our own */

/* What the process tells: that it holds, or why it does not. */
struct report {
    bool is_holding;
    int error;
    char refused[96];
};

/* ---- in the processes ---- */

struct job {
    int control, fd, how;
    struct fuse_server server;
    struct report report;
};

static __attribute__((format(printf, 2, 3))) bool give_up(struct job *job, const char *format, ...)
{
    va_list arguments;
    job->report.error = errno;
    va_start(arguments, format);
    (void)vsnprintf(job->report.refused, sizeof job->report.refused, format, arguments);
    va_end(arguments);
    return false;
}

/* Distributions have the device open to all; where it is root's alone, root makes one that is, where nobody else looks.
 */
static void offer_device(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("none", "/mnt", "tmpfs", 0, "mode=755") == 0 &&
        mknod("/mnt/fuse", S_IFCHR | 0666, makedev(FUSE_MAJOR, FUSE_MINOR)) == 0 && chmod("/mnt/fuse", 0666) == 0) {
        if (access("/dev/fuse", F_OK) < 0) {
            (void)close(open("/dev/fuse", O_CREAT | O_CLOEXEC | O_WRONLY, 0600));
        }
        (void)mount("/mnt/fuse", "/dev/fuse", NULL, MS_BIND, NULL);
    }
}

static bool write_text(const char *path, const char *text)
{
    cleanup(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A user namespace in which we are root, and an ordinary user outside it. */
static bool enter_namespaces(struct job *job, uid_t uid)
{
    char map[64];
    if (geteuid() == 0) {
        offer_device();
        if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) {
            return give_up(job, "becoming user %u", uid);
        }
    }
    uid_t user = geteuid();
    gid_t group = getegid();
    (void)prctl(PR_SET_DUMPABLE, 1); /* else /proc/self is root's */
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
        return give_up(job, "a user namespace");
    }
    (void)snprintf(map, sizeof map, "0 %u 1", user);
    if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map)) {
        return give_up(job, "the map of a user namespace");
    }
    (void)snprintf(map, sizeof map, "0 %u 1", group);
    return write_text("/proc/self/gid_map", map) || give_up(job, "the map of a user namespace");
}

static bool mount_server(struct job *job)
{
    int result = fuse_server_mount(&job->server, MOUNT_POINT);
    errno = -result;
    return result == 0 || give_up(job, "FUSE in a user namespace");
}

static void tell(struct job *job, int fd)
{
    (void)transport_send(job->control, &job->report, sizeof job->report, fd, true);
}

/* ---- the process that calls ---- */

static long call_and_wait(struct job *job, void *page)
{
    return job->how == INODE_HELD_BY_WRITE ? pwrite(job->fd, page, PAGE_BYTES, 0)
                                           : syscall(SYS_getdents64, job->fd, page, PAGE_BYTES);
}

static void hold(struct job *job)
{
    cleanup(fd_closep) int file = open(MOUNT_POINT "/page", O_RDWR | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (page == MAP_FAILED) {
        (void)give_up(job, "mapping a page of FUSE");
    } else if (call_and_wait(job, page) < 0) {
        (void)give_up(job, "the call");
    }
    tell(job, -EBADF); /* if it was held, it is not read */
}

static void offer_file(struct job *job)
{
    int file = open(MOUNT_POINT "/page", O_RDWR | O_CLOEXEC);
    job->report.is_holding = file >= 0;
    tell(job, file);
    (void)pause();
}

/* Not a thread: a server that closes a file of its own as it ends would wait for itself forever. */
static pid_t start_caller(struct job *job)
{
    pid_t server = getpid(), caller = fork();
    if (caller != 0) {
        return caller;
    }
    (void)close(job->server.device);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == server) {
        if (job->how == FILE_ONLY) {
            offer_file(job);
        } else {
            hold(job);
        }
    }
    _exit(0);
}

/* ---- the process that serves ---- */

static bool has_ended(pid_t process)
{
    return waitpid(process, NULL, WNOHANG) == process;
}

/* Until the test lets go and the call has returned; the rest ends with the file system. */
static void serve(struct job *job, pid_t caller)
{
    bool is_told = false, let_go = false, has_returned = false;
    while (!let_go || (!has_returned && job->how != FILE_ONLY)) {
        struct pollfd ready[] = {{.fd = job->server.device, .events = POLLIN},
                                 {.fd = let_go ? -1 : job->control, .events = POLLIN}};
        (void)poll(ready, 2, 10);
        if (fuse_server_serve(&job->server) < 0) {
            return;
        }
        if (!is_told && job->server.has_held && job->how != FILE_ONLY) {
            job->report.is_holding = is_told = true;
            tell(job, -EBADF);
        }
        if (!let_go && ready[1].revents) {
            let_go = true;
            fuse_server_let_go(&job->server);
        }
        has_returned = has_returned || has_ended(caller);
    }
}

static void run(struct job *job, uid_t uid)
{
    pid_t parent = getppid();
    if (!enter_namespaces(job, uid) || !mount_server(job)) {
        tell(job, -EBADF);
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        return;
    }
    job->server.holds_reads = job->how != FILE_ONLY;
    job->server.holds_flushes = job->how == FILE_ONLY;
    serve(job, start_caller(job));
}

/* ---- in the test ---- */

/* Everything else of the test's, so that what it closes is closed. */
static void close_others(int one, int other)
{
    unsigned low = (unsigned)(one < other ? one : other), high = (unsigned)(one < other ? other : one);
    if (one < 0 || other < 0) {
        low = high = (unsigned)(one < 0 ? other : one);
    }
    (void)(low > 3 && close_range(3, low - 1, 0));
    (void)(high > low + 1 && close_range(low + 1, high - 1, 0));
    (void)close_range(high + 1, ~0U, 0);
}

static struct inode_holder *start(uid_t uid, int fd, int how)
{
    struct inode_holder *holder = calloc(1, sizeof *holder);
    struct packet_descriptors came = {0};
    struct report report = {.refused = "the process died"};
    int ends[2];
    if (!holder || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        abort();
    }
    holder->process = fork();
    if (holder->process == 0) {
        struct job job = {.control = ends[1], .fd = fd, .how = how};
        close_others(job.control, job.fd);
        run(&job, uid);
        _exit(0);
    }
    (void)close(ends[1]);
    holder->control = ends[0];
    (void)transport_receive(holder->control, &report, sizeof report, &came, true);
    holder->file = came.count ? came.fd[0] : -EBADF;
    holder->is_holding = report.is_holding;
    holder->error = report.error;
    memcpy(holder->refused, report.refused, sizeof holder->refused);
    return holder;
}

struct inode_holder *inode_holder_start(uid_t uid, int fd, enum inode_hold how)
{
    return start(uid, fd, (int)how);
}

struct inode_holder *inode_holder_start_file(uid_t uid)
{
    return start(uid, -EBADF, FILE_ONLY);
}

struct inode_holder *inode_holder_end(struct inode_holder *holder)
{
    if (!holder) {
        return NULL;
    }
    (void)shutdown(holder->control, SHUT_RDWR); /* processes that were forked in the meantime have it open as well */
    (void)fd_close(holder->control);
    (void)waitpid(holder->process, NULL, 0);
    (void)fd_close(holder->file);
    free(holder);
    return NULL;
}

bool inode_holder_is_possible(uid_t uid, char *ret, size_t size)
{
    int fd = memfd_create("probe", MFD_CLOEXEC);
    bool made = fd >= 0 && ftruncate(fd, PAGE_BYTES) == 0;
    struct inode_holder *holder = made ? inode_holder_start(uid, fd, INODE_HELD_BY_WRITE) : NULL;
    bool is_possible = holder && holder->is_holding;
    if (holder && !is_possible) {
        (void)snprintf(ret, size, "%s: %s", holder->refused, strerror(holder->error));
    }
    (void)inode_holder_end(holder);
    (void)fd_close(fd);
    return is_possible;
}

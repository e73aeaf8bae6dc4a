/* SPDX-License-Identifier: Apache-2.0 */
/* The calls, their errors, and the page that the preloaded library reads. */
#include "tests/faults/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/integration/fixture.h"

static const struct fault faults[] = {
#define FAULT(call, ...)                                                                                               \
    {                                                                                                                  \
        FAULT_##call, #call,                                                                                           \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
    FAULT(malloc, ENOMEM),
    FAULT(calloc, ENOMEM),
    FAULT(realloc, ENOMEM),
    FAULT(aligned_alloc, ENOMEM),
    FAULT(accept4, EMFILE, ENOMEM, ECONNABORTED, EINTR),
    FAULT(bind, EADDRINUSE, ENOMEM),
    FAULT(chmod, EPERM, EIO),
    FAULT(chown, EPERM, EIO),
    FAULT(close, EINTR, EIO),
    FAULT(connect, EAGAIN, ECONNREFUSED),
    FAULT(epoll_create1, EMFILE, ENOMEM),
    FAULT(epoll_ctl, ENOMEM, ENOSPC),
    FAULT(epoll_wait, EINTR, EIO),
    FAULT(eventfd, EMFILE, ENOMEM),
    FAULT(fallocate, ENOSPC, EINTR, EIO, ENOMEM),
    FAULT(fchmod, EPERM, EIO),
    FAULT(fchown, EPERM, EIO),
    FAULT(fcntl, EMFILE, EINTR, EPERM),
    FAULT(fdopendir, ENOMEM),
    FAULT(flock, EINTR, ENOLCK),
    FAULT(fopen, EMFILE, ENOMEM, EIO),
    FAULT(fstat, EIO, ENOMEM),
    FAULT(fstatat, EIO, ENOMEM),
    FAULT(fstatvfs, EIO, EINTR),
    FAULT(fsync, EIO, ENOSPC),
    FAULT(ftruncate, ENOSPC, EINTR, EIO),
    FAULT(getrandom, EAGAIN, EINTR),
    FAULT(getrlimit, EINVAL),
    FAULT(getsockopt, ENOMEM, ENOTCONN, EMFILE),
    FAULT(ioctl, EIO, ENOTTY),
    FAULT(listen, EADDRINUSE),
    FAULT(lstat, EIO, ENOENT),
    FAULT(madvise, ENOMEM, EINTR),
    FAULT(mbind, ENOMEM, EIO),
    FAULT(memfd_create, EMFILE, ENOMEM),
    FAULT(mkdir, ENOSPC, EIO),
    FAULT(mmap, ENOMEM, EAGAIN),
    FAULT(mremap, ENOMEM),
    FAULT(munmap, ENOMEM),
    FAULT(open, EMFILE, ENOMEM, EINTR, EIO),
    FAULT(openat, EMFILE, ENOMEM, ENOSPC, EIO),
    FAULT(opendir, EMFILE, ENOMEM),
    FAULT(pipe2, EMFILE),
    FAULT(posix_fallocate, ENOSPC, EINTR, EIO),
    FAULT(pthread_create, EAGAIN),
    FAULT(read, EINTR, EIO, EAGAIN, FAULT_SHORT),
    FAULT(readdir, EIO),
    FAULT(readlinkat, EIO, ENOMEM),
    FAULT(recvmsg, EAGAIN, EINTR, ENOMEM, ECONNRESET),
    FAULT(rename, ENOSPC, EIO),
    FAULT(send, EAGAIN, EINTR, ENOTCONN, EPIPE),
    FAULT(sendmsg, EAGAIN, EINTR, ENOMEM, EPIPE, ETOOMANYREFS),
    FAULT(setrlimit, EPERM),
    FAULT(setsockopt, EPERM, ENOMEM),
    FAULT(socket, EMFILE, ENOMEM),
    FAULT(stat, EIO, ENOMEM),
    FAULT(statvfs, EIO),
    FAULT(statx, ENOMEM),
    FAULT(syscall, ENOSYS, EINTR, EMFILE),
    FAULT(unlink, EIO),
    FAULT(unlinkat, EIO),
    FAULT(write, ENOSPC, EINTR, EIO, FAULT_SHORT),
    FAULT(writev, EINTR, EIO),
#undef FAULT
};

const size_t faults_count = sizeof faults / sizeof *faults;

enum { DISARMED = -1 };

struct fault_control *fault_control;
char fault_at[128];
static long struck;
static bool has_struck;

bool fault_may_end_the_daemon(const struct fault *fault)
{
    bool is_allocation = fault->call == FAULT_malloc || fault->call == FAULT_calloc || fault->call == FAULT_realloc;
    return atomic_load(&fault_control->was_in_libuv) && !is_allocation;
}

void sweep_begin(void)
{
    static char path[] = "/tmp/membroker-fault-XXXXXX", preload[640];
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && ftruncate(fd, sizeof *fault_control) == 0);
    fault_control = mmap(NULL, sizeof *fault_control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert(fault_control != MAP_FAILED);
    (void)close(fd);
    fixture_program("tests/preload.so", preload, sizeof preload);
    (void)setenv(FAULT_CONTROL, path, 1);
    (void)setenv("MANAGER_PRELOAD", preload, 1);
}

void sweep_end(void)
{
    (void)munmap(fault_control, sizeof *fault_control);
    (void)unlink(getenv(FAULT_CONTROL));
    (void)fprintf(stderr, "%ld faults struck\n", struck);
    cr_expect_gt(struck, 0, "no fault struck at all");
}

static void arm(const struct fault *fault, int error, long number)
{
    (void)snprintf(fault_at, sizeof fault_at, "%s number %ld fails (%s)", fault->name, number,
                   error == FAULT_SHORT ? "short" : strerrorname_np(error));
    atomic_store(&fault_control->call, (int)fault->call);
    atomic_store(&fault_control->error, error);
    atomic_store(&fault_control->countdown, number);
    has_struck = false;
}

void fault_disarm(void)
{
    bool has_just = atomic_exchange(&fault_control->countdown, DISARMED) == 0;
    has_struck = has_struck || has_just;
    struck += has_just;
}

static void sweep_one(const struct fault *fault, int error, void (*strike)(const struct fault *fault))
{
    const char *depth = getenv("MEMBROKER_FAULT_DEPTH");
    long most = depth ? strtol(depth, NULL, 10) : LONG_MAX;
    has_struck = true;
    for (long number = 1; has_struck && number <= most; number++) {
        arm(fault, error, number);
        strike(fault);
    }
}

void sweep(void (*strike)(const struct fault *fault))
{
    const char *only = getenv("MEMBROKER_FAULT_ONLY");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (size_t kind = 0; kind < FAULT_ERRORS_MAX && faults[i].errors[kind]; kind++) {
            if (!only || strcmp(only, faults[i].name) == 0) {
                sweep_one(&faults[i], faults[i].errors[kind], strike);
            }
        }
    }
}

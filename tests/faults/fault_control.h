/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sweep and the daemon that it preloads share: a page that says which call fails next. The calls are those of
 * the C library that the daemon and the libraries under it (libuv, libsystemd) make, which is every way that they have
 * to the kernel and to memory.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define FAULT_CALLS(CALL)                                                                                              \
    CALL(aligned_alloc)                                                                                                \
    CALL(malloc)                                                                                                       \
    CALL(calloc)                                                                                                       \
    CALL(realloc)                                                                                                      \
    CALL(accept4)                                                                                                      \
    CALL(bind)                                                                                                         \
    CALL(chmod)                                                                                                        \
    CALL(chown)                                                                                                        \
    CALL(close)                                                                                                        \
    CALL(connect)                                                                                                      \
    CALL(epoll_create1)                                                                                                \
    CALL(epoll_ctl)                                                                                                    \
    CALL(epoll_wait)                                                                                                   \
    CALL(eventfd)                                                                                                      \
    CALL(fallocate)                                                                                                    \
    CALL(fchmod)                                                                                                       \
    CALL(fchown)                                                                                                       \
    CALL(fcntl)                                                                                                        \
    CALL(fdopendir)                                                                                                    \
    CALL(flock)                                                                                                        \
    CALL(fopen)                                                                                                        \
    CALL(fstat)                                                                                                        \
    CALL(fstatat)                                                                                                      \
    CALL(fstatvfs)                                                                                                     \
    CALL(fsync)                                                                                                        \
    CALL(ftruncate)                                                                                                    \
    CALL(getrandom)                                                                                                    \
    CALL(getrlimit)                                                                                                    \
    CALL(getsockopt)                                                                                                   \
    CALL(ioctl)                                                                                                        \
    CALL(listen)                                                                                                       \
    CALL(lstat)                                                                                                        \
    CALL(madvise)                                                                                                      \
    CALL(mbind)                                                                                                        \
    CALL(memfd_create)                                                                                                 \
    CALL(mkdir)                                                                                                        \
    CALL(mmap)                                                                                                         \
    CALL(mremap)                                                                                                       \
    CALL(munmap)                                                                                                       \
    CALL(open)                                                                                                         \
    CALL(openat)                                                                                                       \
    CALL(opendir)                                                                                                      \
    CALL(pipe2)                                                                                                        \
    CALL(posix_fallocate)                                                                                              \
    CALL(pthread_create)                                                                                               \
    CALL(read)                                                                                                         \
    CALL(readdir)                                                                                                      \
    CALL(readlinkat)                                                                                                   \
    CALL(recvmsg)                                                                                                      \
    CALL(rename)                                                                                                       \
    CALL(send)                                                                                                         \
    CALL(sendmsg)                                                                                                      \
    CALL(setsockopt)                                                                                                   \
    CALL(setrlimit)                                                                                                    \
    CALL(socket)                                                                                                       \
    CALL(stat)                                                                                                         \
    CALL(statvfs)                                                                                                      \
    CALL(statx)                                                                                                        \
    CALL(syscall)                                                                                                      \
    CALL(unlink)                                                                                                       \
    CALL(unlinkat)                                                                                                     \
    CALL(write)                                                                                                        \
    CALL(writev)

enum fault_call {
#define CALL(name) FAULT_##name,
    FAULT_CALLS(CALL)
#undef CALL
        FAULT_CALLS_COUNT,
};

/* instead of an errno: half of what was asked for is read or written */
enum { FAULT_SHORT = 10000 };

struct fault_control {
    atomic_long live_bytes, live_blocks;  /* of the daemon's heap; first, for who reads them from a shell */
    atomic_int call, error;               /* which fails, and how */
    atomic_long countdown;                /* the call that finds 1 fails; 0 or less: none does */
    atomic_long calls[FAULT_CALLS_COUNT]; /* made, failed or not */
    atomic_int was_in_libuv;              /* whether it was libuv that made the call which failed last */
};

#define FAULT_CONTROL "MEMBROKER_FAULT_CONTROL" /* the file of the page, in the environment */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership made visible: a local that frees itself when its scope ends, and the idioms to pass
 * ownership on. A descriptor variable that holds nothing is -EBADF.
 */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(function) __attribute__((cleanup(function)))

/* Closes a descriptor if there is one; errno survives. */
static inline int fd_close(int fd)
{
    if (fd >= 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
    }
    return -EBADF;
}

static inline void fd_closep(int *fd)
{
    *fd = fd_close(*fd);
}

static inline void freep(void *pointer)
{
    free(*(void **)pointer);
}

/* Takes the descriptor out of a variable that would close it. */
static inline int fd_steal(int *fd)
{
    int stolen = *fd;
    *fd = -EBADF;
    return stolen;
}

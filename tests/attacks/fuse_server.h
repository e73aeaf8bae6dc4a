/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest file system that can keep its callers waiting: one directory with one file of one page, "page", served
 * over /dev/fuse without a library. A page fault in a mapping of the file, and a close of it, take as long as we like.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUSE_SERVER_HELD_MAX = 64 };

struct fuse_server {
    int device;
    bool holds_reads, holds_flushes; /* until fuse_server_let_go() */
    bool has_held;                   /* a process waits, or has waited */
    uint64_t held[FUSE_SERVER_HELD_MAX];
    size_t held_count;
    uint32_t held_bytes;
};

/* Mounts it at `directory`, in the mount namespace of the caller. Returns 0 or negative errno. */
int fuse_server_mount(struct fuse_server *server, const char *directory);

/* Answers the requests that have come, except those that are held. Returns 0, or negative errno: it is over. */
int fuse_server_serve(struct fuse_server *server);

/* Answers the requests that were held, and holds no more. */
void fuse_server_let_go(struct fuse_server *server);

/* SPDX-License-Identifier: Apache-2.0 */
/* The one directory in which programs may name files. */
#pragma once

#include <sys/types.h>

struct named_directory {
    int fd;     /* as it was opened: renaming it, or giving its path to another, changes nothing; -EBADF: none */
    char *path; /* without links in it */
    dev_t device;
    uid_t owner;
};

/* Opens the directory as a path: nothing of it is read. 0 or negative errno. */
int named_directory_open(struct named_directory *directory, const char *path);
void named_directory_close(struct named_directory *directory);

/*
 * A descriptor of the directory, the caller's. If the directory was deleted, of the one that has its path now: no link
 * leads there, it is on the same file system and has the same owner. Negative errno; -ENOENT: there is none. For worker
 * processes alone.
 */
int named_directory_reach(const struct named_directory *directory);

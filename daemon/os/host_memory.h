/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory this host has for the broker: the machine's, or its cgroup's (version 2 or 1, the
 * tightest ancestor) where that is smaller. Bytes. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_memory {
    uint64_t total_bytes;     /* min(MemTotal, cgroup limits) */
    uint64_t available_bytes; /* min(MemAvailable, each cgroup's limit - usage + its reclaimable file cache) */
};

/*
 * Reads it now. `root` is prefixed to every path ("" for the real system; tests pass a directory with
 * proc/ and sys/ below it). Returns 0 or negative errno when /proc/meminfo can't be read; cgroup files that
 * are absent mean no limit there.
 */
int host_memory_read(const char *root, struct host_memory *ret);

/* The path of a file of this process's own group in the unified hierarchy. False: there is none. */
bool host_memory_group_file(const char *name, char *path, size_t bytes);

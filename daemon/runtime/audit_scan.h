/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's descriptors of segments and control pages, as the kernel lists them, against what they are for. Between
 * the list and the look at it clients come and go, so that one list proves nothing: only a descriptor that is the same
 * (number, inode and birth) and for nothing in every one of SCANS lists is reported, and bytes of control pages only
 * if they differ by as much each time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct server;
struct workshop;

struct found_descriptor {
    int fd;
    bool is_control;
    uint64_t inode, bytes, length; /* allocated; and of the file */
    struct statx_timestamp birth;  /* zero if the file system does not keep it */
};

struct audit_scan {
    struct found_descriptor *found, *suspects; /* of the newest list; for nothing in every list so far */
    size_t found_count, found_capacity, suspect_count;
    uint64_t control_bytes, counted_control_bytes; /* by the kernel, and in the ledger */
    uint64_t first_excess;                         /* of the first, modulo 2^64, in the first list */
    bool control_differs;                          /* by as much in every list so far */
    unsigned scans;
    int error; /* negative errno: the descriptors can't be listed */
};

/* Lists the descriptors. On the thread pool. */
void audit_scan_list(struct audit_scan *scan, const struct workshop *workshop);

/* Looks at the newest list, on the loop. True: that settles it; else another list is wanted, a little later. */
bool audit_scan_conclude(struct audit_scan *scan, const struct server *server);

void audit_scan_deinit(struct audit_scan *scan);

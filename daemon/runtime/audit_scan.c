/* SPDX-License-Identifier: Apache-2.0 */
/* Listing descriptors, and what is left of them after several lists. */
#include "daemon/runtime/audit_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/os/memfd.h"
#include "daemon/runtime/server.h"
#include "daemon/worker/backend.h"

enum { SCANS = 20, BLOCK = 512 };

/* ---- listing ---- */

static int keep(struct audit_scan *scan, const struct found_descriptor *found)
{
    if (scan->found_count == scan->found_capacity) {
        size_t capacity = scan->found_capacity ? scan->found_capacity * 2 : 256;
        struct found_descriptor *grown = reallocarray(scan->found, capacity, sizeof *grown);
        if (!grown) {
            return -ENOMEM;
        }
        scan->found = grown;
        scan->found_capacity = capacity;
    }
    scan->found[scan->found_count++] = *found;
    return 0;
}

/* What the kernel knows without asking anybody: it takes no lock of the inode, and sends nothing to a file server. */
static int look(struct audit_scan *scan, int directory, const char *name, bool is_control)
{
    struct statx status;
    if (statx(directory, name, AT_STATX_DONT_SYNC, STATX_INO | STATX_BLOCKS | STATX_SIZE | STATX_BTIME, &status) < 0) {
        return errno == ENOENT ? 0 : -errno; /* it was closed meanwhile */
    }
    const struct found_descriptor found = {.fd = (int)strtol(name, NULL, 10),
                                           .is_control = is_control,
                                           .inode = status.stx_ino,
                                           .bytes = status.stx_blocks * BLOCK,
                                           .length = status.stx_size,
                                           .birth = status.stx_btime};
    return keep(scan, &found);
}

static int list_entry(struct audit_scan *scan, const struct workshop *workshop, int directory, const char *name)
{
    char target[512];
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
    if (length <= 0) {
        return 0;
    }
    target[length] = '\0';
    bool is_control = strcmp(target, MEMFD_CONTROL_LINK) == 0;
    return is_control || backend_with_target(workshop, target) != BACKENDS ? look(scan, directory, name, is_control)
                                                                           : 0;
}

void audit_scan_list(struct audit_scan *scan, const struct workshop *workshop)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    scan->found_count = 0;
    scan->error = directory ? 0 : -errno;
    while (directory && scan->error == 0 && (entry = readdir(directory))) {
        scan->error = list_entry(scan, workshop, dirfd(directory), entry->d_name);
    }
    if (directory) {
        (void)closedir(directory);
    }
}

/* ---- comparing ---- */

static int compare(const void *left, const void *right)
{
    const struct found_descriptor *a = left, *b = right;
    return (a->fd > b->fd) - (a->fd < b->fd);
}

/* What is kept ready has no bytes. */
static bool is_for_nothing(const struct found_descriptor *found, const struct server *server)
{
    enum descriptor_use use = descriptor_use(&server->descriptors, found->fd);
    return use == DESCRIPTOR_UNKNOWN || (use == DESCRIPTOR_STOCK && found->bytes > 0);
}

static bool is_same(const struct found_descriptor *a, const struct found_descriptor *b)
{
    return a->inode == b->inode && a->birth.tv_sec == b->birth.tv_sec && a->birth.tv_nsec == b->birth.tv_nsec;
}

/* Only those that are still there, and still for nothing, stay suspects. */
static void narrow_suspects(struct audit_scan *scan, const struct server *server)
{
    size_t kept = 0;
    for (size_t i = 0; i < scan->suspect_count; i++) {
        const struct found_descriptor *found =
            bsearch(&scan->suspects[i], scan->found, scan->found_count, sizeof *found, compare);
        if (found && is_same(found, &scan->suspects[i]) && is_for_nothing(found, server)) {
            scan->suspects[kept++] = *found;
        }
    }
    scan->suspect_count = kept;
}

static int suspect_unknown(struct audit_scan *scan, const struct server *server)
{
    for (size_t i = 0; i < scan->found_count; i++) {
        scan->suspect_count += is_for_nothing(&scan->found[i], server);
    }
    scan->suspects = calloc(scan->suspect_count + 1, sizeof *scan->suspects);
    if (!scan->suspects) {
        scan->suspect_count = 0;
        return -ENOMEM;
    }
    scan->suspect_count = 0;
    for (size_t i = 0; i < scan->found_count; i++) {
        if (is_for_nothing(&scan->found[i], server)) {
            scan->suspects[scan->suspect_count++] = scan->found[i];
        }
    }
    return 0;
}

/* A page that a worker looks at is the ledger's until the worker's answer is there, which may come long after it
 * emptied the page: other work of the same user may be in between. */
static uint64_t control_page_bytes(const struct found_descriptor *found, const struct server *server)
{
    enum descriptor_use use = descriptor_use(&server->descriptors, found->fd);
    bool is_copy = use == DESCRIPTOR_PASSING;
    return is_copy ? 0 : use == DESCRIPTOR_ASKED ? found->length : found->bytes;
}

static void compare_control(struct audit_scan *scan, const struct server *server)
{
    scan->control_bytes = 0;
    scan->counted_control_bytes = server->control_store.bytes;
    for (size_t i = 0; i < scan->found_count; i++) {
        const struct found_descriptor *found = &scan->found[i];
        scan->control_bytes += found->is_control ? control_page_bytes(found, server) : 0;
    }
    uint64_t excess = scan->control_bytes - scan->counted_control_bytes;
    if (scan->scans == 0) {
        scan->first_excess = excess;
        scan->control_differs = true;
    }
    scan->control_differs = scan->control_differs && excess != 0 && excess == scan->first_excess;
}

bool audit_scan_conclude(struct audit_scan *scan, const struct server *server)
{
    if (scan->error) {
        return true;
    }
    if (scan->found_count) {
        qsort(scan->found, scan->found_count, sizeof *scan->found, compare);
    }
    if (scan->scans == 0) {
        scan->error = suspect_unknown(scan, server);
    } else {
        narrow_suspects(scan, server);
    }
    compare_control(scan, server);
    scan->scans++;
    bool agrees = !scan->suspect_count && scan->control_bytes == scan->counted_control_bytes;
    return scan->error || agrees || scan->scans == SCANS;
}

void audit_scan_deinit(struct audit_scan *scan)
{
    free(scan->found);
    free(scan->suspects);
}

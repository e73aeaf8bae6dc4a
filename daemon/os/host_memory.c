/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/meminfo, and the memory controller's files of this process's cgroup and all above it. */
#include "daemon/os/host_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/size.h"

enum { PATH_BYTES = 1024, LINE_BYTES = 2048 };

/* Where a hierarchy with a memory controller is mounted, and the files that it has. */
struct hierarchy {
    bool is_v2;
    char mount[PATH_BYTES];   /* the mount point */
    char subtree[PATH_BYTES]; /* the part of the hierarchy that is mounted there */
    char group[PATH_BYTES];   /* of this process */
};

static FILE *open_file(const char *root, const char *path)
{
    char full[3 * PATH_BYTES];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    return fopen(full, "re");
}

static int read_meminfo(const char *root, struct host_memory *ret)
{
    char line[LINE_BYTES];
    unsigned long long kibibytes;
    FILE *file = open_file(root, "/proc/meminfo");
    if (!file) {
        return -errno;
    }
    *ret = (struct host_memory){0};
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemTotal: %llu kB", &kibibytes) == 1) {
            ret->total_bytes = kibibytes * 1024;
        } else if (sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1) {
            ret->available_bytes = kibibytes * 1024;
        }
    }
    (void)fclose(file);
    return ret->total_bytes ? 0 : -EIO;
}

/* Whether a comma-separated list has this word. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (*list) {
        size_t here = strcspn(list, ",\n");
        if (here == length && strncmp(list, word, length) == 0) {
            return true;
        }
        list += here + (list[here] != '\0');
    }
    return false;
}

/* Reads this process's group of the hierarchy from /proc/self/cgroup: lines "number:controllers:path". */
static bool find_group(const char *root, struct hierarchy *hierarchy)
{
    char line[LINE_BYTES];
    bool found = false;
    FILE *file = open_file(root, "/proc/self/cgroup");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) {
            continue;
        }
        *controllers++ = '\0';
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        found = hierarchy->is_v2 ? strcmp(line, "0") == 0 && !*controllers : has_word(controllers, "memory");
        if (found) {
            (void)snprintf(hierarchy->group, sizeof hierarchy->group, "%s", path);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

/* A line of mountinfo: "id parent dev SUBTREE MOUNT options ... - TYPE source SUPEROPTIONS". */
static bool is_mount_of(char *line, struct hierarchy *hierarchy)
{
    char type[32], options[PATH_BYTES];
    const char *tail = strstr(line, " - ");
    if (!tail || sscanf(tail, " - %31s %*s %1023s", type, options) != 2 ||
        sscanf(line, "%*s %*s %*s %1023s %1023s", hierarchy->subtree, hierarchy->mount) != 2) {
        return false;
    }
    return hierarchy->is_v2 ? strcmp(type, "cgroup2") == 0 : strcmp(type, "cgroup") == 0 && has_word(options, "memory");
}

static bool find_mount(const char *root, struct hierarchy *hierarchy)
{
    char line[2 * LINE_BYTES];
    bool found = false;
    FILE *file = open_file(root, "/proc/self/mountinfo");
    while (file && !found && fgets(line, sizeof line, file)) {
        found = is_mount_of(line, hierarchy);
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

/* A number in a file; UINT64_MAX when there is none ("max", no such file). */
static uint64_t read_value(const char *root, const char *directory, const char *name)
{
    char path[2 * PATH_BYTES];
    unsigned long long value;
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = open_file(root, path);
    if (!file) {
        return UINT64_MAX;
    }
    int got = fscanf(file, "%llu", &value);
    (void)fclose(file);
    return got == 1 ? value : UINT64_MAX;
}

/* The file cache that the kernel can drop from the group without writing. */
static uint64_t read_reclaimable(const char *root, const char *directory, bool is_v2)
{
    char path[2 * PATH_BYTES], line[LINE_BYTES], name[64];
    unsigned long long value = 0, found = 0;
    (void)snprintf(path, sizeof path, "%s/memory.stat", directory);
    FILE *file = open_file(root, path);
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%63s %llu", name, &value) == 2 &&
            strcmp(name, is_v2 ? "inactive_file" : "total_inactive_file") == 0) {
            found = value;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

static void apply_group(const char *root, const char *directory, bool is_v2, struct host_memory *memory)
{
    uint64_t limit = read_value(root, directory, is_v2 ? "memory.max" : "memory.limit_in_bytes");
    if (limit >= memory->total_bytes && limit >= UINT64_C(1) << 60) {
        return; /* no limit, as either version writes it */
    }
    uint64_t usage = read_value(root, directory, is_v2 ? "memory.current" : "memory.usage_in_bytes");
    uint64_t used = usage == UINT64_MAX ? 0 : size_subtract_floored(usage, read_reclaimable(root, directory, is_v2));
    memory->total_bytes = size_min(memory->total_bytes, limit);
    memory->available_bytes = size_min(memory->available_bytes, size_subtract_floored(limit, used));
}

/* The directory of the process's own group. */
static void group_directory(const struct hierarchy *hierarchy, char *directory, size_t bytes)
{
    const char *group = hierarchy->group;
    size_t subtree = strcmp(hierarchy->subtree, "/") == 0 ? 0 : strlen(hierarchy->subtree);
    if (strncmp(group, hierarchy->subtree, subtree) == 0) {
        group += subtree; /* in a container only a part of the hierarchy is mounted, and the path is of the whole */
    }
    (void)snprintf(directory, bytes, "%s%s", hierarchy->mount, strcmp(group, "/") == 0 ? "" : group);
}

bool host_memory_group_file(const char *name, char *path, size_t bytes)
{
    struct hierarchy hierarchy = {.is_v2 = true};
    char directory[2 * PATH_BYTES];
    if (!find_group("", &hierarchy) || !find_mount("", &hierarchy)) {
        return false;
    }
    group_directory(&hierarchy, directory, sizeof directory);
    return (size_t)snprintf(path, bytes, "%s/%s", directory, name) < bytes;
}

/* From the process's own group up to the top of what is mounted. */
static void apply_hierarchy(const char *root, const struct hierarchy *hierarchy, struct host_memory *memory)
{
    char directory[2 * PATH_BYTES];
    group_directory(hierarchy, directory, sizeof directory);
    for (;;) {
        apply_group(root, directory, hierarchy->is_v2, memory);
        char *slash = strrchr(directory, '/');
        if (!slash || (size_t)(slash - directory) < strlen(hierarchy->mount)) {
            return;
        }
        *slash = '\0';
    }
}

int host_memory_read(const char *root, struct host_memory *ret)
{
    int result = read_meminfo(root, ret);
    for (int version = 1; result == 0 && version <= 2; version++) {
        struct hierarchy hierarchy = {.is_v2 = version == 2};
        if (find_group(root, &hierarchy) && find_mount(root, &hierarchy)) {
            apply_hierarchy(root, &hierarchy, ret);
        }
    }
    return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/os/freezer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

enum { ANSWER_SIZE = 256 };

/* A hierarchy, as a line of /proc/self/mountinfo has it. */
struct hierarchy {
    const char *root, *mount; /* which part of it is mounted where */
};

/* The file of the group with this path. False: that part of the hierarchy is not mounted, or the path is too long. */
static bool name_file(const struct hierarchy *of, const char *path, size_t length, const char *file, char ret[PATH_MAX])
{
    size_t above = strcmp(of->root, "/") == 0 ? 0 : strlen(of->root);
    if (length < above || strncmp(path, of->root, above) != 0 || (length > above && path[above] != '/')) {
        return false;
    }
    int size = snprintf(ret, PATH_MAX, "%s%.*s/%s", of->mount, (int)(length - above), path + above, file);
    return size > 0 && size < PATH_MAX;
}

static bool file_has(const char *path, const char *wanted)
{
    char answer[ANSWER_SIZE];
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, answer, sizeof answer - 1);
    if (length <= 0) {
        return false;
    }
    answer[length] = '\0';
    return strstr(answer, wanted);
}

/* Whether the controllers of a line of /proc/PID/cgroup ("cpu,freezer") have this one. */
static bool has_controller(const char *list, size_t length, const char *name)
{
    const char *end = list + length;
    while (list < end) {
        size_t own = strcspn(list, ",:");
        if (own == strlen(name) && strncmp(list, name, own) == 0) {
            return true;
        }
        list += own + 1;
    }
    return false;
}

/* The path of a process's group in v2 (no controllers) or in the hierarchy of the freezer; NULL: it is in none. */
static const char *find_path(const char *text, bool is_v2, size_t *ret_length)
{
    for (const char *line = text; *line; line += *line == '\n') {
        size_t size = strcspn(line, "\n");
        const char *list = memchr(line, ':', size);
        const char *path = list ? memchr(list + 1, ':', size - (size_t)(list + 1 - line)) : NULL;
        if (path && (is_v2 ? path == list + 1 : has_controller(list + 1, (size_t)(path - list - 1), "freezer"))) {
            *ret_length = size - (size_t)(path + 1 - line);
            return path + 1;
        }
        line += size;
    }
    return NULL;
}

static bool is_frozen(const struct hierarchy *of, const char *text, bool is_v2)
{
    char file[PATH_MAX];
    size_t length = 0;
    const char *path = find_path(text, is_v2, &length);
    return path && name_file(of, path, length, is_v2 ? "cgroup.events" : "freezer.state", file) &&
           file_has(file, is_v2 ? "frozen 1" : "FROZEN");
}

/* A line of /proc/self/mountinfo: the root is its fourth word, the mount its fifth; the type and options follow " - ".
 */
static bool holds_in(char *line, const char *text)
{
    char *words[5], *rest = line, *type = strstr(line, " - ");
    for (int i = 0; i < 5; i++) {
        words[i] = strsep(&rest, " ");
    }
    if (!type || !rest || type < rest - 1) {
        return false;
    }
    struct hierarchy of = {words[3], words[4]};
    bool is_v2 = strncmp(type, " - cgroup2 ", 11) == 0;
    if (!is_v2 && (strncmp(type, " - cgroup ", 10) != 0 || !strstr(type, "freezer"))) {
        return false;
    }
    return is_frozen(&of, text, is_v2);
}

bool freezer_holds(const char *text)
{
    char *line = NULL;
    size_t size = 0;
    bool holds = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !holds && getline(&line, &size, mounts) > 0) {
        holds = holds_in(line, text);
    }
    free(line);
    if (mounts) {
        (void)fclose(mounts);
    }
    return holds;
}

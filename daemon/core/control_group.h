/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups as the kernel names them, and the patterns by which a class has them as members.
 *
 * A process is in one group of each hierarchy. Its groups are a text here: the paths that differ, each followed by a
 * newline, which no group's name contains.
 *
 * A pattern is either a path ("/kubepods/burstable"), or the name of a slice ("training-gpu.slice"), which stands for
 * the path that systemd gives that slice ("/training.slice/training-gpu.slice"). In each name * stands for any text and
 * ? for one byte. A pattern matches a group and all groups below it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    CONTROL_GROUPS_SIZE = 4096, /* of a process's groups, with the NUL: as long as one path can be */
    CONTROL_NAME_MAX = 255,     /* bytes of one group's name */
};

/*
 * Reads the text of /proc/PID/cgroup, of cgroup v1, v2 or both. What is not such a line is passed over. 0, or -E2BIG:
 * the paths are too long together, and `ret` is empty.
 */
int control_groups_parse(const char *text, char ret[CONTROL_GROUPS_SIZE]);

/* What is wrong with a pattern that no group can match, as the end of a sentence; NULL: nothing. */
const char *control_pattern_fault(const char *pattern);

/* The same of a path without wildcards. */
const char *control_path_fault(const char *path);

/* Paths of control groups, without wildcards. */
struct control_paths {
    char **paths;
    size_t count;
};

/* 0: none of the groups matches; else one more than the names in the pattern. Takes NULL: no groups. */
unsigned control_pattern_match(const char *pattern, const char *groups);

/* Whether two patterns have as many names, and the first one matches all that the second does. */
bool control_pattern_covers(const char *pattern, const char *other);

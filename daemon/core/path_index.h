/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds paths of control groups by a hash of their text: what a lookup costs depends on the groups that are looked up,
 * not on how many paths there are.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct path_place {
    const char *path; /* borrowed; NULL: nothing is in this place */
    size_t owner;
    unsigned names; /* one more than it has */
};

struct path_index {
    struct path_place *places; /* NULL: there are no paths */
    size_t size;               /* a power of two */
};

/* With room for so many paths. 0 or -ENOMEM. */
int path_index_init(struct path_index *index, size_t paths);
void path_index_deinit(struct path_index *index);

/* A path below the root that is not in the index; the index borrows it. */
void path_index_add(struct path_index *index, const char *path, size_t owner);

/* A walk over the paths that one of these groups (as control_group.h has them; NULL: none) is or lies below. */
struct path_walk {
    const char *group, *at;
    uint32_t hash; /* of the group's text before `at` */
};

struct path_walk path_walk_begin(const char *groups);

/* The next one, or NULL. One that several of the groups lie below comes as often. */
const struct path_place *path_walk_next(const struct path_index *index, struct path_walk *walk);

/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing, at most half full. The hash is FNV-1a: of a path above another it is known on the way to that one.
 */
#include "daemon/core/path_index.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t hash_of_nothing = 2166136261U;

static uint32_t hash_more(uint32_t hash, char next)
{
    return (hash ^ (unsigned char)next) * 16777619U;
}

int path_index_init(struct path_index *index, size_t paths)
{
    size_t size = 2;
    while (size < 2 * paths) {
        size *= 2;
    }
    *index = (struct path_index){.places = calloc(size, sizeof *index->places), .size = size};
    return index->places ? 0 : -ENOMEM;
}

void path_index_deinit(struct path_index *index)
{
    free(index->places);
    *index = (struct path_index){0};
}

void path_index_add(struct path_index *index, const char *path, size_t owner)
{
    struct path_place place = {.path = path, .owner = owner, .names = 1};
    uint32_t hash = hash_of_nothing;
    for (const char *at = path; *at; at++) {
        hash = hash_more(hash, *at);
        place.names += *at == '/';
    }
    size_t i = hash & (index->size - 1);
    while (index->places[i].path) {
        i = (i + 1) & (index->size - 1);
    }
    index->places[i] = place;
}

static const struct path_place *look_up(const struct path_index *index, const char *text, size_t length, uint32_t hash)
{
    for (size_t i = hash & (index->size - 1); index->places[i].path; i = (i + 1) & (index->size - 1)) {
        const struct path_place *place = &index->places[i];
        if (strncmp(place->path, text, length) == 0 && !place->path[length]) {
            return place;
        }
    }
    return NULL;
}

struct path_walk path_walk_begin(const char *groups)
{
    groups = groups ? groups : "";
    return (struct path_walk){.group = groups, .at = groups, .hash = hash_of_nothing};
}

/* Goes on behind `at`, in this group or the next one. */
static void step_on(struct path_walk *walk)
{
    bool is_end = *walk->at == '\n';
    walk->hash = is_end ? hash_of_nothing : hash_more(walk->hash, *walk->at);
    walk->at++;
    walk->group = is_end ? walk->at : walk->group;
}

/* A path ends where one of its names does. */
const struct path_place *path_walk_next(const struct path_index *index, struct path_walk *walk)
{
    const struct path_place *found = NULL;
    for (; index->places && *walk->at && !found; step_on(walk)) {
        if (*walk->at == '/' || *walk->at == '\n') {
            found = look_up(index, walk->group, (size_t)(walk->at - walk->group), walk->hash);
        }
    }
    return found;
}

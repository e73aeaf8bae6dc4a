/* SPDX-License-Identifier: Apache-2.0 */
/* What the bytes of a view are, as its publisher described them: the metadata of client/BLOCKS.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "membroker.h"

enum { DIMENSIONS_MAX = 32 };

struct description {
    char kind;           /* the letter of its type string: b, i, u, f, c, or E for bfloat16 */
    unsigned item_bytes; /* 1, 2, 4, 8 or 16 */
    bool is_fortran;
    unsigned dimensions;
    uint64_t shape[DIMENSIONS_MAX];
    uint64_t bytes; /* of the content */
};

/*
 * Returns 0, or negative errno with the sentence set: -EPERM in a forked child, -ESTALE if the view is lost, -EINVAL if
 * it is no array or does not fit the view, -EOPNOTSUPP if it has elements that are no numbers of this machine.
 */
int description_read(const mb_view *view, struct description *ret);

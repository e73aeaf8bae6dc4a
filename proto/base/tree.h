/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libbsd's red-black trees: intrusive, so that inserting can't fail. Its own RB_GENERATE_STATIC relies on
 * a macro that glibc systems don't define.
 */
#pragma once

#include <bsd/sys/tree.h>

#include "proto/base/without_const.h"

#define TREE_GENERATE(name, type, field, compare)                                                                      \
    RB_GENERATE_INTERNAL(name, type, field, compare, __attribute__((__unused__)) static)

/* A tree of this name for a lookup, which changes nothing. */
#define TREE_FOR_LOOKUP(name, tree)                                                                                    \
    ((struct name *)without_const(_Generic((tree), const struct name * : (tree), struct name * : (tree))))

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libbsd's red-black trees: intrusive, so that inserting can't fail. Its own RB_GENERATE_STATIC relies on
 * a macro that glibc systems don't define.
 */
#pragma once

#include <bsd/sys/tree.h>

#define TREE_GENERATE(name, type, field, compare)                                                                      \
    RB_GENERATE_INTERNAL(name, type, field, compare, __attribute__((__unused__)) static)

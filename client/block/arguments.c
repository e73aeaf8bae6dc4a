/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls for blocks and objects are given. */
#include <errno.h>

#include "client/block/block.h"
#include "client/error.h"
#include "proto/name.h"

int block_check_name(const char *name)
{
    const char *fault = name ? name_fault(name) : "it is NULL";
    return fault ? error_set(-EINVAL, "\"%s\" can't be the name of a block or an object: %s", name ? name : "", fault)
                 : 0;
}

int block_check_group(mb_access access, uint32_t gid)
{
    return !gid || access == MB_ACCESS_GROUP ? 0 : error_set(-EINVAL, "gid goes with MB_ACCESS_GROUP only");
}

int block_check_copied(const char *what, const void *bytes, size_t count)
{
    return !count || bytes ? 0
                           : error_set(-EINVAL, "the %s is NULL, and %zu bytes of it were to be copied", what, count);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The names of blocks and objects. */
#include <errno.h>

#include "client/block/block.h"
#include "client/error.h"
#include "proto/name.h"

int block_check_name(const char *name)
{
    return name && name[0] && name_is_valid(name)
               ? 0
               : error_set(
                     -EINVAL,
                     "the name of a block or an object must be UTF-8 of 1 to 63 bytes without control characters");
}

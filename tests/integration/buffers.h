/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of buffers share. */
#pragma once

#include "tests/integration/workspaces.h"

static inline mb_buffer *make(size_t bytes)
{
    mb_buffer *buffer = NULL;
    cr_assert(mb_buffer_create(client, bytes, NULL, &buffer) == 0, "%s", mb_last_error());
    return buffer;
}

static inline mb_buffer *make_with(size_t bytes, const char *name, mb_location location, unsigned flags)
{
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    mb_buffer *buffer = NULL;
    options.name = name;
    options.location = location;
    options.flags = flags;
    cr_assert(mb_buffer_create(client, bytes, &options, &buffer) == 0, "%s", mb_last_error());
    return buffer;
}

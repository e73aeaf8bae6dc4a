/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and views by the library, for tests that share the fixture of workspaces.h. */
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/workspaces.h"

enum { BLOCK_BYTES = 1 << 20 };

static inline mb_block *create_filled(mb_client *of, const mb_block_options *options, int value)
{
    mb_block *block = NULL;
    cr_assert(mb_block_create(of, BLOCK_BYTES, options, &block) == 0, "%s", mb_last_error());
    memset(mb_block_data(block), value, BLOCK_BYTES);
    return block;
}

static inline mb_block *publish_with(mb_client *of, const char *name, const mb_block_options *options, int value)
{
    mb_block *block = create_filled(of, options, value);
    cr_assert(mb_block_publish(block, name) == 0, "%s", mb_last_error());
    return block;
}

static inline mb_block *publish(mb_client *of, const char *name, int value)
{
    return publish_with(of, name, NULL, value);
}

static inline bool is_filled(const void *data, uint64_t bytes, int value)
{
    const unsigned char *first = data;
    return first[0] == value && memcmp(first, first + 1, bytes - 1) == 0;
}

static inline mb_view *attach(mb_client *of, const char *name)
{
    mb_view *view = NULL;
    cr_assert(mb_attach(of, name, 0, &view) == 0, "%s", mb_last_error());
    return view;
}

static inline bool view_is(const mb_view *view, int value)
{
    uint64_t bytes;
    const void *data = mb_view_data(view, &bytes);
    return bytes == BLOCK_BYTES && is_filled(data, bytes, value) && mb_view_check(view) == 0;
}

/* What attaching says. */
static inline int attach_result(mb_client *of, const char *name, uint32_t wait_ms)
{
    mb_view *view = NULL;
    int result = mb_attach(of, name, wait_ms, &view);
    if (result == 0) {
        (void)mb_view_close(view);
    }
    return result;
}

/* Runs `body` in a child; its exit status, or minus the signal that ended it. */
static inline int run_child(int (*body)(const struct fixture *of))
{
    int status;
    pid_t child = fixture_fork(body, &fixture);
    cr_assert(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of workspaces and buffers share. */
#pragma once

#include <errno.h>
#include <string.h>

#include "tests/integration/fixture.h"

#define MIB UINT64_C(1048576)

/* One broker and one client of it in each test. */
static struct fixture fixture;
static mb_client *client;

static inline void begin(const char *settings)
{
    fixture_start(&fixture, settings);
    client = fixture_connect(&fixture, 0);
}

static inline void end(void)
{
    mb_disconnect(client);
    fixture_stop(&fixture);
}

static inline uint64_t used(void)
{
    return fixture_status(&fixture).used_bytes;
}

static inline mb_workspace_config default_config(void)
{
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    return config;
}

static inline mb_workspace *open_named(mb_client *of, const char *name, mb_workspace_config config)
{
    mb_workspace *workspace = NULL;
    cr_assert(mb_workspace_open(of, name, &config, &workspace) == 0, "%s", mb_last_error());
    return workspace;
}

static inline mb_workspace_statistics stats_of(const mb_workspace *workspace)
{
    mb_workspace_statistics statistics;
    mb_workspace_stats(workspace, &statistics);
    return statistics;
}

#define ENTER(workspace) cr_assert(mb_workspace_enter(workspace) == 0, "%s", mb_last_error())
#define LEAVE(workspace) cr_assert(mb_workspace_leave(workspace) == 0, "%s", mb_last_error())

/* One allocation that must work, every byte of it written. */
#define ALLOC(workspace, bytes) written(mb_workspace_alloc(workspace, bytes), bytes)
static inline char *written(void *data, size_t bytes)
{
    cr_assert(data, "%s", mb_last_error());
    memset(data, 0x5a, bytes);
    return data;
}

/* A whole cycle of one allocation. */
static inline void cycle_of(mb_workspace *workspace, size_t bytes)
{
    ENTER(workspace);
    (void)ALLOC(workspace, bytes);
    LEAVE(workspace);
}

#define EXPECT_SENTENCE(part) cr_expect(strstr(mb_last_error(), part), "\"%s\" is not in: %s", part, mb_last_error())

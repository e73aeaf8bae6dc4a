/* SPDX-License-Identifier: Apache-2.0 */
/* What a restart costs for each thing that is kept: system calls, which no load of the machine changes. */
#include <stdio.h>

#include "tests/integration/blocks.h"
#include "tests/integration/manager.h"

TestSuite(restart_calls, .timeout = 120);

static struct manager manager;

/* The last line of the table that strace makes when the daemon has ended; 0: it is not there yet. */
static unsigned long read_total(const char *path)
{
    char line[256];
    unsigned long calls = 0;
    FILE *table = fopen(path, "r");
    while (table && fgets(line, sizeof line, table)) {
        if (strstr(line, " total")) {
            (void)sscanf(line, "%*f %*f %*f %lu", &calls);
        }
    }
    if (table) {
        (void)fclose(table);
    }
    return calls;
}

/* The calls of the daemon's own thread, from its start until it is killed when it is ready. */
static unsigned long calls_of_restart(void)
{
    char path[160];
    unsigned long calls = 0;
    (void)snprintf(path, sizeof path, "%s/calls", fixture.directory);
    const char *trace[TRACE_WORDS] = {"strace", "-D", "-c", "-o", path};
    memcpy(manager.trace, trace, sizeof trace);
    manager_restart(&manager, SIGKILL);
    manager.trace[0] = NULL;
    manager_restart(&manager, SIGKILL);
    WAIT_UNTIL((calls = read_total(path)) > 0);
    cr_assert_eq(remove(path), 0);
    return calls;
}

static void publish_kept(int from, int to)
{
    mb_block_options options = MB_BLOCK_OPTIONS_INIT;
    char name[32];
    options.lifetime = MB_LIFETIME_KEEP;
    for (int i = from; i < to; i++) {
        (void)snprintf(name, sizeof name, "kept-%d", i);
        cr_assert_eq(mb_block_free(publish_with(client, name, &options, 1)), 0);
    }
}

/* Taking a descriptor is two; its size, its seals and its read-only copy are one each. */
Test(restart_calls, a_kept_block_costs_five)
{
    enum { FEW = 50, MANY = 450 };
    char name[32];
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    client = fixture_connect(&fixture, 0);
    publish_kept(0, FEW);
    unsigned long few = calls_of_restart();
    fixture_wait_connected(client);
    publish_kept(FEW, MANY);
    unsigned long many = calls_of_restart();
    cr_log_info("system calls of a restart: %lu with %d blocks, %lu with %d\n", few, FEW, many, MANY);
    cr_expect_gt(many, few + MANY - FEW, "the restart was not traced");
    cr_expect_lt(many, few + (MANY - FEW) * 11UL / 2, "%lu calls with %d blocks, %lu with %d", few, FEW, many, MANY);
    fixture_wait_connected(client);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "kept-%d", i);
        cr_assert_eq(mb_unpublish(client, name), 0, "%s", mb_last_error());
    }
    mb_disconnect(client);
    WAIT_UNTIL(used() == 0);
    manager_stop(&manager);
}

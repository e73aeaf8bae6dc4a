/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thousand cycles of varying need in a workspace whose size is learned; the steady ones stand between two marks on
 * standard error, for check-steady to look at with strace. Prints how many cycles spilled.
 */
#include <membroker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CYCLES = 1000, FIRST_STEADY = 50 };

static void mark(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static int fail(void)
{
    (void)fprintf(stderr, "cycles: %s\n", mb_last_error());
    return 1;
}

/* The need of a cycle goes up and down; the largest is among the first fifty. */
static size_t need_of(int cycle)
{
    return 1000 + (size_t)(cycle * 7919 % 50) * 2000;
}

int main(void)
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_workspace_config config = MB_WORKSPACE_CONFIG_INIT;
    mb_client *client;
    mb_workspace *workspace;
    int spilling = 0;
    options.flags = MB_CLIENT_NO_THREAD;
    config.spill_policy = MB_SPILL_REALLOCATE;
    if (mb_connect(&options, &client) < 0 || mb_workspace_open(client, "steady", &config, &workspace) < 0) {
        return fail();
    }
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        mb_workspace_statistics statistics;
        uint64_t before;
        if (cycle == FIRST_STEADY) {
            mark("steady begins\n");
        }
        mb_workspace_stats(workspace, &statistics);
        before = statistics.total_spilled_count;
        MB_WORKSPACE(workspace, return fail()) {
            for (int i = 0; i < 10; i++) {
                char *data = mb_alloc(need_of(cycle));
                if (!data) {
                    return fail();
                }
                memset(data, cycle, need_of(cycle));
            }
            mb_buffer *buffer;
            if (mb_buffer_create(client, 500, NULL, &buffer) == 0) {
                (void)mb_buffer_unref(buffer);
            }
        }
        mb_workspace_stats(workspace, &statistics);
        spilling += statistics.total_spilled_count > before;
    }
    mark("steady ends\n");
    printf("%d\n", spilling);
    mb_disconnect(client);
    return 0;
}

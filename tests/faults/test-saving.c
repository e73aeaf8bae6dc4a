/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon that ends keeps the sizes that workspaces learned, while each call that this takes fails in turn: the file
 * is always a whole one, of before or of now, and nothing is left beside it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "tests/faults/faults.h"
#include "tests/faults/scenario.h"
#include "tests/integration/manager.h"

TestSuite(saving, .timeout = 7200);

static struct manager manager;
static struct fixture fixture;
static uint64_t pages; /* that the workspace needs, as it learned last */

enum { PAGE = 4096 };

/* Each time another size; one that the fault kept from the daemon is not remembered. */
static void learn(void)
{
    mb_client_options to = MB_CLIENT_OPTIONS_INIT;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_lease *lease;
    mb_client *client;
    to.socket = fixture.socket;
    to.name = "test";
    if (mb_connect(&to, &client) < 0) {
        return; /* it is the first call that the fault may strike */
    }
    options.name = "learning";
    options.flags = MB_LEASE_LEARNED;
    if (mb_acquire(client, ++pages * PAGE, &options, &lease) == 0) {
        (void)mb_release(lease);
    }
    mb_disconnect(client);
}

static bool is_learned_now_or_before(uint64_t bytes)
{
    return bytes > 0 && bytes % PAGE == 0 && bytes <= pages * PAGE;
}

static void expect_whole(void)
{
    char path[128], text[512] = "", line[64];
    unsigned long long bytes;
    (void)snprintf(path, sizeof path, "%s/learned.new", fixture.directory);
    cr_assert(access(path, F_OK) < 0, "%s: the new file is left beside the old", fault_at);
    path[strlen(path) - strlen(".new")] = '\0';
    cleanup(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return; /* nothing was kept so far */
    }
    cr_assert(read(fd, text, sizeof text - 1) >= 0);
    cr_assert(sscanf(text, "%llu\t", &bytes) == 1 && is_learned_now_or_before(bytes), "%s: %s", fault_at, text);
    (void)snprintf(line, sizeof line, "%llu\t%u\tdefault\ttest\tlearning\n", bytes, getuid());
    cr_assert_str_eq(text, line, "%s", fault_at);
}

static bool is_part_of_saving(const struct fault *fault)
{
    static const enum fault_call calls[] = {FAULT_open,   FAULT_write, FAULT_fsync,  FAULT_rename, FAULT_close,
                                            FAULT_unlink, FAULT_mkdir, FAULT_malloc, FAULT_calloc, FAULT_realloc};
    bool found = false;
    for (size_t i = 0; !found && i < sizeof calls / sizeof *calls; i++) {
        found = calls[i] == fault->call;
    }
    return found;
}

static void strike_while_saving(const struct fault *fault)
{
    if (!is_part_of_saving(fault)) {
        fault_disarm();
        return;
    }
    learn();
    manager_restart(&manager, SIGTERM);
    fault_disarm();
    manager_wait(&manager);
    expect_whole();
}

Test(saving, learned_sizes_are_saved_completely_or_not_at_all)
{
    sweep_begin();
    manager_start(&manager, &fixture, "membrokerd", NULL, "");
    sweep(strike_while_saving);
    learn();
    manager_restart(&manager, SIGTERM);
    cr_expect_eq(fixture_status(&fixture).remembered, 1);
    expect_whole();
    manager_stop(&manager);
    sweep_end();
}

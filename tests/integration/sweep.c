/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/sweep.h"

#include <signal.h>
#include <stdio.h>

mb_client *sweep_connect(const struct fixture *fixture, void (*on_event)(const mb_event *event, void *user_data))
{
    mb_client_options options = MB_CLIENT_OPTIONS_INIT;
    mb_client *made = NULL;
    options.socket = fixture->socket;
    options.timeout_ms = 10000;
    options.on_event = on_event;
    for (int tries = 0; mb_connect(&options, &made) < 0; tries++) {
        cr_assert(tries < 100, "%s", mb_last_error());
        sleep_ms(20);
    }
    return made;
}

bool sweep_uses(const struct fixture *fixture, uint64_t bytes)
{
    struct status_reply status;
    return fixture_try_status(fixture, &status) && status.used_bytes == bytes;
}

/* True: the daemon died. */
static bool work_with_fault(struct manager *manager, struct fixture *fixture, const char *settings, void (*work)(void),
                            unsigned point)
{
    char fault[16];
    (void)snprintf(fault, sizeof fault, "%u", point);
    manager_start(manager, fixture, "faults/membrokerd", fault, settings);
    work();
    WAIT_UNTIL(sweep_uses(fixture, 0));
    bool died = manager->starts > 1;
    if (!died) {
        manager_restart(manager, SIGKILL); /* it must not die of its fault while it ends */
    }
    cr_expect(!fixture_log_has(fixture, "it came back so"), "no tampering");
    manager_stop(manager);
    return died;
}

void sweep_faults(struct manager *manager, struct fixture *fixture, const char *settings, void (*work)(void),
                  unsigned points)
{
    unsigned point = 1;
    while (work_with_fault(manager, fixture, settings, work, point)) {
        point++;
    }
    cr_expect_gt(point, points, "the points are compiled in");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the first use of 256 MiB costs when it is leased from the broker, plain and prefaulted, in milliseconds. */
#include <membroker.h>

#include "tests/bench/first_touch.h"

struct lease_names {
    const char *granted, *touched, *released;
};

static void lease_measure(mb_client *client, int prefault, struct lease_names names)
{
    mb_lease *lease;
    void *memory;
    uint64_t bytes;
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    options.prefault = prefault;
    double start = clock_ms();
    if (mb_acquire(client, TOUCH_BYTES, &options, &lease) < 0)
        measure_fail("mb_acquire", mb_last_error());
    figure_print(names.granted, clock_ms() - start);
    start = clock_ms();
    if (mb_map(lease, 0, &memory, &bytes) < 0)
        measure_fail("mb_map", mb_last_error());
    pages_touch(memory);
    figure_print(names.touched, clock_ms() - start);
    start = clock_ms();
    if (mb_release(lease) < 0)
        measure_fail("mb_release", mb_last_error());
    figure_print(names.released, clock_ms() - start);
}

int main(void)
{
    mb_client *client;
    if (mb_connect(NULL, &client) < 0)
        measure_fail("mb_connect", mb_last_error());
    lease_measure(client, 0, (struct lease_names){"lease_grant", "lease_touch", "lease_release"});
    lease_measure(client, 1, (struct lease_names){"prefaulted_grant", "prefaulted_touch", "prefaulted_release"});
    mb_disconnect(client);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer loop on tracked buffers. */
#include <membroker.h>

#include "tests/bench/buffer_loop.h"

static mb_client *client;

static char *replace(unsigned slot, size_t bytes)
{
    static mb_buffer *live[LOOP_LIVE];
    live[slot] = mb_buffer_unref(live[slot]);
    if (mb_buffer_create(client, bytes, NULL, &live[slot]) < 0) {
        measure_fail("mb_buffer_create", mb_last_error());
    }
    return mb_buffer_data(live[slot]);
}

int main(void)
{
    if (mb_connect(NULL, &client) < 0) {
        measure_fail("mb_connect", mb_last_error());
    }
    loop_measure(replace);
    mb_disconnect(client);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer loop on tracked buffers; and what one costs that may not wait for the broker, as language bindings ask. */
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

static char *replace_without_waiting(unsigned slot, size_t bytes)
{
    static mb_buffer *live[LOOP_LIVE];
    mb_buffer_options options = MB_BUFFER_OPTIONS_INIT;
    options.flags = MB_BUFFER_NO_WAIT;
    live[slot] = mb_buffer_unref(live[slot]);
    if (mb_buffer_create(client, bytes, &options, &live[slot]) < 0 &&
        mb_buffer_create(client, bytes, NULL, &live[slot]) < 0) {
        measure_fail("mb_buffer_create", mb_last_error());
    }
    return mb_buffer_data(live[slot]);
}

/* They take turns. */
static void measure_no_wait(void)
{
    double samples[2][LOOP_SAMPLES];
    (void)loop_sample(64, LOOP_STEPS, replace_without_waiting);
    for (int s = 0; s < LOOP_SAMPLES; s++) {
        samples[0][s] = loop_sample(64, LOOP_STEPS, replace);
        samples[1][s] = loop_sample(64, LOOP_STEPS, replace_without_waiting);
    }
    values_sort(samples[0], LOOP_SAMPLES);
    values_sort(samples[1], LOOP_SAMPLES);
    figure_print("no_wait_ratio",
                 values_quantile(samples[1], LOOP_SAMPLES, 0.5) / values_quantile(samples[0], LOOP_SAMPLES, 0.5));
}

int main(void)
{
    if (mb_connect(NULL, &client) < 0) {
        measure_fail("mb_connect", mb_last_error());
    }
    loop_measure(replace);
    measure_no_wait();
    mb_disconnect(client);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer loop on the process's malloc: glibc's, or whichever one is preloaded. */
#include <stdlib.h>

#include "tests/bench/buffer_loop.h"

static char *replace(unsigned slot, size_t bytes)
{
    static char *live[LOOP_LIVE];
    free(live[slot]);
    live[slot] = malloc(bytes);
    if (!live[slot]) {
        measure_fail_errno("malloc");
    }
    return live[slot];
}

int main(void)
{
    loop_measure(replace);
    return 0;
}

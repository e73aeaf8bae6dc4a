/* SPDX-License-Identifier: Apache-2.0 */
/* How many memfds a second a process lends that does nothing else, to 64 threads with a connection each. */
#include <stdint.h>
#include <unistd.h>

#include "tests/bench/kernel_lender.h"
#include "tests/bench/measure.h"
#include "tests/bench/throughput.h"

enum { SECONDS = 2 };

static void borrow(void *context)
{
    int connection = *(int *)context;
    (void)close(lender_borrow(connection));
    lender_release(connection);
}

int main(void)
{
    int connections[THROUGHPUT_CLIENTS];
    void *contexts[THROUGHPUT_CLIENTS];
    struct lender lender = lender_start(THROUGHPUT_BYTES);
    for (int i = 0; i < THROUGHPUT_CLIENTS; i++) {
        connections[i] = lender_connect(&lender);
        contexts[i] = &connections[i];
    }
    double a_second = throughput_of(THROUGHPUT_CLIENTS, SECONDS, borrow, contexts);
    figure_print("a_second", a_second);
    figure_print("server_us", lender_stop(&lender) / (a_second * SECONDS));
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/throughput.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/bench/measure.h"

static atomic_bool is_ending;

struct borrower {
    pthread_t thread;
    void (*verb)(void *context);
    void *context;
    unsigned long calls;
};

static void *borrow(void *argument)
{
    struct borrower *self = argument;
    while (!is_ending) {
        self->verb(self->context);
        self->calls++;
    }
    return NULL;
}

double throughput_of(int threads, unsigned seconds, void (*verb)(void *context), void *const *contexts)
{
    static struct borrower borrowers[THROUGHPUT_CLIENTS];
    double calls = 0, begun = clock_ms();
    is_ending = false;
    for (int i = 0; i < threads; i++) {
        borrowers[i] = (struct borrower){.verb = verb, .context = contexts[i]};
        if (pthread_create(&borrowers[i].thread, NULL, borrow, &borrowers[i]) != 0)
            measure_fail("throughput", "no thread");
    }
    (void)sleep(seconds);
    is_ending = true;
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(borrowers[i].thread, NULL);
        calls += (double)borrowers[i].calls;
    }
    return calls / ((clock_ms() - begun) / 1000);
}

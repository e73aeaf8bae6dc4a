/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel alone asks for a connection with a hello that is answered with a memfd. Microseconds. */
#include <unistd.h>

#include "tests/bench/kernel_lender.h"
#include "tests/bench/measure.h"

static void connect_once(void *context)
{
    (void)close(lender_connect(context));
}

int main(void)
{
    struct lender lender = lender_start(1);
    rounds_measure("connect", connect_once, &lender);
    (void)lender_stop(&lender);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl ping */
#include <stdio.h>
#include <time.h>

#include "client/ctl/ctl.h"

static double microseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int ping_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_STATUS};
    const struct reply *reply;
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    int result = ctl_ask(options, &request, &reply); /* connects, and so the ping measures a round trip alone */
    if (result != CTL_DONE) {
        return result;
    }
    request = (struct request){.kind = REQUEST_PING};
    double start = microseconds();
    result = ctl_ask(options, &request, &reply);
    double took = microseconds() - start;
    if (result == CTL_DONE && options->json) {
        ctl_print_json(json_pack("{s:f}", "microseconds", took), true);
    } else if (result == CTL_DONE) {
        printf("the broker answered in %.0f microseconds\n", took);
    }
    return result;
}

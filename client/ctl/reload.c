/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl reload: ends when the configuration is in force, or says what is wrong with it. */
#include <stdio.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"

static int report(const struct ctl_options *options)
{
    struct request status = {.kind = REQUEST_STATUS};
    const struct reply *reply;
    int result = ctl_ask(options, &status, &reply);
    if (result == CTL_DONE && options->json) {
        return ctl_print(json_pack("{s:b,s:o}", "reloaded", true, "warnings", json_lines(reply->status.warnings)),
                         true);
    }
    if (result == CTL_DONE) {
        printf("the configuration is reloaded\n");
        print_warnings(reply->status.warnings);
    }
    return result;
}

int reload_main(const struct ctl_options *options, int argc, char **argv)
{
    struct request request = {.kind = REQUEST_RELOAD};
    const struct reply *reply;
    if (!ctl_takes(argc, argv, 0)) {
        return CTL_USAGE;
    }
    int result = ctl_ask(options, &request, &reply);
    return result == CTL_DONE ? report(options) : result;
}

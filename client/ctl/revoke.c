/* SPDX-License-Identifier: Apache-2.0 */
/* membrokerctl revoke LEASE */
#include <stdio.h>

#include "client/ctl/ctl.h"
#include "client/ctl/print.h"

int revoke_main(const struct ctl_options *options, int argc, char **argv)
{
    const struct reply *reply;
    uint64_t lease;
    if (argc < 2) {
        return ctl_usage("revoke needs a lease's number; `membrokerctl leases` lists them");
    }
    if (!ctl_takes(argc, argv, 1)) {
        return CTL_USAGE;
    }
    if (!ctl_is_number(argv[1], &lease)) {
        return ctl_usage("`%s` is not a lease's number; `membrokerctl leases` lists them", argv[1]);
    }
    struct request request = {.kind = REQUEST_REVOKE, .revoke_lease = lease};
    int result = ctl_ask(options, &request, &reply);
    if (result == CTL_DONE && options->json) {
        return ctl_print(json_pack("{s:b,s:I}", "revoked", true, "lease", (json_int_t)lease), true);
    }
    if (result == CTL_DONE) {
        printf("lease %llu is revoked\n", (unsigned long long)lease);
    }
    return result;
}

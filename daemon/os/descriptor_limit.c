/* SPDX-License-Identifier: Apache-2.0 */
/* RLIMIT_NOFILE: the default of 1024 would limit leases, without anyone having chosen it. */
#include "daemon/os/descriptor_limit.h"

#include <stdio.h>
#include <sys/resource.h>

enum { USUAL = 1024 };

static rlim_t kernel_maximum(void)
{
    unsigned long long maximum = 0;
    FILE *file = fopen("/proc/sys/fs/nr_open", "re");
    if (file) {
        if (fscanf(file, "%llu", &maximum) != 1) {
            maximum = 0;
        }
        (void)fclose(file);
    }
    return (rlim_t)maximum;
}

uint64_t descriptor_limit_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return USUAL;
    }
    rlim_t maximum = kernel_maximum();
    struct rlimit wanted = {.rlim_cur = maximum, .rlim_max = maximum};
    if (maximum > limit.rlim_max && setrlimit(RLIMIT_NOFILE, &wanted) == 0) {
        return maximum;
    }
    wanted = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &wanted) == 0 ? wanted.rlim_cur : limit.rlim_cur;
}

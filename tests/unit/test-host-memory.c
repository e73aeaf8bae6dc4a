/* SPDX-License-Identifier: Apache-2.0 */
/* What the host has: on trees of files that look like /proc and /sys. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/os/host_memory.h"

#define MIB UINT64_C(1048576)

static char root[64];

static void put(const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *out = fopen(full, "we");
    cr_assert(out, "%s", full);
    (void)fprintf(out, "%s", text);
    (void)fclose(out);
}

static void set_up(void)
{
    (void)strcpy(root, "/tmp/membroker-host-XXXXXX");
    cr_assert(mkdtemp(root));
    put("/proc/meminfo", "MemTotal:       1048576 kB\nMemFree:        1 kB\nMemAvailable:    524288 kB\n");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void tear_down(void)
{
    (void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(host, .init = set_up, .fini = tear_down);

static void expect(uint64_t total, uint64_t available)
{
    struct host_memory memory;
    cr_assert(host_memory_read(root, &memory) == 0);
    cr_expect_eq(memory.total_bytes, total, "total %llu", (unsigned long long)memory.total_bytes);
    cr_expect_eq(memory.available_bytes, available, "available %llu", (unsigned long long)memory.available_bytes);
}

Test(host, without_cgroups_the_machines_memory_counts)
{
    expect(1024 * MIB, 512 * MIB);
}

Test(host, a_cgroup_v2_limit_of_any_ancestor_counts)
{
    put("/proc/self/cgroup", "0::/user/job\n");
    put("/proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/user/job/memory.max", "max\n");
    put("/sys/fs/cgroup/user/memory.max", "268435456\n");
    put("/sys/fs/cgroup/user/memory.current", "104857600\n");
    put("/sys/fs/cgroup/user/memory.stat", "anon 1\ninactive_file 10485760\nactive_file 5\n");
    expect(256 * MIB, (256 - 100 + 10) * MIB);
}

Test(host, a_cgroup_v1_limit_counts_and_its_maximum_means_no_limit)
{
    put("/proc/self/cgroup", "4:memory:/job\n2:cpu:/\n0::/\n");
    put("/proc/self/mountinfo", "29 20 0:25 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                                "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "134217728\n");
    put("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "134217728\n");
    put("/sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 0\n");
    expect(128 * MIB, 0);
    put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
    expect(1024 * MIB, 512 * MIB);
}

Test(host, in_a_container_the_mounted_subtree_is_the_root)
{
    put("/proc/self/cgroup", "0::/machine/box/inner\n");
    put("/proc/self/mountinfo", "30 20 0:26 /machine/box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/inner/memory.max", "67108864\n");
    put("/sys/fs/cgroup/inner/memory.current", "1048576\n");
    expect(64 * MIB, 63 * MIB);
}

Test(host, a_limit_above_the_machines_memory_changes_nothing)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/memory.max", "109951162777600\n");
    put("/sys/fs/cgroup/memory.current", "1048576\n");
    expect(1024 * MIB, 512 * MIB);
}

Test(host, no_meminfo_is_an_error)
{
    struct host_memory memory;
    cr_expect_eq(host_memory_read("/nonexistent", &memory), -ENOENT);
}

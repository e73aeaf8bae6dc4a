/* SPDX-License-Identifier: Apache-2.0 */
/* Leases so many MiB, writes to every page, keeps them until a file appears, and then says whether it still has them,
 * and what it wrote. Usage: keep MIB FILE [TTL_MS] */
#include <membroker.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATTERN = 0x5a, MEBIBYTE = 1 << 20 };

static bool has_pattern(const unsigned char *data, uint64_t bytes)
{
    return data[0] == PATTERN && memcmp(data, data + 1, bytes - 1) == 0;
}

static void say(const char *what)
{
    (void)puts(what);
    (void)fflush(stdout);
}

static int keep(uint64_t bytes, const char *file, uint32_t ttl_ms)
{
    mb_lease_options options = MB_LEASE_OPTIONS_INIT;
    mb_client *client = NULL;
    mb_lease *lease = NULL;
    void *data;
    options.ttl_ms = ttl_ms;
    if (mb_connect(NULL, &client) < 0 || mb_acquire(client, bytes, &options, &lease) < 0 ||
        mb_map(lease, 0, &data, NULL) < 0) {
        return -1;
    }
    memset(data, PATTERN, bytes);
    say("touched");
    while (access(file, F_OK) < 0) {
        (void)usleep(50000);
    }
    bool is_whole = has_pattern(data, bytes);
    if (mb_lease_check(lease) < 0) {
        return -1;
    }
    say(is_whole ? "held" : "the content is lost");
    return mb_release(lease) == 0 && is_whole ? 0 : -1;
}

int main(int argc, char **argv)
{
    uint64_t bytes = argc > 2 ? strtoull(argv[1], NULL, 10) * MEBIBYTE : 0;
    if (bytes == 0) {
        (void)fprintf(stderr, "usage: keep MIB FILE [TTL_MS]\n");
        return 2;
    }
    if (keep(bytes, argv[2], argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0) < 0) {
        (void)fprintf(stderr, "keep: %s\n", mb_last_error());
        return 1;
    }
    return 0;
}

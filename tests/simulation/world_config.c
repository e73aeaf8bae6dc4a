/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's configuration, drawn from the seed, and its directory. */
#include "tests/simulation/world_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

static void write_config(FILE *file, const char *directory, uint64_t seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    (void)fprintf(file,
                  "[server]\nsocket = %s/socket\n[mapped]\ndirectory = %s/spill\n[limits]\nmax_physical_bytes = %dM\n"
                  "max_mapped_bytes = %dM\n[pressure]\nsome = 0\nfull = 0\n[leases]\nreconnect_grace = %dms\n"
                  "learned_sizes = %s/learned\n[clients]\nmax_messages = 1000000\nmax_messages_per_user = 1000000\n",
                  directory, directory, WORLD_RAM_MIB, WORLD_FILES_MIB, WORLD_GRACE_MS, directory);
    (void)fprintf(file, "[reservations]\nmax_bytes = %dM\nhold_while_frozen = %dms\n", WORLD_RESERVED_MIB,
                  WORLD_HOLD_MS);
    (void)fprintf(file, "[sharing]\ngrace = %dms\n", WORLD_SHARING_GRACE_MS);
    (void)fprintf(file, "[queue]\nageing = 5s\ntrim_time = 200ms\nrevoke_for_priority = %s\nrevoke_grace = 3s\n",
                  random_below(&state, 2) ? "yes" : "no");
    if (random_below(&state, 3) == 0) {
        (void)fprintf(file, "[pool]\npool_bytes = 16M\nsizes = 2M\n");
    }
    for (int i = 0; i < WORLD_CLASSES; i++) {
        (void)fprintf(file, "[class c%d]\nclients = %d\nweight = %d\npriority = %d\nreserve_bytes = %dM\n", i, i,
                      1 + (int)random_below(&state, 4), (int)random_below(&state, 4), world_class_reserve_mib(seed, i));
    }
}

struct config *world_config(uint64_t seed)
{
    char directory[] = "/tmp/membroker-simulation-XXXXXX", path[64], *error = NULL;
    struct config *config = NULL;
    cr_assert(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/config", directory);
    FILE *file = fopen(path, "we");
    cr_assert(file);
    write_config(file, directory, seed);
    (void)fclose(file);
    const struct config_options options = {path, NULL, UINT64_C(1) << 34, false};
    cr_assert(config_load(&options, &config, &error) == 0, "%s", error);
    (void)unlink(path);
    return config;
}

void world_config_remove(const char *socket)
{
    char path[128], directory[96];
    (void)snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(socket, '/') - socket), socket);
    static const char *const names[] = {"socket", "socket.lock", "socket.reservations", "learned", "spill"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)remove(path);
    }
    cr_assert(rmdir(directory) == 0, "%s is not empty", directory);
}

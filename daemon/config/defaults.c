/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/defaults.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/state_path.h"
#include "proto/base/size.h"

/* Where the service manager says; else as root in the system's directories, else in the user's own. */
static char *default_socket(void)
{
    char *path = NULL;
    const char *service = getenv("RUNTIME_DIRECTORY");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *environment = getenv("MEMBROKER_SOCKET");
    if (service && *service == '/') {
        return asprintf(&path, "%s/membroker.sock", service) < 0 ? NULL : path;
    }
    if (geteuid() == 0) {
        return strdup("/run/membroker/membroker.sock");
    }
    if (runtime && *runtime == '/') {
        return asprintf(&path, "%s/membroker/membroker.sock", runtime) < 0 ? NULL : path;
    }
    return environment && *environment == '/' ? strdup(environment) : NULL;
}

static char *default_spill_directory(void)
{
    char *path = NULL;
    const char *service = getenv("CACHE_DIRECTORY");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (service && *service == '/') {
        return strdup(service);
    }
    if (geteuid() == 0) {
        return strdup("/var/cache/membroker");
    }
    if (cache && *cache == '/') {
        return asprintf(&path, "%s/membroker", cache) < 0 ? NULL : path;
    }
    return home && *home == '/' && asprintf(&path, "%s/.cache/membroker", home) >= 0 ? path : NULL;
}

int defaults_take_paths(struct config_draft *draft)
{
    struct config *config = draft->config;
    if (!config->socket && !(config->socket = default_socket())) {
        return draft_fail_setting(
            draft, SETTING_SOCKET,
            "XDG_RUNTIME_DIR is not set, so this user has no default socket; name one with --socket");
    }
    if (!config->spill_directory && !(config->spill_directory = default_spill_directory())) {
        return draft_fail_setting(draft, SETTING_DIRECTORY,
                                  "HOME and XDG_CACHE_HOME are not set, so this user has no default place; set it");
    }
    if (!config->learned_file) {
        config->learned_file = state_path("learned-sizes");
    }
    return 0;
}

void defaults_take_limits(struct config_draft *draft, uint64_t spill_free_bytes)
{
    struct config *config = draft->config;
    struct byte_limits *limits = &config->broker.limits;
    struct queue_settings *queue = &config->broker.queue;
    if (!draft_has(draft, SETTING_MAX_MAPPED_BYTES)) {
        limits->max_mapped_bytes = spill_free_bytes / 2;
    }
    if (!draft_has(draft, SETTING_MAX_PHYSICAL_BYTES)) {
        limits->max_physical_bytes = size_multiply_saturated(config->heap_bytes, 2);
    }
    if (!draft_has(draft, SETTING_MAX_BYTES)) {
        limits->max_bytes = size_add_saturated(limits->max_physical_bytes, limits->max_mapped_bytes);
    }
    if (!draft_has(draft, SETTING_MAX_WAITING_PER_USER)) {
        queue->waiting_per_user_max = (queue->waiting_max + 3) / 4;
    }
}

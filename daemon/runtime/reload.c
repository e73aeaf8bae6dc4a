/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the configuration again: all of it is good and what can change does, or nothing changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/os/service_manager.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

static void log_lines(char *text)
{
    char *rest = text;
    char *line;
    while ((line = strsep(&rest, "\n"))) {
        if (*line) {
            log_warning("%s", line);
        }
    }
}

static void say_what_stays(const struct server *server, const struct config *loaded)
{
    cleanup(freep) char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return;
    }
    (void)config_fixed_differences(server->config, loaded, out);
    (void)fclose(out);
    log_lines(text);
}

void server_reload(struct server *server)
{
    struct config_options options = {
        .file = server->config_file,
        .socket = server->socket_option,
        .host_total_bytes = server->host.total_bytes,
    };
    struct config *loaded;
    cleanup(freep) char *error = NULL;
    service_manager_reloading();
    if (config_load(&options, &loaded, &error) < 0) {
        log_error("not reloaded, the settings stay as they are: %s", error);
        service_manager_ready("ready; the last reload failed, see the log");
        return;
    }
    say_what_stays(server, loaded);
    config_adopt(server->config, loaded);
    struct input configure = {.kind = INPUT_CONFIGURE, .settings = config_broker_settings(server->config)};
    server_feed(server, &configure);
    const struct log_about about = {.event = LOG_EVENT_RELOADED};
    log_line(LOG_LEVEL_INFO, &about, "configuration reloaded");
    service_manager_ready("ready");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/config_print.h"

#include <string.h>

#include "daemon/config/quotas.h"
#include "daemon/config/settings.h"
#include "proto/base/size.h"

void config_print(const struct config *config, FILE *out)
{
    const char *section = "";
    for (int id = 0; id < SETTINGS; id++) {
        if (strcmp(section, settings[id].section) != 0) {
            (void)fprintf(out, "%s[%s]\n", *section ? "\n" : "", settings[id].section);
            section = settings[id].section;
        }
        bool is_absent = !setting_is_set(&settings[id], config);
        (void)fprintf(out, "%s%s = ", is_absent ? "# " : "", settings[id].key);
        if (!is_absent) {
            setting_print(&settings[id], config, out);
        }
        (void)fprintf(out, "\n");
    }
    quotas_print(&config->policy, out);
}

size_t config_fixed_differences(const struct config *in_force, const struct config *loaded, FILE *out)
{
    size_t count = 0;
    for (int id = 0; id < SETTINGS; id++) {
        if (!settings[id].is_reloadable && setting_differs(&settings[id], in_force, loaded)) {
            (void)fprintf(out, "[%s] %s can't change while the daemon runs: restart it for that\n",
                          settings[id].section, settings[id].key);
            count++;
        }
    }
    return count;
}

size_t config_notes(const struct config *config, FILE *out)
{
    static const char *const directives[CONFIG_SOCKET_SETTINGS] = {[SETTING_SOCKET] = "ListenSequentialPacket=",
                                                                   [SETTING_SOCKET_MODE] = "SocketMode=",
                                                                   [SETTING_SOCKET_GROUP] = "SocketGroup="};
    size_t count = 0;
    for (size_t id = 0; id < CONFIG_SOCKET_SETTINGS; id++) {
        if (config->socket_said[id]) {
            (void)fprintf(out,
                          "membrokerd: note: [server] %s applies only if the daemon creates the socket itself; "
                          "membroker.socket has %s instead (systemctl edit membroker.socket)\n",
                          settings[id].key, directives[id]);
            count++;
        }
    }
    return count;
}

static bool exceeds_host(const struct config *config)
{
    uint64_t physical = config->broker.limits.max_physical_bytes;
    return physical != LIMIT_OFF && physical > config->host_total_bytes;
}

size_t config_warnings(const struct config *config, const char *before, FILE *out)
{
    char limit[SIZE_TEXT_BYTES], host[SIZE_TEXT_BYTES];
    size_t count = 0;
    if (exceeds_host(config)) {
        (void)fprintf(out,
                      "%s[limits] max_physical_bytes is %s, but the host (or its cgroup) has %s: grants will stop at "
                      "what is available\n",
                      before, size_to_text(config->broker.limits.max_physical_bytes, limit),
                      size_to_text(config->host_total_bytes, host));
        count++;
    }
    for (const char *line = config->doubts; line && *line; line = strchr(line, '\n') + 1) {
        (void)fprintf(out, "%s%.*s\n", before, (int)strcspn(line, "\n"), line);
        count++;
    }
    return count;
}

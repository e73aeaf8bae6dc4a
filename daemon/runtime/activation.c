/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing the socket with the configuration. */
#include "daemon/runtime/activation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/config/settings.h"
#include "daemon/runtime/log.h"

__attribute__((format(printf, 2, 3))) static void note(FILE *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log_warning("%s", line);
    (void)fprintf(out, "%s\n", line);
}

static void note_mode(const struct config *config, const char *path, const struct stat *status, FILE *out)
{
    if (config->socket_said[SETTING_SOCKET_MODE] && (status->st_mode & 0777) != config->socket_mode) {
        note(out,
             "[server] socket_mode = %04o has no effect: the service manager made %s with mode %04o; set SocketMode= "
             "(systemctl edit membroker.socket)",
             config->socket_mode, path, status->st_mode & 0777);
    }
    if (config->socket_said[SETTING_SOCKET_GROUP] && status->st_gid != config->socket_group.gid) {
        note(out,
             "[server] socket_group = %s has no effect: the service manager gave %s to group %u; set SocketGroup= "
             "(systemctl edit membroker.socket)",
             config->socket_group.name, path, status->st_gid);
    }
}

static void compare(const struct config *config, const char *path, FILE *out)
{
    struct stat status;
    if (config->socket_said[SETTING_SOCKET] && strcmp(config->socket, path) != 0) {
        note(out,
             "[server] socket = %s has no effect: the service manager made the socket %s; set ListenSequentialPacket= "
             "(systemctl edit membroker.socket)",
             config->socket, path);
    }
    if (path[0] != '/') {
        return; /* an abstract one has no file */
    }
    if (stat(path, &status) == 0) {
        note_mode(config, path, &status, out);
    } else if (errno == ENOENT) {
        note(out,
             "the socket's file %s is gone, so no client can connect; `systemctl restart membroker.socket` brings it "
             "back, and costs no lease",
             path);
    }
}

char *activation_check(const struct config *config, const char *path)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out) {
        compare(config, path, out);
        (void)fclose(out);
    }
    return text;
}

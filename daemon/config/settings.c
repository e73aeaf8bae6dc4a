/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: their table, and their values as text. */
#include "daemon/config/settings.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "proto/base/cleanup.h"
#include "proto/base/size.h"

#define AT(field) offsetof(struct config, field)

const struct setting settings[SETTINGS] = {
    [SETTING_SOCKET] = {"server", "socket", KIND_PATH, AT(socket), false},
    [SETTING_SOCKET_MODE] = {"server", "socket_mode", KIND_MODE, AT(socket_mode), false},
    [SETTING_SOCKET_GROUP] = {"server", "socket_group", KIND_GROUP, AT(socket_group_name), false},
    [SETTING_HEAP_BYTES] = {"limits", "heap_bytes", KIND_SIZE, AT(heap_bytes), true},
    [SETTING_MAX_BYTES] = {"limits", "max_bytes", KIND_SIZE, AT(limits.max_bytes), true},
    [SETTING_MAX_PHYSICAL_BYTES] = {"limits", "max_physical_bytes", KIND_SIZE, AT(limits.max_physical_bytes), true},
    [SETTING_MAX_MAPPED_BYTES] = {"limits", "max_mapped_bytes", KIND_SIZE, AT(limits.max_mapped_bytes), true},
    [SETTING_DIRECTORY] = {"mapped", "directory", KIND_PATH, AT(spill_directory), false},
    [SETTING_FILES] = {"mapped", "files", KIND_PATH, AT(files_directory), false},
    [SETTING_DEFAULT_TTL] = {"leases", "default_ttl", KIND_DURATION, AT(times.ttl_default_ms), true},
    [SETTING_MIN_TTL] = {"leases", "min_ttl", KIND_DURATION, AT(times.ttl_min_ms), true},
    [SETTING_MAX_TTL] = {"leases", "max_ttl", KIND_DURATION, AT(times.ttl_max_ms), true},
    [SETTING_RECONNECT_GRACE] = {"leases", "reconnect_grace", KIND_DURATION, AT(times.reconnect_grace_ms), true},
};

int draft_fail(struct config_draft *draft, const char *file, int line, const struct setting *setting,
               const char *format, ...)
{
    cleanup(freep) char *what = NULL;
    va_list arguments;
    if (draft->error) {
        return -EINVAL;
    }
    va_start(arguments, format);
    int length = vasprintf(&what, format, arguments);
    va_end(arguments);
    if (length < 0) {
        what = NULL;
        return -ENOMEM;
    }
    char line_text[16] = "", key[64] = "";
    if (line > 0) {
        (void)snprintf(line_text, sizeof line_text, ":%d", line);
    }
    if (setting) {
        (void)snprintf(key, sizeof key, "[%s] %s: ", setting->section, setting->key);
    }
    if (asprintf(&draft->error, "%s%s%s%s%s", file ? file : "", line_text, file ? ": " : "", key, what) < 0) {
        draft->error = NULL;
        return -ENOMEM;
    }
    return -EINVAL;
}

static void *value_of(struct config *config, enum setting_id id)
{
    return (char *)config + settings[id].offset;
}

static const void *const_value_of(const struct config *config, enum setting_id id)
{
    return (const char *)config + settings[id].offset;
}

/* ---- parsing; each returns what is wrong, or NULL ---- */

static const char *parse_path(const char *text, char **ret)
{
    if (*text != '/') {
        return "an absolute path is expected";
    }
    char *copy = strdup(text);
    if (!copy) {
        return "out of memory";
    }
    free(*ret);
    *ret = copy;
    return NULL;
}

static const char *parse_mode(const char *text, mode_t *ret)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);
    if (*text < '0' || *text > '7' || *end || mode > 0777) {
        return "an octal mode of at most 0777 is expected, such as 0660";
    }
    *ret = (mode_t)mode;
    return NULL;
}

static const char *parse_group(struct config *config, const char *text)
{
    const struct group *group = getgrnam(text);
    if (!group) {
        return "there is no such group; create it, or name one that exists";
    }
    char *copy = strdup(text);
    if (!copy) {
        return "out of memory";
    }
    free(config->socket_group_name);
    config->socket_group_name = copy;
    config->socket_group = group->gr_gid;
    return NULL;
}

static const char *parse_size(const char *text, uint64_t whole, uint64_t *ret)
{
    int result = size_from_text(text, whole, ret);
    if (result == -ERANGE) {
        return "it is too large for 64 bits";
    }
    if (result < 0) {
        return "a size is expected, such as 512M, 8G, 25% (of memory), or 0 or unlimited for none";
    }
    if (*ret == 0) {
        *ret = LIMIT_OFF;
    }
    return NULL;
}

static const char *parse_duration(const char *text, uint32_t *ret)
{
    uint64_t milliseconds;
    if (duration_from_text(text, &milliseconds) < 0) {
        return "a duration with its unit is expected, such as 500ms, 30s, 5min or 2h";
    }
    if (milliseconds == 0 || milliseconds > INT32_MAX) {
        return "a duration of at least 1ms and at most 24 days is expected";
    }
    *ret = (uint32_t)milliseconds;
    return NULL;
}

static const char *parse_kind(struct config *config, enum setting_id id, const char *text)
{
    switch (settings[id].kind) {
    case KIND_PATH:
        return parse_path(text, value_of(config, id));
    case KIND_MODE:
        return parse_mode(text, value_of(config, id));
    case KIND_GROUP:
        return parse_group(config, text);
    case KIND_SIZE:
        return parse_size(text, config->host_total_bytes, value_of(config, id));
    case KIND_DURATION:
        return parse_duration(text, value_of(config, id));
    }
    return "unknown kind";
}

static int remember_origin(struct config_draft *draft, enum setting_id id, const char *file, int line)
{
    struct setting_origin *origin = &draft->origins[id];
    char *copy = strdup(file);
    if (!copy) {
        return draft_fail(draft, file, line, &settings[id], "out of memory");
    }
    free(origin->file);
    origin->file = copy;
    origin->line = line;
    return 0;
}

int setting_parse(struct config_draft *draft, enum setting_id id, const char *file, int line, const char *text)
{
    const char *wrong = parse_kind(draft->config, id, text);
    if (!wrong && id == SETTING_SOCKET && strlen(text) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        wrong = "a socket's path must be shorter than 108 bytes";
    }
    if (wrong) {
        return draft_fail(draft, file, line, &settings[id], "\"%s\": %s", text, wrong);
    }
    return remember_origin(draft, id, file, line);
}

/* ---- printing ---- */

static void print_size(uint64_t bytes, FILE *out)
{
    if (bytes == LIMIT_OFF) {
        (void)fprintf(out, "unlimited");
    } else {
        (void)fprintf(out, "%" PRIu64, bytes);
    }
}

void setting_print(const struct config *config, enum setting_id id, FILE *out)
{
    const void *value = const_value_of(config, id);
    switch (settings[id].kind) {
    case KIND_PATH:
    case KIND_GROUP:
        (void)fprintf(out, "%s", *(char *const *)value);
        break;
    case KIND_MODE:
        (void)fprintf(out, "%04o", (unsigned)*(const mode_t *)value);
        break;
    case KIND_SIZE:
        print_size(*(const uint64_t *)value, out);
        break;
    case KIND_DURATION:
        (void)fprintf(out, "%" PRIu32 "ms", *(const uint32_t *)value);
        break;
    }
}

static bool texts_differ(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") != 0;
}

bool setting_differs(enum setting_id id, const struct config *a, const struct config *b)
{
    const void *left = const_value_of(a, id), *right = const_value_of(b, id);
    switch (settings[id].kind) {
    case KIND_PATH:
    case KIND_GROUP:
        return texts_differ(*(char *const *)left, *(char *const *)right);
    case KIND_MODE:
        return *(const mode_t *)left != *(const mode_t *)right;
    case KIND_SIZE:
        return *(const uint64_t *)left != *(const uint64_t *)right;
    case KIND_DURATION:
        return *(const uint32_t *)left != *(const uint32_t *)right;
    }
    return false;
}

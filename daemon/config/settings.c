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

#include "daemon/config/config_line.h"
#include "daemon/config/ids.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

enum { WAITING_MOST = 4096 }; /* the queue is looked at as a whole, and that must stay short */

#define AT(field) offsetof(struct config, field)

const struct setting settings[SETTINGS] = {
    [SETTING_SOCKET] = {"server", "socket", KIND_PATH, AT(socket), false},
    [SETTING_SOCKET_MODE] = {"server", "socket_mode", KIND_MODE, AT(socket_mode), false},
    [SETTING_SOCKET_GROUP] = {"server", "socket_group", KIND_GROUP, AT(socket_group_name), false},
    [SETTING_HEAP_BYTES] = {"limits", "heap_bytes", KIND_SIZE, AT(heap_bytes), true},
    [SETTING_MAX_BYTES] = {"limits", "max_bytes", KIND_LIMIT, AT(limits.max_bytes), true},
    [SETTING_MAX_PHYSICAL_BYTES] = {"limits", "max_physical_bytes", KIND_LIMIT, AT(limits.max_physical_bytes), true},
    [SETTING_MAX_MAPPED_BYTES] = {"limits", "max_mapped_bytes", KIND_LIMIT, AT(limits.max_mapped_bytes), true},
    [SETTING_DIRECTORY] = {"mapped", "directory", KIND_PATH, AT(spill_directory), false},
    [SETTING_FILES] = {"mapped", "files", KIND_PATH, AT(files_directory), false},
    [SETTING_DEFAULT_TTL] = {"leases", "default_ttl", KIND_DURATION, AT(times.ttl_default_ms), true},
    [SETTING_MIN_TTL] = {"leases", "min_ttl", KIND_DURATION, AT(times.ttl_min_ms), true},
    [SETTING_MAX_TTL] = {"leases", "max_ttl", KIND_DURATION, AT(times.ttl_max_ms), true},
    [SETTING_RECONNECT_GRACE] = {"leases", "reconnect_grace", KIND_DURATION, AT(times.reconnect_grace_ms), true},
    [SETTING_LEARNED_FILE] = {"leases", "learned_sizes", KIND_PATH, AT(learned_file), false},
    [SETTING_MAX_WAITING] = {"queue", "max_waiting", KIND_COUNT, AT(queue.waiting_max), true},
    [SETTING_MAX_WAITING_PER_USER] = {"queue", "max_waiting_per_user", KIND_COUNT, AT(queue.waiting_per_user_max),
                                      true},
    [SETTING_MAX_WAITING_PER_SESSION] = {"queue", "max_waiting_per_session", KIND_COUNT,
                                         AT(queue.waiting_per_session_max), true},
    [SETTING_MAX_WAIT] = {"queue", "max_wait", KIND_DURATION, AT(queue.wait_max_ms), true},
    [SETTING_AGEING] = {"queue", "ageing", KIND_DURATION_OR_0, AT(queue.ageing_ms), true},
    [SETTING_TRIM_TIME] = {"queue", "trim_time", KIND_DURATION_OR_0, AT(queue.trim_ms), true},
    [SETTING_REVOKE_FOR_PRIORITY] = {"queue", "revoke_for_priority", KIND_FLAG, AT(queue.revoke_for_priority), true},
    [SETTING_REVOKE_GRACE] = {"queue", "revoke_grace", KIND_DURATION, AT(queue.revoke_grace_ms), true},
    [SETTING_POOL_BYTES] = {"pool", "pool_bytes", KIND_SIZE, AT(pool.bytes), true},
    [SETTING_POOL_SIZES] = {"pool", "sizes", KIND_SIZES, AT(pool), true},
    [SETTING_PRESSURE_SOME] = {"pressure", "some", KIND_PERCENT, AT(pressure_some), false},
    [SETTING_PRESSURE_FULL] = {"pressure", "full", KIND_PERCENT, AT(pressure_full), false},
    [SETTING_PAUSE_RAM_AT] = {"pressure", "pause_ram_at", KIND_PRESSURE, AT(pause_ram_at), true},
    [SETTING_ALLOW_USERS] = {"access", "allow_users", KIND_USERS, AT(policy.access.allow_users), true},
    [SETTING_ALLOW_GROUPS] = {"access", "allow_groups", KIND_GROUPS, AT(policy.access.allow_groups), true},
    [SETTING_DENY_USERS] = {"access", "deny_users", KIND_USERS, AT(policy.access.deny_users), true},
    [SETTING_DENY_GROUPS] = {"access", "deny_groups", KIND_GROUPS, AT(policy.access.deny_groups), true},
    [SETTING_ADMIN_USERS] = {"access", "admin_users", KIND_USERS, AT(policy.access.admin_users), true},
    [SETTING_ADMIN_GROUPS] = {"access", "admin_groups", KIND_GROUPS, AT(policy.access.admin_groups), true},
    [SETTING_SEE_ALL] = {"access", "see_all", KIND_FLAG, AT(policy.access.see_all), true},
    [SETTING_HANDSHAKE_TIME] = {"clients", "handshake_time", KIND_DURATION, AT(clients.handshake_ms), true},
    [SETTING_MAX_CONNECTIONS] = {"clients", "max_connections", KIND_NUMBER, AT(clients.connections_max), true},
    [SETTING_MAX_SESSIONS_PER_USER] = {"clients", "max_sessions_per_user", KIND_NUMBER, AT(user_sessions_max), true},
    [SETTING_MAX_REQUESTS] = {"clients", "max_requests", KIND_COUNT, AT(requests_max), true},
    [SETTING_MAX_REQUESTS_PER_USER] = {"clients", "max_requests_per_user", KIND_NUMBER, AT(user_requests_max), true},
    [SETTING_MAX_MESSAGES] = {"clients", "max_messages", KIND_NUMBER, AT(clients.messages_max), true},
    [SETTING_MAX_MESSAGES_PER_USER] = {"clients", "max_messages_per_user", KIND_NUMBER, AT(clients.user_messages_max),
                                       true},
    [SETTING_MAX_UNREAD] = {"clients", "max_unread", KIND_SIZE, AT(clients.unread_bytes_max), true},
    [SETTING_MAX_CONTROL_BYTES] = {"clients", "max_control_bytes", KIND_SIZE, AT(clients.control.bytes_max), true},
    [SETTING_MAX_CONTROL_BYTES_PER_USER] = {"clients", "max_control_bytes_per_user", KIND_SIZE,
                                            AT(clients.control.user_bytes_max), true},
    [SETTING_MAX_UNREAD_PER_USER] = {"clients", "max_unread_per_user", KIND_SIZE, AT(clients.user_unread_bytes_max),
                                     true},
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

void draft_begin_file(struct config_draft *draft)
{
    memset(draft->seen, 0, sizeof draft->seen);
}

bool draft_has(const struct config_draft *draft, enum setting_id id)
{
    return draft->origins[id].file != NULL;
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
        return "a size is expected, such as 512M, 8G, 25% (of memory), or unlimited";
    }
    if (*ret == 0) {
        *ret = LIMIT_OFF;
    }
    return NULL;
}

const char *limit_from_text(const char *text, uint64_t whole, uint64_t *ret)
{
    if (strcmp(text, "nothing") == 0) {
        *ret = 0;
        return NULL;
    }
    return parse_size(text, whole, ret);
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

static const char *parse_duration_or_0(const char *text, uint32_t *ret)
{
    uint64_t milliseconds;
    if (strcmp(text, "0") == 0 || (duration_from_text(text, &milliseconds) == 0 && milliseconds == 0)) {
        *ret = 0;
        return NULL;
    }
    return parse_duration(text, ret);
}

static const char *parse_count(const char *text, uint32_t *ret)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || count < 1 || count > WAITING_MOST) {
        return "a number from 1 to 4096 is expected";
    }
    *ret = (uint32_t)count;
    return NULL;
}

static const char *parse_large_number(const char *text, uint32_t *ret)
{
    return number_from_text(text, 1000000, ret) && *ret > 0 ? NULL : "a number from 1 to 1000000 is expected";
}

static const char *parse_flag(const char *text, bool *ret)
{
    *ret = strcmp(text, "yes") == 0;
    return *ret || strcmp(text, "no") == 0 ? NULL : "yes or no is expected";
}

static const char *parse_percent(const char *text, uint32_t *ret)
{
    char *end;
    unsigned long percent = strtoul(text, &end, 10);
    bool is_off = percent == 0 && *end == '\0';
    if (*text < '0' || *text > '9' || percent > 99 || (strcmp(end, "%") != 0 && !is_off)) {
        return "a part of the time from 1% to 99% is expected, or 0 not to look";
    }
    *ret = (uint32_t)percent;
    return NULL;
}

static const char *const pressure_names[] = {"never", "some", "full"};

static const char *parse_pressure(const char *text, enum pressure *ret)
{
    for (size_t i = 0; i < sizeof pressure_names / sizeof *pressure_names; i++) {
        if (strcmp(text, pressure_names[i]) == 0) {
            *ret = (enum pressure)i;
            return NULL;
        }
    }
    return "never, some or full is expected";
}

static const char *parse_sizes(const char *text, uint64_t whole, struct pool_settings *pool)
{
    char copy[512], *rest = copy;
    const char *word;
    text_copy(copy, sizeof copy, text);
    pool->size_count = 0;
    while ((word = strsep(&rest, " \t,"))) {
        if (!*word) {
            continue;
        }
        if (pool->size_count == POOL_SIZES_MAX) {
            return "at most 16 sizes can be kept ready";
        }
        if (size_from_text(word, whole, &pool->sizes[pool->size_count]) < 0 || !pool->sizes[pool->size_count]) {
            return "sizes are expected, such as 1M 64M 1G";
        }
        pool->size_count++;
    }
    return NULL;
}

static const char *parse_kind(struct config *config, enum setting_id id, const char *text, char *wrong)
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
    case KIND_LIMIT:
        return limit_from_text(text, config->host_total_bytes, value_of(config, id));
    case KIND_DURATION:
        return parse_duration(text, value_of(config, id));
    case KIND_DURATION_OR_0:
        return parse_duration_or_0(text, value_of(config, id));
    case KIND_COUNT:
        return parse_count(text, value_of(config, id));
    case KIND_FLAG:
        return parse_flag(text, value_of(config, id));
    case KIND_SIZES:
        return parse_sizes(text, config->host_total_bytes, value_of(config, id));
    case KIND_PERCENT:
        return parse_percent(text, value_of(config, id));
    case KIND_PRESSURE:
        return parse_pressure(text, value_of(config, id));
    case KIND_NUMBER:
        return parse_large_number(text, value_of(config, id));
    case KIND_USERS:
        return users_from_text(text, value_of(config, id), wrong);
    case KIND_GROUPS:
        return groups_from_text(text, value_of(config, id), wrong);
    }
    return "unknown kind";
}

int draft_remember(struct config_draft *draft, struct setting_origin *origin, const char *file, int line)
{
    char *copy = strdup(file);
    if (!copy) {
        return draft_fail(draft, file, line, NULL, "out of memory");
    }
    free(origin->file);
    origin->file = copy;
    origin->line = line;
    return 0;
}

int setting_parse(struct config_draft *draft, enum setting_id id, const char *file, int line, const char *text)
{
    char sentence[IDS_WRONG_BYTES];
    const char *wrong = parse_kind(draft->config, id, text, sentence);
    if (!wrong && id == SETTING_POOL_BYTES && draft->config->pool.bytes == LIMIT_OFF) {
        draft->config->pool.bytes = 0; /* 0 is no pool */
        wrong = strcmp(text, "unlimited") == 0 ? "a pool has a size; 0 is none" : NULL;
    }
    if (!wrong && id == SETTING_SOCKET && strlen(text) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        wrong = "a socket's path must be shorter than 108 bytes";
    }
    if (wrong) {
        return draft_fail(draft, file, line, &settings[id], "\"%s\": %s", text, wrong);
    }
    return draft_remember(draft, &draft->origins[id], file, line);
}

/* ---- printing ---- */

void size_print(uint64_t bytes, FILE *out)
{
    char exact[SIZE_TEXT_BYTES], about[SIZE_TEXT_BYTES];
    (void)fputs(size_to_exact_text(bytes, exact), out);
    if (strspn(exact, "0123456789") > 4) {
        (void)fprintf(out, " # %s", size_to_text(bytes, about));
    }
}

void limit_print(uint64_t bytes, FILE *out)
{
    if (bytes == 0) {
        (void)fputs("nothing", out); /* 0 would be read as no limit */
    } else {
        size_print(bytes, out);
    }
}

static void print_duration(uint32_t milliseconds, FILE *out)
{
    char text[SIZE_TEXT_BYTES];
    (void)fputs(duration_to_exact_text(milliseconds, text), out);
}

static void print_ids(const struct access_list *list, FILE *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        (void)fprintf(out, "%s%" PRIu32, i ? " " : "", list->ids[i]);
    }
}

static void print_sizes(const struct pool_settings *pool, FILE *out)
{
    for (size_t i = 0; i < pool->size_count; i++) {
        char text[SIZE_TEXT_BYTES];
        (void)fprintf(out, "%s%s", i ? " " : "", size_to_exact_text(pool->sizes[i], text));
    }
}

bool setting_is_set(const struct config *config, enum setting_id id)
{
    enum setting_kind kind = settings[id].kind;
    if (kind == KIND_PATH || kind == KIND_GROUP) {
        return *(char *const *)const_value_of(config, id);
    }
    if (kind == KIND_USERS || kind == KIND_GROUPS) {
        return ((const struct access_list *)const_value_of(config, id))->count > 0;
    }
    return kind != KIND_SIZES || config->pool.size_count > 0;
}

void setting_print(const struct config *config, enum setting_id id, FILE *out)
{
    const void *value = const_value_of(config, id);
    switch (settings[id].kind) {
    case KIND_PATH:
    case KIND_GROUP:
        config_line_print_value(*(char *const *)value, out);
        break;
    case KIND_MODE:
        (void)fprintf(out, "%04o", (unsigned)*(const mode_t *)value);
        break;
    case KIND_SIZE:
        size_print(*(const uint64_t *)value, out);
        break;
    case KIND_LIMIT:
        limit_print(*(const uint64_t *)value, out);
        break;
    case KIND_DURATION:
    case KIND_DURATION_OR_0:
        print_duration(*(const uint32_t *)value, out);
        break;
    case KIND_COUNT:
    case KIND_NUMBER:
        (void)fprintf(out, "%" PRIu32, *(const uint32_t *)value);
        break;
    case KIND_FLAG:
        (void)fprintf(out, "%s", *(const bool *)value ? "yes" : "no");
        break;
    case KIND_SIZES:
        print_sizes(value, out);
        break;
    case KIND_PERCENT:
        (void)fprintf(out, "%" PRIu32 "%%", *(const uint32_t *)value);
        break;
    case KIND_PRESSURE:
        (void)fprintf(out, "%s", pressure_names[*(const enum pressure *)value]);
        break;
    case KIND_USERS:
    case KIND_GROUPS:
        print_ids(value, out);
        break;
    }
}

static uint64_t number_of(const struct config *config, enum setting_id id)
{
    const void *value = const_value_of(config, id);
    bool is_size = settings[id].kind == KIND_SIZE || settings[id].kind == KIND_LIMIT;
    return is_size ? *(const uint64_t *)value : *(const uint32_t *)value;
}

bool setting_is_larger(const struct config *config, enum setting_id id, enum setting_id than)
{
    uint64_t number = number_of(config, id);
    return number != LIMIT_OFF && number > number_of(config, than);
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
    case KIND_LIMIT:
        return *(const uint64_t *)left != *(const uint64_t *)right;
    case KIND_DURATION:
    case KIND_DURATION_OR_0:
    case KIND_COUNT:
    case KIND_NUMBER:
    case KIND_PERCENT:
        return *(const uint32_t *)left != *(const uint32_t *)right;
    case KIND_FLAG:
        return *(const bool *)left != *(const bool *)right;
    case KIND_PRESSURE:
        return *(const enum pressure *)left != *(const enum pressure *)right;
    case KIND_SIZES:
        return memcmp(left, right, sizeof(struct pool_settings)) != 0;
    case KIND_USERS:
    case KIND_GROUPS:
        return memcmp(left, right, sizeof(struct access_list)) != 0;
    }
    return false;
}

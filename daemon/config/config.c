/* SPDX-License-Identifier: Apache-2.0 */
/* The effective configuration: files over defaults, and what follows from both. */
#include "daemon/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/config/directory.h"
#include "daemon/config/doubts.h"
#include "daemon/config/ids.h"
#include "daemon/config/quotas.h"
#include "daemon/config/settings.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

#define DEFAULT_FILE MEMBROKER_SYSCONFDIR "/membroker/membroker.conf"

struct config *config_free(struct config *config)
{
    if (config) {
        free(config->socket);
        free(config->socket_group_name);
        free(config->spill_directory);
        free(config->files_directory);
        free(config->learned_file);
        free(config->sources);
        free(config->doubts);
        quotas_free(&config->policy);
        free(config);
    }
    return NULL;
}

/* ---- defaults ---- */

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

char *config_state_path(const char *name)
{
    char *path = NULL;
    const char *service = getenv("STATE_DIRECTORY");
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (service && *service == '/') {
        length = asprintf(&path, "%s/%s", service, name);
    } else if (geteuid() == 0) {
        length = asprintf(&path, "/var/lib/membroker/%s", name);
    } else if (state && *state == '/') {
        length = asprintf(&path, "%s/membroker/%s", state, name);
    } else {
        length = home && *home == '/' ? asprintf(&path, "%s/.local/state/membroker/%s", home, name) : -1;
    }
    return length < 0 ? NULL : path;
}

static struct config *config_new(uint64_t host_total_bytes)
{
    struct config *config = calloc(1, sizeof *config);
    if (config) {
        config->host_total_bytes = host_total_bytes;
        config->socket_mode = 0660;
        config->socket_group = (gid_t)-1;
        config->times = (struct lease_times){.ttl_min_ms = 1000,
                                             .ttl_max_ms = 3600 * 1000,
                                             .ttl_default_ms = 30 * 1000,
                                             .reconnect_grace_ms = 10 * 1000};
        config->queue = (struct queue_settings){.waiting_max = 1024,
                                                .waiting_per_session_max = 64,
                                                .wait_max_ms = 3600 * 1000,
                                                .ageing_ms = 60 * 1000,
                                                .trim_ms = 200,
                                                .revoke_grace_ms = 10 * 1000};
        config->clients = (struct client_bounds){.handshake_ms = 10 * 1000,
                                                 .connections_max = 2048,
                                                 .messages_max = 50000,
                                                 .user_messages_max = 200000,
                                                 .unread_bytes_max = 1 << 20,
                                                 .user_unread_bytes_max = 32 << 20,
                                                 .control = {256 << 20, 32 << 20}};
        config->requests_max = 256;
        config->user_requests_max = config->user_sessions_max = 4096;
        config->pressure_some = 20;
        config->pressure_full = 10;
        config->pause_ram_at = PRESSURE_FULL;
    }
    return config;
}

static int fail_setting(struct config_draft *draft, enum setting_id id, const char *what)
{
    return draft_fail(draft, draft->origins[id].file, draft->origins[id].line, &settings[id], "%s", what);
}

/* ---- what follows ---- */

static int settle_paths(struct config_draft *draft, const char *socket_override)
{
    struct config *config = draft->config;
    if (socket_override && setting_parse(draft, SETTING_SOCKET, "--socket", 0, socket_override) < 0) {
        return -EINVAL;
    }
    if (!config->socket && !(config->socket = default_socket())) {
        return fail_setting(draft, SETTING_SOCKET,
                            "XDG_RUNTIME_DIR is not set, so this user has no default place; say where with --socket");
    }
    if (!config->spill_directory && !(config->spill_directory = default_spill_directory())) {
        return fail_setting(draft, SETTING_DIRECTORY,
                            "HOME and XDG_CACHE_HOME are not set, so this user has no default place; set it");
    }
    if (!config->learned_file) {
        config->learned_file = config_state_path("learned-sizes");
    }
    return 0;
}

/* What an administrator can do about a directory that can't be used. */
static const char *advice(enum setting_id id, int error)
{
    if (id == SETTING_FILES) {
        return "under systemd the unit needs the drop-in /usr/share/membroker/named-files.conf, see membroker.conf(5)";
    }
    if (error == -EROFS) {
        return "under systemd it must be among the unit's ReadWritePaths=: the drop-in "
               "/usr/share/membroker/spill-directory.conf, see membroker.conf(5)";
    }
    if (error == -EOPNOTSUPP) {
        return "that file system has no room for files; name a directory on a disk";
    }
    return "name a directory that this user may write";
}

static int fail_directory(struct config_draft *draft, enum setting_id id, const char *path, int error)
{
    char user[64];
    return draft_fail(draft, draft->origins[id].file, draft->origins[id].line, &settings[id],
                      "%s can't be used by user %s: %s; %s", path, user_name(geteuid(), user, sizeof user),
                      strerrordesc_np(-error), advice(id, error));
}

/* Half of what the spill file system has free; its directory is made on the way. */
static int settle_spill(struct config_draft *draft, bool look_only)
{
    struct config *config = draft->config;
    struct statvfs status = {0};
    int result =
        look_only ? directory_look(config->spill_directory, &status) : directory_make(config->spill_directory, &status);
    if (result < 0) {
        return fail_directory(draft, SETTING_DIRECTORY, config->spill_directory, result);
    }
    if (!draft_has(draft, SETTING_MAX_MAPPED_BYTES)) {
        config->limits.max_mapped_bytes = (uint64_t)status.f_bavail * status.f_frsize / 2;
    }
    return 0;
}

/* The seed's three numbers: a quarter of memory, twice that in RAM, and all together. */
static void settle_limits(const struct config_draft *draft)
{
    struct config *config = draft->config;
    struct byte_limits *limits = &config->limits;
    if (!draft_has(draft, SETTING_HEAP_BYTES)) {
        config->heap_bytes = config->host_total_bytes / 4;
    }
    if (!draft_has(draft, SETTING_MAX_PHYSICAL_BYTES)) {
        limits->max_physical_bytes = size_multiply_saturated(config->heap_bytes, 2);
    }
    if (!draft_has(draft, SETTING_MAX_BYTES)) {
        limits->max_bytes = size_add_saturated(limits->max_physical_bytes, limits->max_mapped_bytes);
    }
}

static void settle_queue(const struct config_draft *draft)
{
    struct queue_settings *queue = &draft->config->queue;
    if (!draft_has(draft, SETTING_MAX_WAITING_PER_USER)) {
        queue->waiting_per_user_max = (queue->waiting_max + 3) / 4;
    }
}

/* The one of two settings that was set last says where the combination went wrong. */
static int check_order(struct config_draft *draft, enum setting_id smaller, enum setting_id larger, uint32_t a,
                       uint32_t b)
{
    const struct setting_origin *left = &draft->origins[smaller], *right = &draft->origins[larger];
    if (a <= b) {
        return 0;
    }
    const struct setting_origin *last = right->file && (!left->file || right->line > left->line) ? right : left;
    char left_text[SIZE_TEXT_BYTES], right_text[SIZE_TEXT_BYTES];
    return draft_fail(draft, last->file, last->line, &settings[last == right ? larger : smaller],
                      "%s (%s) must not be larger than %s (%s)", settings[smaller].key,
                      duration_to_exact_text(a, left_text), settings[larger].key,
                      duration_to_exact_text(b, right_text));
}

static int check_times(struct config_draft *draft)
{
    const struct lease_times *times = &draft->config->times;
    int result = check_order(draft, SETTING_MIN_TTL, SETTING_MAX_TTL, times->ttl_min_ms, times->ttl_max_ms);
    if (result == 0) {
        result = check_order(draft, SETTING_MIN_TTL, SETTING_DEFAULT_TTL, times->ttl_min_ms, times->ttl_default_ms);
    }
    if (result == 0) {
        result = check_order(draft, SETTING_DEFAULT_TTL, SETTING_MAX_TTL, times->ttl_default_ms, times->ttl_max_ms);
    }
    return result;
}

/* It is not made here: whoever allows programs a directory has one, with the owner and the mode that they want. */
static int check_files(struct config_draft *draft)
{
    const struct setting_origin *origin = &draft->origins[SETTING_FILES];
    const char *path = draft->config->files_directory;
    struct stat status;
    if (path && (stat(path, &status) < 0 || !S_ISDIR(status.st_mode))) {
        return draft_fail(draft, origin->file, origin->line, &settings[SETTING_FILES],
                          "%s is not a directory; make it, or take the setting away", path);
    }
    return path && faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0
               ? fail_directory(draft, SETTING_FILES, path, -errno)
               : 0;
}

static int note_doubts(struct config_draft *draft)
{
    size_t size = 0;
    FILE *out = open_memstream(&draft->config->doubts, &size);
    if (!out) {
        return -ENOMEM;
    }
    doubts_print(draft, out);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

static int read_files(struct config_draft *draft, const char *file)
{
    cleanup(freep) char *drop_ins = NULL;
    const char *path = file ? file : DEFAULT_FILE;
    if (asprintf(&drop_ins, "%s.d", path) < 0) {
        drop_ins = NULL;
        return draft_fail(draft, path, 0, NULL, "out of memory");
    }
    int result = config_file_read(draft, path, file != NULL);
    return result == 0 ? config_drop_ins_read(draft, drop_ins) : result;
}

int config_load(const struct config_options *options, struct config **ret, char **ret_error)
{
    struct config_draft draft = {.config = config_new(options->host_total_bytes)};
    int result = draft.config ? read_files(&draft, options->file) : -ENOMEM;
    if (result == 0) {
        result = settle_paths(&draft, options->socket);
    }
    if (result == 0) {
        result = settle_spill(&draft, options->look_only);
    }
    if (result == 0) {
        result = check_files(&draft);
    }
    if (result == 0) {
        settle_limits(&draft);
        settle_queue(&draft);
        result = check_times(&draft);
    }
    if (result == 0) {
        result = quotas_check(&draft);
    }
    if (result == 0) {
        result = note_doubts(&draft);
    }
    for (int id = 0; id < SETTINGS; id++) {
        if (result == 0 && id < CONFIG_SOCKET_SETTINGS) {
            draft.config->socket_said[id] = draft_has(&draft, (enum setting_id)id);
        }
        free(draft.origins[id].file);
    }
    for (size_t i = 0; i < POLICY_RULES_MAX; i++) {
        free(draft.reserves[i].file);
        free(draft.huge[i].file);
        free(draft.sections[i].file);
    }
    if (result < 0) {
        config_free(draft.config);
        *ret_error = draft.error ? draft.error : strdup("out of memory");
        return result;
    }
    *ret = draft.config;
    return 0;
}

/* ---- using ---- */

struct broker_settings config_broker_settings(const struct config *config)
{
    return (struct broker_settings){
        .limits = config->limits,
        .times = config->times,
        .queue = config->queue,
        .pool = config->pool,
        .requests_max = config->requests_max,
        .user_requests_max = config->user_requests_max,
        .user_sessions_max = config->user_sessions_max,
        .pause_at = config->pause_ram_at,
        .policy = &config->policy,
    };
}

void config_adopt(struct config *config, struct config *loaded)
{
    struct policy before = config->policy;
    char *sources = config->sources, *doubts = config->doubts;
    config->heap_bytes = loaded->heap_bytes;
    config->limits = loaded->limits;
    config->times = loaded->times;
    config->queue = loaded->queue;
    config->pool = loaded->pool;
    config->pause_ram_at = loaded->pause_ram_at;
    config->clients = loaded->clients;
    config->requests_max = loaded->requests_max;
    config->user_requests_max = loaded->user_requests_max;
    config->user_sessions_max = loaded->user_sessions_max;
    config->policy = loaded->policy;
    loaded->policy = before;
    config->sources = loaded->sources;
    loaded->sources = sources;
    config->doubts = loaded->doubts;
    loaded->doubts = doubts;
    config_free(loaded);
}

/* ---- looking ---- */

void config_print(const struct config *config, FILE *out)
{
    const char *section = "";
    for (int id = 0; id < SETTINGS; id++) {
        if (strcmp(section, settings[id].section) != 0) {
            (void)fprintf(out, "%s[%s]\n", *section ? "\n" : "", settings[id].section);
            section = settings[id].section;
        }
        bool is_absent = !setting_is_set(config, (enum setting_id)id);
        (void)fprintf(out, "%s%s = ", is_absent ? "# " : "", settings[id].key);
        if (!is_absent) {
            setting_print(config, (enum setting_id)id, out);
        }
        (void)fprintf(out, "\n");
    }
    quotas_print(&config->policy, out);
}

size_t config_fixed_differences(const struct config *in_force, const struct config *loaded, FILE *out)
{
    size_t count = 0;
    for (int id = 0; id < SETTINGS; id++) {
        if (!settings[id].is_reloadable && setting_differs((enum setting_id)id, in_force, loaded)) {
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
                          "membrokerd: note: [server] %s counts only where the daemon makes the socket itself; "
                          "membroker.socket has %s instead (systemctl edit membroker.socket)\n",
                          settings[id].key, directives[id]);
            count++;
        }
    }
    return count;
}

static bool exceeds_host(const struct config *config)
{
    uint64_t physical = config->limits.max_physical_bytes;
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
                      before, size_to_text(config->limits.max_physical_bytes, limit),
                      size_to_text(config->host_total_bytes, host));
        count++;
    }
    for (const char *line = config->doubts; line && *line; line = strchr(line, '\n') + 1) {
        (void)fprintf(out, "%s%.*s\n", before, (int)strcspn(line, "\n"), line);
        count++;
    }
    return count;
}

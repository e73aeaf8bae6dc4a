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

#include "daemon/config/config_file.h"
#include "daemon/config/defaults.h"
#include "daemon/config/directory.h"
#include "daemon/config/doubts.h"
#include "daemon/config/draft.h"
#include "daemon/config/ids.h"
#include "daemon/config/quotas.h"
#include "daemon/config/quotas_check.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"

#define DEFAULT_FILE MEMBROKER_SYSCONFDIR "/membroker/membroker.conf"

struct config *config_free(struct config *config)
{
    for (int id = 0; config && id < SETTINGS; id++) {
        value_free(settings[id].type, setting_value(&settings[id], config));
    }
    if (config) {
        free(config->sources);
        free(config->doubts);
        quotas_free(&config->policy);
        free(config);
    }
    return NULL;
}

/* Has the defaults of the table. */
static struct config *config_new(uint64_t host_total_bytes)
{
    struct config *config = calloc(1, sizeof *config);
    if (config) {
        config->host_total_bytes = host_total_bytes;
        config->socket_group.gid = (gid_t)-1;
        if (!settings_initialise(config, settings, SETTINGS, host_total_bytes)) {
            return config_free(config);
        }
    }
    return config;
}

/* ---- directories ---- */

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
    return draft_fail_setting(draft, id, "%s can't be used by user %s: %s; %s", path,
                              user_name(geteuid(), user, sizeof user), strerrordesc_np(-error), advice(id, error));
}

/* Makes the spill directory; *ret: what its file system has free. */
static int open_spill_directory(struct config_draft *draft, bool look_only, uint64_t *ret)
{
    char *path = draft->config->spill_directory;
    struct statvfs status = {0};
    int result = look_only ? directory_look(path, &status) : directory_make(path, &status);
    if (result < 0) {
        return fail_directory(draft, SETTING_DIRECTORY, path, result);
    }
    *ret = (uint64_t)status.f_bavail * status.f_frsize;
    return 0;
}

/* The directory is not made: the administrator makes it, with the owner and the mode that it should have. */
static int check_files_directory(struct config_draft *draft)
{
    const char *path = draft->config->files_directory;
    struct stat status;
    if (path && (stat(path, &status) < 0 || !S_ISDIR(status.st_mode))) {
        return draft_fail_setting(draft, SETTING_FILES, "%s is not a directory; make it, or take the setting away",
                                  path);
    }
    return path && faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0
               ? fail_directory(draft, SETTING_FILES, path, -errno)
               : 0;
}

/* ---- settings that contradict each other ---- */

/* The error names the setting of the two that was set last. */
static int check_order(struct config_draft *draft, enum setting_id smaller, enum setting_id larger, uint32_t a,
                       uint32_t b)
{
    const struct setting_origin *left = &draft->origins[smaller], *right = &draft->origins[larger];
    if (a <= b) {
        return 0;
    }
    bool is_right = right->file && (!left->file || right->line > left->line);
    char left_text[SIZE_TEXT_BYTES], right_text[SIZE_TEXT_BYTES];
    return draft_fail_setting(draft, is_right ? larger : smaller, "%s (%s) must not be larger than %s (%s)",
                              settings[smaller].key, duration_to_exact_text(a, left_text), settings[larger].key,
                              duration_to_exact_text(b, right_text));
}

static int check_times(struct config_draft *draft)
{
    const struct lease_times *times = &draft->config->broker.times;
    int result = check_order(draft, SETTING_MIN_TTL, SETTING_MAX_TTL, times->ttl_min_ms, times->ttl_max_ms);
    if (result == 0) {
        result = check_order(draft, SETTING_MIN_TTL, SETTING_DEFAULT_TTL, times->ttl_min_ms, times->ttl_default_ms);
    }
    if (result == 0) {
        result = check_order(draft, SETTING_DEFAULT_TTL, SETTING_MAX_TTL, times->ttl_default_ms, times->ttl_max_ms);
    }
    return result;
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

/* ---- loading ---- */

static int read_files(struct config_draft *draft, const char *file)
{
    cleanup(freep) char *drop_ins = NULL;
    const struct config_place place = {.file = file ? file : DEFAULT_FILE};
    if (asprintf(&drop_ins, "%s.d", place.file) < 0) {
        drop_ins = NULL;
        return draft_fail(draft, &place, "out of memory");
    }
    int result = config_file_read(draft, place.file, file != NULL);
    return result == 0 ? config_drop_ins_read(draft, drop_ins) : result;
}

static int take_socket_option(struct config_draft *draft, const char *path)
{
    const struct config_place place = {"--socket", 0, settings[SETTING_SOCKET].section, settings[SETTING_SOCKET].key};
    draft->file_number++; /* it comes after all files */
    return path ? draft_set(draft, SETTING_SOCKET, &place, path) : 0;
}

/* All that can go wrong, in the order in which it is told. */
static int load(struct config_draft *draft, const struct config_options *options)
{
    uint64_t spill_free_bytes = 0;
    int result = read_files(draft, options->file);
    if (result == 0) {
        result = take_socket_option(draft, options->socket);
    }
    if (result == 0) {
        result = defaults_take_paths(draft);
    }
    if (result == 0) {
        result = open_spill_directory(draft, options->look_only, &spill_free_bytes);
    }
    if (result == 0) {
        result = check_files_directory(draft);
    }
    if (result == 0) {
        defaults_take_limits(draft, spill_free_bytes);
        result = check_times(draft);
    }
    if (result == 0) {
        result = quotas_check(draft);
    }
    return result == 0 ? note_doubts(draft) : result;
}

int config_load(const struct config_options *options, struct config **ret, char **ret_error)
{
    struct config *config = config_new(options->host_total_bytes);
    struct config_draft *draft = config ? draft_new(config) : NULL;
    int result = draft ? load(draft, options) : -ENOMEM;
    if (result < 0) {
        *ret_error = draft && draft->error ? draft->error : strdup("out of memory");
        config_free(config);
    } else {
        for (int id = 0; id < CONFIG_SOCKET_SETTINGS; id++) {
            config->socket_said[id] = draft_has(draft, (enum setting_id)id);
        }
        *ret = config;
    }
    draft_free(draft);
    return result;
}

/* ---- using ---- */

struct broker_settings config_broker_settings(const struct config *config)
{
    struct broker_settings broker = config->broker;
    broker.policy = &config->policy;
    return broker;
}

static void swap_texts(char **a, char **b)
{
    char *before = *a;
    *a = *b;
    *b = before;
}

void config_adopt(struct config *config, struct config *loaded)
{
    for (int id = 0; id < SETTINGS; id++) {
        if (settings[id].is_reloadable) {
            value_swap(settings[id].type, setting_value(&settings[id], config), setting_value(&settings[id], loaded));
        }
    }
    quotas_swap(&config->policy, &loaded->policy);
    swap_texts(&config->sources, &loaded->sources);
    swap_texts(&config->doubts, &loaded->doubts);
    config_free(loaded);
}

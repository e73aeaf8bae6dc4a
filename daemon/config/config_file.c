/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INI files, by inih. It is given the lines by a reader of ours, which counts them (Debian's build of the library does
 * not tell line numbers) and refuses one that would not fit its buffer instead of letting it be cut in two.
 */
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/ids.h"
#include "daemon/config/quotas.h"
#include "daemon/config/settings.h"
#include "proto/base/cleanup.h"

struct reading {
    struct config_draft *draft;
    const char *path;
    FILE *file;
    int line;
    int seen[SETTINGS]; /* the line in this file where it was set; 0: not yet */
    bool too_long;
};

static char *read_line(char *buffer, int size, void *argument)
{
    struct reading *reading = argument;
    char *line = fgets(buffer, size, reading->file);
    if (!line) {
        return NULL;
    }
    reading->line++;
    if (!strchr(line, '\n') && !feof(reading->file)) {
        reading->too_long = true;
        return NULL;
    }
    return line;
}

static bool has_section(const char *section)
{
    for (int id = 0; id < SETTINGS; id++) {
        if (strcmp(settings[id].section, section) == 0) {
            return true;
        }
    }
    return false;
}

static int find_setting(const char *section, const char *key)
{
    for (int id = 0; id < SETTINGS; id++) {
        if (strcmp(settings[id].section, section) == 0 && strcmp(settings[id].key, key) == 0) {
            return id;
        }
    }
    return -1;
}

static int fail_unknown(const struct reading *reading, const char *section, const char *key)
{
    if (!*section) {
        return draft_fail(reading->draft, reading->path, reading->line, NULL,
                          "key \"%s\" stands before any section; put it under one, such as [limits]", key);
    }
    if (!has_section(section)) {
        return draft_fail(
            reading->draft, reading->path, reading->line, NULL,
            "[%s] %s: there is no section [%s]; there are [server], [limits], [mapped], [leases], [queue], "
            "[pool], [pressure], [access], [clients], [user NAME], [group NAME] and [class NAME]",
            section, key, section);
    }
    return draft_fail(reading->draft, reading->path, reading->line, NULL,
                      "[%s] %s: there is no such key; membroker.conf(5) has the list", section, key);
}

/* inih's callback: 1 goes on, 0 stops. */
static int take_line(void *argument, const char *section, const char *key, const char *value)
{
    struct reading *reading = argument;
    if (quotas_has_section(section)) {
        const struct quota_line line = {section, key, value, reading->path, reading->line};
        return quotas_take_line(reading->draft, &line) == 0;
    }
    int id = find_setting(section, key);
    if (id < 0) {
        (void)fail_unknown(reading, section, key);
        return 0;
    }
    if (reading->seen[id]) {
        (void)draft_fail(reading->draft, reading->path, reading->line, &settings[id],
                         "it was set before, in line %d; keep one of the two", reading->seen[id]);
        return 0;
    }
    reading->seen[id] = reading->line;
    return setting_parse(reading->draft, (enum setting_id)id, reading->path, reading->line, value) == 0;
}

static int read_all(struct reading *reading)
{
    int result = ini_parse_stream(read_line, reading, take_line, reading);
    if (reading->draft->error) {
        return -EINVAL;
    }
    if (reading->too_long) {
        return draft_fail(reading->draft, reading->path, reading->line, NULL, "the line is too long");
    }
    if (result != 0) {
        return draft_fail(reading->draft, reading->path, result, NULL,
                          "the line is neither [section] nor key = value nor a comment");
    }
    return 0;
}

/* A file that its administrator can read need not be one that the service's user can. */
static int fail_reading(struct config_draft *draft, const char *path, int error)
{
    char user[64];
    return draft_fail(draft, path, 0, NULL, "user %s can't read it: %s%s", user_name(geteuid(), user, sizeof user),
                      strerrordesc_np(error), error == EACCES ? "; give that user the right to (chmod, chgrp)" : "");
}

static int note_source(struct config_draft *draft, const char *path)
{
    char *before = draft->config->sources, *now;
    if (asprintf(&now, "%s%s%s", before ? before : "", before ? ", " : "", path) < 0) {
        return draft_fail(draft, path, 0, NULL, "out of memory");
    }
    free(before);
    draft->config->sources = now;
    return 0;
}

int config_file_read(struct config_draft *draft, const char *path, bool must_exist)
{
    struct reading reading = {.draft = draft, .path = path, .file = fopen(path, "re")};
    if (!reading.file) {
        if (errno == ENOENT && !must_exist) {
            return 0;
        }
        return fail_reading(draft, path, errno);
    }
    int result = read_all(&reading);
    (void)fclose(reading.file);
    return result == 0 ? note_source(draft, path) : result;
}

static int is_configuration(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && end && strcmp(end, ".conf") == 0;
}

static int read_drop_in(struct config_draft *draft, const char *directory, const char *name)
{
    cleanup(freep) char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return draft_fail(draft, directory, 0, NULL, "out of memory");
    }
    return config_file_read(draft, path, true);
}

int config_drop_ins_read(struct config_draft *draft, const char *directory)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_configuration, alphasort);
    int result = 0;
    if (count < 0) {
        return errno == ENOENT ? 0 : fail_reading(draft, directory, errno);
    }
    for (int i = 0; i < count; i++) {
        if (result == 0) {
            result = read_drop_in(draft, directory, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

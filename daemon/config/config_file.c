/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: their lines go to the table of settings, or to the sections of users, groups and classes. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/config_line.h"
#include "daemon/config/ids.h"
#include "daemon/config/quotas.h"
#include "daemon/config/settings.h"
#include "proto/base/cleanup.h"

struct reading {
    struct config_draft *draft;
    const char *path;
    int line;
    char *section;      /* NULL: none yet */
    int seen[SETTINGS]; /* the line in this file where it was set; 0: not yet */
};

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

static int fail_section(const struct reading *reading, const char *section)
{
    return draft_fail(reading->draft, reading->path, reading->line, NULL,
                      "there is no section [%s]; there are [server], [limits], [mapped], [leases], [queue], [pool], "
                      "[pressure], [access], [clients], [user NAME], [group NAME] and [class NAME]",
                      section);
}

static int take_section(struct reading *reading, const char *section)
{
    char *copy = strdup(section);
    if (!copy) {
        return draft_fail(reading->draft, reading->path, reading->line, NULL, "out of memory");
    }
    free(reading->section);
    reading->section = copy;
    if (quotas_has_section(copy)) {
        const struct quota_line line = {.section = copy, .file = reading->path, .line = reading->line};
        return quotas_take_section(reading->draft, &line);
    }
    return has_section(copy) ? 0 : fail_section(reading, copy);
}

static int take_setting(struct reading *reading, const char *key, const char *value)
{
    int id = find_setting(reading->section, key);
    if (id < 0) {
        return draft_fail(reading->draft, reading->path, reading->line, NULL,
                          "[%s] %s: there is no such key; membroker.conf(5) has the list", reading->section, key);
    }
    if (reading->seen[id]) {
        return draft_fail(reading->draft, reading->path, reading->line, &settings[id],
                          "it was set before, in line %d; keep one of the two", reading->seen[id]);
    }
    reading->seen[id] = reading->line;
    return setting_parse(reading->draft, (enum setting_id)id, reading->path, reading->line, value);
}

static int take_line(struct reading *reading, char *text, size_t length)
{
    struct config_line parts = {0};
    const char *wrong = strlen(text) < length ? "there is a NUL byte in the line" : config_line_parse(text, &parts);
    if (wrong) {
        return draft_fail(reading->draft, reading->path, reading->line, NULL, "%s", wrong);
    }
    if (parts.kind == CONFIG_LINE_EMPTY) {
        return 0;
    }
    if (parts.kind == CONFIG_LINE_SECTION) {
        return take_section(reading, parts.section);
    }
    if (!reading->section) {
        return draft_fail(reading->draft, reading->path, reading->line, NULL,
                          "key \"%s\" stands before any section; put it under one, such as [limits]", parts.key);
    }
    if (quotas_has_section(reading->section)) {
        const struct quota_line line = {reading->section, parts.key, parts.value, reading->path, reading->line};
        return quotas_take_line(reading->draft, &line);
    }
    return take_setting(reading, parts.key, parts.value);
}

static int read_all(struct reading *reading, FILE *file)
{
    cleanup(freep) char *text = NULL;
    size_t size = 0;
    ssize_t length;
    int result = 0;
    errno = 0;
    while (result == 0 && (length = getline(&text, &size, file)) >= 0) {
        reading->line++;
        result = take_line(reading, text, (size_t)length);
    }
    return result == 0 && ferror(file) ? -EIO : result;
}

/* A file that its administrator can read need not be one that the service's user can. */
static int fail_reading(struct config_draft *draft, const char *path, int error)
{
    char user[64];
    if (error == ENOENT) {
        return draft_fail(draft, path, 0, NULL,
                          "there is no such file; make it (an empty one will do, every setting has a default), or name "
                          "another with --config");
    }
    if (error == EACCES) {
        return draft_fail(draft, path, 0, NULL, "user %s can't read it: %s; give that user the right to (chmod, chgrp)",
                          user_name(geteuid(), user, sizeof user), strerrordesc_np(error));
    }
    return draft_fail(draft, path, 0, NULL, "it can't be read: %s", strerrordesc_np(error));
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
    struct reading reading = {.draft = draft, .path = path};
    FILE *file = fopen(path, "re");
    if (!file) {
        return errno == ENOENT && !must_exist ? 0 : fail_reading(draft, path, errno);
    }
    draft_begin_file(draft);
    int result = read_all(&reading, file);
    if (result == -EIO) {
        result = fail_reading(draft, path, errno);
    }
    (void)fclose(file);
    free(reading.section);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Each line goes to the table of settings, or to the sections of users, groups and classes. */
#include "daemon/config/config_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/config_line.h"
#include "daemon/config/ids.h"
#include "daemon/config/quotas.h"
#include "proto/base/cleanup.h"

struct reading {
    struct config_draft *draft;
    const char *path;
    int line;
    char *section; /* NULL: none yet */
};

__attribute__((format(printf, 2, 3))) static int fail(const struct reading *reading, const char *format, ...)
{
    cleanup(freep) char *what = NULL;
    const struct config_place place = {.file = reading->path, .line = reading->line};
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&what, format, arguments);
    va_end(arguments);
    if (length < 0) {
        what = NULL;
        return -ENOMEM;
    }
    return draft_fail(reading->draft, &place, "%s", what);
}

static int fail_section(const struct reading *reading, const char *section)
{
    return fail(reading,
                "there is no section [%s]; there are [server], [limits], [mapped], [leases], [queue], [pool], "
                "[pressure], [sharing], [reservations], [history], [access], [clients], [user NAME], [group NAME] and "
                "[class NAME]",
                section);
}

static int take_section(struct reading *reading, const char *section)
{
    char *copy = strdup(section);
    if (!copy) {
        return fail(reading, "out of memory");
    }
    free(reading->section);
    reading->section = copy;
    if (quotas_has_section(copy)) {
        const struct config_place place = {reading->path, reading->line, copy, NULL};
        return quotas_take_section(reading->draft, &place);
    }
    return setting_has_section(copy) ? 0 : fail_section(reading, copy);
}

static int take_setting(struct reading *reading, const char *key, const char *value)
{
    const struct config_place place = {reading->path, reading->line, reading->section, key};
    if (quotas_has_section(reading->section)) {
        return quotas_take_line(reading->draft, &place, value);
    }
    enum setting_id id = setting_find(reading->section, key);
    return id == SETTINGS ? draft_fail(reading->draft, &place, "there is no such key; membroker.conf(5) has the list")
                          : draft_set(reading->draft, id, &place, value);
}

static int take_line(struct reading *reading, char *text, size_t length)
{
    struct config_line parts = {0};
    const char *wrong = strlen(text) < length ? "there is a NUL byte in the line" : config_line_parse(text, &parts);
    if (wrong) {
        return fail(reading, "%s", wrong);
    }
    if (parts.kind == CONFIG_LINE_EMPTY) {
        return 0;
    }
    if (parts.kind == CONFIG_LINE_SECTION) {
        return take_section(reading, parts.section);
    }
    if (!reading->section) {
        return fail(reading, "key \"%s\" precedes the first section; put it under one, such as [limits]", parts.key);
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

/* The administrator may be able to read a file that the service's user can't. */
static int fail_reading(struct config_draft *draft, const char *path, int error)
{
    const struct config_place place = {.file = path};
    char user[64];
    if (error == ENOENT) {
        return draft_fail(draft, &place,
                          "there is no such file; make it (an empty one will do, every setting has a default), or name "
                          "another with --config");
    }
    if (error == EACCES) {
        return draft_fail(draft, &place, "user %s can't read it: %s; give that user the right to (chmod, chgrp)",
                          user_name(geteuid(), user, sizeof user), strerrordesc_np(error));
    }
    return draft_fail(draft, &place, "it can't be read: %s", strerrordesc_np(error));
}

static int note_source(struct config_draft *draft, const char *path)
{
    char *before = draft->config->sources, *now;
    if (asprintf(&now, "%s%s%s", before ? before : "", before ? ", " : "", path) < 0) {
        return draft_fail(draft, &(struct config_place){.file = path}, "out of memory");
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
    draft->file_number++;
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
        return draft_fail(draft, &(struct config_place){.file = directory}, "out of memory");
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

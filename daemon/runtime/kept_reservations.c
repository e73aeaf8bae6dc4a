/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first line has the format's version and the boot's id. Each reservation is a line of numbers and its name, and a
 * line for each control group. No text has a newline in it.
 */
#include "daemon/runtime/kept_reservations.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/core/restore.h"
#include "daemon/os/own_file.h"
#include "daemon/os/replace_file.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/base/text.h"
#include "proto/name.h"

enum {
    LINE_BYTES = 8192,
    BOOT_ID_BYTES = 40,
    FLAG_UID = 1,
    FLAG_PRIORITY = 2,
    FLAG_WEIGHT = 4,
    FLAG_OVER = 8,
    FLAG_EXPIRES = 16,
    FLAG_SUSPENDED = 32 /* another number stands before the name */
};

#define HEAD "membroker reservations 1 "

static void file_path(const struct server *server, char ret[PATH_MAX])
{
    (void)snprintf(ret, PATH_MAX, "%s.reservations", server->config->socket); /* a socket's path is much shorter */
}

static void read_boot_id(char ret[BOOT_ID_BYTES])
{
    cleanup(fd_closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, ret, BOOT_ID_BYTES - 1);
    ret[length > 0 ? length : 0] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

/* Of a clock that goes on while no daemon runs. */
static uint64_t boot_time(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* ---- writing ---- */

static void print(const struct kept_reservation *kept, FILE *out)
{
    const struct reservation_terms *terms = &kept->terms;
    int flags = (terms->has_uid ? FLAG_UID : 0) | (terms->has_priority ? FLAG_PRIORITY : 0) |
                (terms->has_weight ? FLAG_WEIGHT : 0) | (kept->is_over ? FLAG_OVER : 0) |
                (kept->expires ? FLAG_EXPIRES : 0) | (kept->is_suspended ? FLAG_SUSPENDED : 0);
    (void)fprintf(
        out, "%d %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu64 " %zu %zu ", flags,
        terms->bytes, terms->mapped_bytes, terms->uid, terms->priority, terms->weight, terms->expires_ms,
        kept->expires ? size_add_saturated(boot_time(), kept->remaining_ns) : 0, kept->first_count, kept->groups.count);
    if (kept->is_suspended) {
        (void)fprintf(out, "%" PRIu64 " ", size_add_saturated(boot_time(), kept->held_ns));
    }
    (void)fprintf(out, "%s\n", terms->name);
    for (size_t i = 0; i < kept->groups.count; i++) {
        (void)fprintf(out, "%s\n", kept->groups.paths[i]);
    }
}

/* Returns how many there are, or negative errno. */
static int print_all(struct server *server, char **ret, size_t *ret_size)
{
    struct kept_reservation kept = {0};
    char boot_id[BOOT_ID_BYTES];
    int count = 0;
    FILE *out = open_memstream(ret, ret_size);
    if (!out) {
        return -ENOMEM;
    }
    read_boot_id(boot_id);
    (void)fprintf(out, HEAD "%s\n", boot_id);
    while (broker_keep_reservation(server->broker, kept.id, clock_now(server), &kept)) {
        print(&kept, out);
        count++;
    }
    bool failed = ferror(out);
    return fclose(out) == 0 && !failed && *ret ? count : -ENOMEM;
}

static int write_file(struct server *server, const char *path)
{
    cleanup(freep) char *text = NULL;
    size_t size = 0;
    int count = print_all(server, &text, &size);
    if (count == 0) {
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
    }
    return count < 0 ? count : replace_file(path, text, size);
}

void kept_reservations_save(struct server *server)
{
    struct kept_reservations *kept = &server->kept_reservations;
    char path[PATH_MAX];
    file_path(server, path);
    int result = write_file(server, path);
    if (result < 0 && !kept->is_behind) {
        log_warning("%s can't be written (%s), and is tried again each second: if the daemon is killed before, the "
                    "reservations are as they were",
                    path, strerrordesc_np(-result));
    } else if (result == 0 && kept->is_behind) {
        log_info("%s is written again", path);
    }
    kept->is_behind = result < 0;
}

void kept_reservations_retry(struct server *server)
{
    if (server->kept_reservations.is_behind) {
        kept_reservations_save(server);
    }
}

/* ---- reading ---- */

static bool read_line(FILE *file, char line[LINE_BYTES])
{
    if (!fgets(line, LINE_BYTES, file) || !strchr(line, '\n')) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return name_shows(line, strlen(line));
}

/* Until when a suspended one is held; goes on to its name. */
static bool scan_held(const char **at, struct kept_reservation *ret)
{
    uint64_t until = 0;
    int length = 0;
    if (sscanf(*at, "%" SCNu64 " %n", &until, &length) < 1 || length == 0) {
        return false;
    }
    ret->held_ns = size_subtract_floored(until, boot_time());
    *at += length;
    return true;
}

static bool scan(const char *line, struct kept_reservation *ret)
{
    struct reservation_terms *terms = &ret->terms;
    uint64_t until = 0;
    int flags = 0, at = 0;
    int found = sscanf(
        line, "%d %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu64 " %zu %zu %n",
        &flags, &terms->bytes, &terms->mapped_bytes, &terms->uid, &terms->priority, &terms->weight, &terms->expires_ms,
        &until, &ret->first_count, &ret->groups.count, &at);
    const char *name = line + at;
    ret->is_suspended = flags & FLAG_SUSPENDED;
    if (found < 10 || at == 0 || (ret->is_suspended && !scan_held(&name, ret)) || !name_is_valid(name) ||
        ret->groups.count > MESSAGE_PATHS_MAX) {
        return false;
    }
    text_copy(terms->name, sizeof terms->name, name);
    terms->has_uid = flags & FLAG_UID;
    terms->has_priority = flags & FLAG_PRIORITY;
    terms->has_weight = flags & FLAG_WEIGHT;
    ret->is_over = flags & FLAG_OVER;
    ret->expires = flags & FLAG_EXPIRES;
    ret->remaining_ns = size_subtract_floored(until, boot_time());
    return true;
}

static void free_paths(char *paths[MESSAGE_PATHS_MAX], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(paths[i]);
    }
}

/* One reservation. 1; 0: the file has ended; or negative errno. */
static int take(struct server *server, FILE *file, char line[LINE_BYTES])
{
    struct kept_reservation kept = {0};
    char *paths[MESSAGE_PATHS_MAX];
    size_t count = 0;
    if (!read_line(file, line)) {
        return feof(file) ? 0 : -EINVAL;
    }
    if (!scan(line, &kept)) {
        return -EINVAL;
    }
    while (count < kept.groups.count && read_line(file, line) && (paths[count] = strdup(line))) {
        count++;
    }
    kept.groups.paths = (const char *const *)paths;
    int result =
        count < kept.groups.count ? -EINVAL : broker_restore_reservation(server->broker, &kept, clock_now(server));
    free_paths(paths, count);
    return result < 0 ? result : 1;
}

static int take_all(struct server *server, FILE *file, char line[LINE_BYTES])
{
    char boot_id[BOOT_ID_BYTES];
    int result = 1, count = 0;
    read_boot_id(boot_id);
    if (!read_line(file, line) || strncmp(line, HEAD, sizeof HEAD - 1) != 0) {
        return -EINVAL;
    }
    if (strcmp(line + sizeof HEAD - 1, boot_id) != 0) {
        return 0; /* they ended with the machine */
    }
    while (result > 0) {
        result = take(server, file, line);
        count += result > 0;
    }
    return result < 0 ? result : count;
}

void kept_reservations_load(struct server *server)
{
    char path[PATH_MAX];
    static char line[LINE_BYTES];
    file_path(server, path);
    FILE *file = own_file_open(path);
    int result = file ? take_all(server, file, line) : -errno;
    if (file) {
        (void)fclose(file);
    }
    if (result < 0 && result != -ENOENT) {
        log_error("%s: not all reservations could be taken over: %s", path, strerrordesc_np(-result));
    } else if (result > 0) {
        log_info("took over %d reservation%s", result, text_plural((uint64_t)result));
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One line a size: bytes, user, class, client and workspace, separated by tabs, which no name has in it. */
#include "daemon/runtime/remembered.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/log.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"

enum { LINE_BYTES = 512 };

static bool take_word(char **rest, char *to, size_t size)
{
    const char *word = strsep(rest, "\t");
    bool fits = word && strlen(word) < size && codec_name_is_valid(word);
    if (fits) {
        text_copy(to, size, word);
    }
    return fits;
}

static bool take_number(char **rest, uint64_t most, uint64_t *ret)
{
    char *end, *word = strsep(rest, "\t");
    if (!word || *word < '0' || *word > '9') {
        return false;
    }
    errno = 0;
    *ret = strtoull(word, &end, 10);
    return !*end && errno == 0 && *ret <= most;
}

static bool take_line(struct server *server, char *line)
{
    struct learned_key key;
    uint64_t bytes, uid;
    line[strcspn(line, "\n")] = '\0';
    if (!take_number(&line, UINT64_MAX / 4, &bytes) || !take_number(&line, UINT32_MAX, &uid) ||
        !take_word(&line, key.class, sizeof key.class) || !take_word(&line, key.client, sizeof key.client) ||
        !take_word(&line, key.workspace, sizeof key.workspace) || line || !bytes) {
        return false;
    }
    key.uid = (uint32_t)uid;
    broker_restore_learned(server->broker, &key, bytes);
    return true;
}

void remembered_load(struct server *server)
{
    const char *path = server->config->learned_file;
    char line[LINE_BYTES];
    size_t skipped = 0;
    FILE *file = path ? fopen(path, "re") : NULL;
    while (file && fgets(line, sizeof line, file)) {
        skipped += !take_line(server, line);
    }
    if (file) {
        (void)fclose(file);
    }
    if (skipped) {
        log_warning("%s: %zu lines make no sense and were skipped", path, skipped);
    }
    server->remembered_changes = broker_learned(server->broker)->changes;
}

static int write_all(const struct learned_table *table, FILE *out)
{
    const struct learned_size *size;
    TAILQ_FOREACH(size, &table->by_use, by_use) {
        (void)fprintf(out, "%" PRIu64 "\t%" PRIu32 "\t%s\t%s\t%s\n", size->bytes, size->key.uid, size->key.class,
                      size->key.client, size->key.workspace);
    }
    bool failed = ferror(out);
    return fclose(out) == 0 && !failed ? 0 : -EIO;
}

/* Written beside it, then put in its place: whoever is killed in between leaves the one of before. */
static int save(const struct learned_table *table, const char *path)
{
    char beside[PATH_MAX], directory[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside) {
        return -ENAMETOOLONG;
    }
    text_copy(directory, sizeof directory, path);
    char *slash = strrchr(directory, '/');
    if (slash && slash > directory) {
        *slash = '\0';
        (void)mkdir(directory, 0700); /* the one above must be there */
    }
    FILE *out = fopen(beside, "we");
    if (!out) {
        return -errno;
    }
    int result = write_all(table, out);
    if (result == 0 && rename(beside, path) < 0) {
        result = -errno;
    }
    if (result < 0) {
        (void)unlink(beside);
    }
    return result;
}

void remembered_save(struct server *server)
{
    const struct learned_table *table = broker_learned(server->broker);
    const char *path = server->config->learned_file;
    if (!path || server->remembered_changes == table->changes) {
        return;
    }
    server->remembered_changes = table->changes;
    int result = save(table, path);
    if (result < 0) {
        log_warning("the learned sizes could not be kept in %s: %s", path, strerrordesc_np(-result));
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One line a size: bytes, user, class, client and workspace, separated by tabs, which no name has in it. */
#include "daemon/runtime/remembered.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/os/replace_file.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/text.h"
#include "proto/name.h"

enum { LINE_BYTES = 512 };

static bool take_word(char **rest, char *to, size_t size)
{
    const char *word = strsep(rest, "\t");
    bool fits = word && strlen(word) < size && name_is_valid(word);
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
        log_warning("%s: skipped %zu lines that are not valid", path, skipped);
    }
    server->remembered.changes = broker_learned(server->broker)->changes;
}

/* ---- keeping ---- */

/* What is to be written, as it was when it was taken: the loop goes on meanwhile, and the disk takes its time. */
struct saving {
    uv_work_t work;
    char *path, *text;
    size_t size;
    uint64_t changes;
    int result;
};

static struct saving *saving_free(struct saving *saving)
{
    free(saving->path);
    free(saving->text);
    free(saving);
    return NULL;
}

static bool print(const struct learned_table *table, struct saving *saving)
{
    const struct learned_size *size;
    FILE *out = open_memstream(&saving->text, &saving->size);
    if (!out) {
        return false;
    }
    TAILQ_FOREACH(size, &table->by_use, by_use) {
        (void)fprintf(out, "%" PRIu64 "\t%" PRIu32 "\t%s\t%s\t%s\n", size->bytes, size->key.uid, size->key.class,
                      size->key.client, size->key.workspace);
    }
    bool failed = ferror(out);
    return fclose(out) == 0 && !failed && saving->text; /* without memory for its end, the C library says nothing */
}

static struct saving *saving_new(const struct learned_table *table, const char *path)
{
    struct saving *saving = calloc(1, sizeof *saving);
    if (!saving) {
        return NULL;
    }
    saving->changes = table->changes;
    saving->path = strdup(path);
    return saving->path && print(table, saving) ? saving : saving_free(saving);
}

/* Any thread. One at a time; what is older than what lies there comes too late. */
static void save(struct saving *saving)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t newest;
    (void)pthread_mutex_lock(&one);
    if (saving->changes > newest) {
        saving->result = replace_file(saving->path, saving->text, saving->size);
        newest = saving->result == 0 ? saving->changes : newest;
    }
    (void)pthread_mutex_unlock(&one);
}

static void say_failure(const char *path, int error)
{
    log_warning("the learned sizes could not be kept in %s: %s", path, strerrordesc_np(-error));
}

static void finish(struct saving *saving)
{
    if (saving->result < 0) {
        say_failure(saving->path, saving->result);
    }
    (void)saving_free(saving);
}

static void save_work(uv_work_t *work)
{
    save(work->data);
}

/* One at a time: if the file's directory can't be written to for now, more of them would take every thread there is. */
static bool is_saving;

static void save_done(uv_work_t *work, int status)
{
    (void)status; /* jobs are never cancelled */
    is_saving = false;
    finish(work->data);
}

/* What has changed since it was taken last; NULL: nothing, or it can't be taken, which was said. */
static struct saving *take_changes(struct server *server)
{
    const struct learned_table *table = broker_learned(server->broker);
    const char *path = server->config->learned_file;
    if (!path || server->remembered.changes == table->changes) {
        return NULL;
    }
    server->remembered.changes = table->changes;
    struct saving *saving = saving_new(table, path);
    if (!saving) {
        say_failure(path, -ENOMEM);
    }
    return saving;
}

void remembered_save(struct server *server)
{
    struct saving *saving = is_saving ? NULL : take_changes(server);
    if (saving) {
        is_saving = true;
        saving->work.data = saving;
        (void)uv_queue_work(&server->loop, &saving->work, save_work, save_done); /* fails for no work only */
    }
}

void remembered_save_now(struct server *server)
{
    struct saving *saving = take_changes(server);
    if (saving) {
        save(saving);
        finish(saving);
    }
}

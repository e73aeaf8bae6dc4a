/* SPDX-License-Identifier: Apache-2.0 */
/* One file, replaced as a whole. */
#include "daemon/runtime/last_good.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/config_print.h"
#include "daemon/config/state_path.h"
#include "daemon/os/replace_file.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"

static const char header[] =
    "# What membrokerd had in force when its configuration files were last good. Not to be edited: it\n"
    "# starts with this if they are bad.\n";

struct keeping {
    uv_work_t work;
    char *path, *text;
    size_t size;
    int result;
};

static void keeping_free(struct keeping *keeping)
{
    free(keeping->path);
    free(keeping->text);
    free(keeping);
}

static bool print(const struct config *config, struct keeping *keeping)
{
    FILE *out = open_memstream(&keeping->text, &keeping->size);
    if (!out) {
        return false;
    }
    (void)fputs(header, out);
    config_print(config, out);
    bool failed = ferror(out);
    return fclose(out) == 0 && !failed && keeping->text;
}

/* NULL: there is no place for it, or no memory; then it is as it was. */
static struct keeping *keeping_new(const struct config *config)
{
    struct keeping *keeping = service_manager_is_there() ? calloc(1, sizeof *keeping) : NULL;
    if (!keeping) {
        return NULL;
    }
    keeping->path = state_path("last-good.conf");
    if (!keeping->path || !print(config, keeping)) {
        keeping_free(keeping);
        return NULL;
    }
    return keeping;
}

static void work(uv_work_t *job)
{
    struct keeping *keeping = job->data;
    keeping->result = replace_file(keeping->path, keeping->text, keeping->size);
}

static void done(uv_work_t *job, int status)
{
    struct keeping *keeping = job->data;
    (void)status; /* jobs are never cancelled */
    if (keeping->result < 0) {
        log_warning("the configuration could not be kept in %s, for a start with bad files: %s", keeping->path,
                    strerrordesc_np(-keeping->result));
    }
    keeping_free(keeping);
}

void last_good_keep(struct server *server)
{
    struct keeping *keeping = keeping_new(server->config);
    if (keeping) {
        keeping->work.data = keeping;
        (void)uv_queue_work(&server->loop, &keeping->work, work, done); /* fails for no work only */
    }
}

void last_good_keep_now(const struct config *config)
{
    struct keeping *keeping = keeping_new(config);
    if (keeping) {
        keeping->work.data = keeping;
        work(&keeping->work);
        done(&keeping->work, 0);
    }
}

struct config *last_good_load(const struct config_options *options)
{
    cleanup(freep) char *path = service_manager_is_there() ? state_path("last-good.conf") : NULL;
    char *error = NULL;
    struct config_options from_there = *options;
    struct config *config;
    if (!path || access(path, F_OK) < 0) {
        return NULL;
    }
    from_there.file = path;
    int result = config_load(&from_there, &config, &error);
    if (result < 0) {
        log_error("nor is the last good configuration: %s", error);
    }
    free(error);
    return result < 0 ? NULL : config;
}

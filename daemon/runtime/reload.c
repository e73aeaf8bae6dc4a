/* SPDX-License-Identifier: Apache-2.0 */
/* Reloading, and what there is to say of the configuration. */
#include "daemon/runtime/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/config_print.h"
#include "daemon/runtime/clock.h"
#include "daemon/runtime/last_good.h"
#include "daemon/runtime/log.h"
#include "daemon/runtime/server.h"
#include "proto/base/cleanup.h"
#include "proto/base/size.h"
#include "proto/base/text.h"

/* Of a reason, so that it fits into an answer beside all else that a status says. The log has it whole. */
enum { COMPLAINT_BYTES = 4096 };

static void log_lines(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        log_warning("%.*s", (int)length, text);
        text += length + (text[length] != '\0');
    }
}

/* What is different in the files and can't change now, for the log and the status. */
static void say_what_stays(struct server *server, const struct config *loaded)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return;
    }
    (void)config_fixed_differences(server->config, loaded, out);
    (void)fclose(out);
    free(server->reload.notices.stays);
    server->reload.notices.stays = text;
    if (text) {
        log_lines(text);
    }
}

void reload_complain(struct reload *reload, const char *error)
{
    free(reload->notices.error);
    reload->notices.error = strndup(error, COMPLAINT_BYTES);
    if (reload->notices.error) {
        text_end_whole(reload->notices.error);
    }
}

void reload_say_ready(const struct reload *reload)
{
    char status[512] = "ready";
    if (reload->notices.error) {
        (void)snprintf(status, sizeof status, "BAD CONFIGURATION, running with earlier settings: %s",
                       reload->notices.error);
    }
    service_manager_ready(status);
}

static int fail(struct server *server, const char *error, int result)
{
    const struct log_about about = {.event = LOG_EVENT_BAD_CONFIGURATION};
    log_line(LOG_LEVEL_ERROR, &about, "not reloaded, the settings stay as they are: %s", error);
    reload_complain(&server->reload, error);
    reload_say_ready(&server->reload);
    return result;
}

int reload(struct server *server)
{
    struct config_options options = {
        .file = server->reload.config_file,
        .socket = server->reload.socket_option,
        .host_total_bytes = server->host_view.host.total_bytes,
    };
    struct config *loaded;
    cleanup(freep) char *error = NULL;
    service_manager_reloading();
    int result = config_load(&options, &loaded, &error);
    if (result < 0) {
        return fail(server, error, result);
    }
    char sentence[MESSAGE_SENTENCE_SIZE];
    const struct broker_settings settings = config_broker_settings(loaded);
    if (!broker_accepts(server->broker, &settings, sentence)) {
        config_free(loaded);
        return fail(server, sentence, -EINVAL);
    }
    free(server->reload.notices.error);
    server->reload.notices.error = NULL;
    say_what_stays(server, loaded);
    if (loaded->doubts) {
        log_lines(loaded->doubts);
    }
    config_adopt(server->config, loaded);
    struct input configure = {.kind = INPUT_CONFIGURE, .settings = config_broker_settings(server->config)};
    executor_feed(server, &configure);
    const struct log_about about = {.event = LOG_EVENT_RELOADED};
    log_line(LOG_LEVEL_INFO, &about, "configuration reloaded");
    reload_check_blocks(server);
    last_good_keep(server);
    reload_say_ready(&server->reload);
    return 0;
}

/* ---- reservations that are older than the configuration ---- */

static bool contradicts_reservations(const struct server *server, char sentence[MESSAGE_SENTENCE_SIZE])
{
    const struct broker_settings settings = config_broker_settings(server->config);
    return !broker_accepts(server->broker, &settings, sentence);
}

void reload_check_reservations(struct server *server)
{
    char sentence[MESSAGE_SENTENCE_SIZE];
    server->reload.notices.contradicts_reservations = contradicts_reservations(server, sentence);
    if (server->reload.notices.contradicts_reservations) {
        log_warning("the reservations stay, but the configuration does not fit them: %s", sentence);
    }
}

/* ---- blocks that are more than the configuration allows ---- */

static void look_at_blocks(struct server *server)
{
    struct notices *notices = &server->reload.notices;
    char sentence[MESSAGE_SENTENCE_SIZE], others[64] = "";
    uint64_t users = broker_count_beyond_sharing(server->broker, sentence);
    free(notices->blocks);
    notices->blocks = NULL;
    notices->blocks_looked_at = clock_monotonic();
    if (users > 1) {
        (void)snprintf(others, sizeof others, "; and so it is with %llu more", (unsigned long long)users - 1);
    }
    if (users && asprintf(&notices->blocks, "the blocks and views stay, but the configuration allows fewer: %s%s",
                          sentence, others) < 0) {
        notices->blocks = NULL;
    }
}

void reload_check_blocks(struct server *server)
{
    look_at_blocks(server);
    if (server->reload.notices.blocks) {
        log_warning("%s", server->reload.notices.blocks);
    }
}

/* Anybody may ask for the status, and this walks all users: so once a second, and only while there is something. */
static const char *blocks_warning(struct server *server)
{
    const struct notices *notices = &server->reload.notices;
    if (notices->blocks && clock_monotonic() - notices->blocks_looked_at >= NANOSECONDS_PER_SECOND) {
        look_at_blocks(server);
    }
    return notices->blocks;
}

/* ---- all of it ---- */

void reload_write_warnings(struct server *server, char *ret, size_t size)
{
    struct notices *notices = &server->reload.notices;
    char sentence[MESSAGE_SENTENCE_SIZE];
    notices->contradicts_reservations = notices->contradicts_reservations && contradicts_reservations(server, sentence);
    const char *blocks = blocks_warning(server);
    (void)snprintf(ret, size, "%s%s%s%s%s%s", notices->contradicts_reservations ? sentence : "",
                   notices->contradicts_reservations ? "\n" : "", blocks ? blocks : "", blocks ? "\n" : "",
                   notices->stays ? notices->stays : "", notices->socket ? notices->socket : "");
}

void reload_close(struct reload *reload)
{
    free(reload->notices.error);
    free(reload->notices.stays);
    free(reload->notices.blocks);
    free(reload->notices.socket);
}

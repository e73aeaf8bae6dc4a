/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config/draft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/cleanup.h"

struct config_draft *draft_new(struct config *config)
{
    struct config_draft *draft = calloc(1, sizeof *draft);
    if (draft) {
        draft->config = config;
    }
    return draft;
}

static void free_rule(struct rule_origins *rule)
{
    free(rule->section.file);
    for (int key = 0; key < SECTION_KEYS; key++) {
        free(rule->keys[key].file);
    }
}

struct config_draft *draft_free(struct config_draft *draft)
{
    for (int id = 0; draft && id < SETTINGS; id++) {
        free(draft->origins[id].file);
    }
    for (size_t i = 0; draft && i < POLICY_RULES_MAX; i++) {
        free_rule(&draft->rules[i]);
    }
    free(draft);
    return NULL;
}

/* "FILE:LINE: [section] key: ", without what is not known; NULL when memory is short. */
static char *place_to_text(const struct config_place *place)
{
    char *text, line[16] = "";
    if (place->line > 0) {
        (void)snprintf(line, sizeof line, ":%d", place->line);
    }
    const char *file = place->file ? place->file : "", *section = place->section ? place->section : "";
    int length =
        asprintf(&text, "%s%s%s%s%s%s%s%s%s", file, line, *file ? ": " : "", *section ? "[" : "", section,
                 *section ? "]" : "", place->key ? " " : "", place->key ? place->key : "", *section ? ": " : "");
    return length < 0 ? NULL : text;
}

__attribute__((format(printf, 3, 0))) static int fail(struct config_draft *draft, const struct config_place *place,
                                                      const char *format, va_list arguments)
{
    cleanup(freep) char *what = NULL, *where = NULL;
    if (draft->error) {
        return -EINVAL;
    }
    if (vasprintf(&what, format, arguments) < 0) {
        what = NULL;
        return -ENOMEM;
    }
    where = place_to_text(place);
    if (!where || asprintf(&draft->error, "%s%s", where, what) < 0) {
        draft->error = NULL;
        return -ENOMEM;
    }
    return -EINVAL;
}

int draft_fail(struct config_draft *draft, const struct config_place *place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = fail(draft, place, format, arguments);
    va_end(arguments);
    return result;
}

int draft_fail_setting(struct config_draft *draft, enum setting_id id, const char *format, ...)
{
    const struct setting_origin *origin = &draft->origins[id];
    const struct config_place place = {origin->file, origin->line, settings[id].section, settings[id].key};
    va_list arguments;
    va_start(arguments, format);
    int result = fail(draft, &place, format, arguments);
    va_end(arguments);
    return result;
}

bool draft_has(const struct config_draft *draft, enum setting_id id)
{
    return draft->origins[id].file != NULL;
}

int draft_remember(struct config_draft *draft, struct setting_origin *origin, const struct config_place *place)
{
    if (origin->file && origin->file_number == draft->file_number) {
        return draft_fail(draft, place, "it was set before, in line %d; keep one of the two", origin->line);
    }
    char *copy = strdup(place->file);
    if (!copy) {
        return draft_fail(draft, place, "out of memory");
    }
    free(origin->file);
    origin->file = copy;
    origin->line = place->line;
    origin->file_number = draft->file_number;
    return 0;
}

int draft_set(struct config_draft *draft, enum setting_id id, const struct config_place *place, const char *text)
{
    struct value_reading reading;
    int result = draft_remember(draft, &draft->origins[id], place);
    if (result < 0) {
        return result;
    }
    const char *wrong = setting_parse(&settings[id], draft->config, draft->config->host_total_bytes, text, &reading);
    return wrong ? draft_fail(draft, place, "\"%s\": %s", text, wrong) : 0;
}

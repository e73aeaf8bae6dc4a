/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the configuration: settings_list.h as tables, and what is done with any key. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config/value.h"

#define SETTING(id, section, key, type, range, field, change, fallback, summary) SETTING_##id,
enum setting_id {
#include "daemon/config/settings_list.h"
    SETTINGS
};
#undef SETTING

/* The keys of [user NAME], [group NAME] and [class NAME]. */
#define SECTION_KEY(id, sections, key, type, range, field, flag, fallback, summary) SECTION_KEY_##id,
enum section_key_id {
#include "daemon/config/settings_list.h"
    SECTION_KEYS
};
#undef SECTION_KEY

enum { SETTING_RESTART = 0, SETTING_RELOAD = 1 };

struct setting {
    const char *section, *key;
    const struct value_type *type;
    size_t offset;         /* of its value, in struct config or struct policy_rule */
    size_t flag;           /* of a bool that tells that it was set; 0: there is none */
    uint32_t least, most;  /* of types with a range */
    bool is_reloadable;    /* can change while the daemon runs */
    bool is_for_classes;   /* of a section's key: only [class NAME] may have it */
    const char *initial;   /* the default as a file has it; NULL: none */
    const char *otherwise; /* then: what counts instead, in words */
    const char *summary;
};

extern const struct setting settings[SETTINGS];
extern const struct setting section_keys[SECTION_KEYS];

/* Finds a setting by name; SETTINGS: there is none. */
enum setting_id setting_find(const char *section, const char *key);

/* Whether any setting is in this section. */
bool setting_has_section(const char *section);

/* `base` is the structure that the key's offset is in. */
void *setting_value(const struct setting *setting, void *base);
const void *setting_const_value(const struct setting *setting, const void *base);

/* Reads its text. Returns what is wrong, or NULL; `reading` may hold the sentence. */
const char *setting_parse(const struct setting *setting, void *base, uint64_t host_bytes, const char *text,
                          struct value_reading *reading);

/* Whether it has a value at all: a group or a directory need not. */
bool setting_is_set(const struct setting *setting, const void *base);

/* Writes the value as the file would have it. */
void setting_print(const struct setting *setting, const void *base, FILE *out);

bool setting_differs(const struct setting *setting, const void *a, const void *b);

/* Sets every key that has a default of its own. False when memory is short. */
bool settings_initialise(void *base, const struct setting *keys, size_t count, uint64_t host_bytes);

/* Lists all keys, for people and for checks: a line each, of columns between tabs, below a line of headings. */
void settings_list(FILE *out);

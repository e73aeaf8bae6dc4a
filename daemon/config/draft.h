/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration in the making: its values so far, where each was set, and the first error. Freed as a whole when the
 * configuration is complete.
 */
#pragma once

#include "daemon/config/config.h"
#include "daemon/config/settings.h"

/* Where a key was last set. */
struct setting_origin {
    char *file; /* NULL: nowhere */
    int line;
    unsigned file_number; /* which of the files that were read; 0: it was an option */
};

struct rule_origins {
    struct setting_origin section; /* where it begins */
    struct setting_origin keys[SECTION_KEYS];
};

struct config_draft {
    struct config *config;
    struct setting_origin origins[SETTINGS];
    struct rule_origins rules[POLICY_RULES_MAX]; /* of each rule of the policy */
    unsigned file_number;                        /* of the file that is being read, from 1 on */
    char *error;                                 /* the first one; NULL: none */
};

/* What an error is about; what is NULL or 0 is left out. */
struct config_place {
    const char *file;
    int line;
    const char *section, *key;
};

/* An empty draft; NULL when memory is short. Takes NULL; returns NULL. The configuration and the error stay. */
struct config_draft *draft_new(struct config *config);
struct config_draft *draft_free(struct config_draft *draft);

/* Remembers the first error as a sentence: "FILE:LINE: [section] key: ...". Returns -EINVAL, or -ENOMEM. */
__attribute__((format(printf, 3, 4))) int draft_fail(struct config_draft *draft, const struct config_place *place,
                                                     const char *format, ...);

/* The same, about a setting, where it was set. */
__attribute__((format(printf, 3, 4))) int draft_fail_setting(struct config_draft *draft, enum setting_id id,
                                                             const char *format, ...);

/* Remembers where a key was set: once in each file, or it is an error. 0 or negative errno. */
int draft_remember(struct config_draft *draft, struct setting_origin *origin, const struct config_place *place);

/* Whether a file, or an option, has set it. */
bool draft_has(const struct config_draft *draft, enum setting_id id);

/* Sets a value from the text of a line. Returns 0 or negative errno with the draft's error set. */
int draft_set(struct config_draft *draft, enum setting_id id, const struct config_place *place, const char *text);

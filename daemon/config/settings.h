/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of settings: the one place that knows each key. It feeds the reader, --check-config, the
 * reload's comparison, and the errors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/config/config.h"

enum setting_id {
    SETTING_SOCKET,
    SETTING_SOCKET_MODE,
    SETTING_SOCKET_GROUP,
    SETTING_HEAP_BYTES,
    SETTING_MAX_BYTES,
    SETTING_MAX_PHYSICAL_BYTES,
    SETTING_MAX_MAPPED_BYTES,
    SETTING_DIRECTORY,
    SETTING_FILES,
    SETTING_DEFAULT_TTL,
    SETTING_MIN_TTL,
    SETTING_MAX_TTL,
    SETTING_RECONNECT_GRACE,
    SETTING_LEARNED_FILE,
    SETTING_MAX_WAITING,
    SETTING_MAX_WAITING_PER_USER,
    SETTING_MAX_WAITING_PER_SESSION,
    SETTING_MAX_WAIT,
    SETTING_AGEING,
    SETTING_TRIM_TIME,
    SETTING_REVOKE_FOR_PRIORITY,
    SETTING_REVOKE_GRACE,
    SETTING_POOL_BYTES,
    SETTING_POOL_SIZES,
    SETTING_PRESSURE_SOME,
    SETTING_PRESSURE_FULL,
    SETTING_PAUSE_RAM_AT,
    SETTING_ALLOW_USERS,
    SETTING_ALLOW_GROUPS,
    SETTING_DENY_USERS,
    SETTING_DENY_GROUPS,
    SETTING_ADMIN_USERS,
    SETTING_ADMIN_GROUPS,
    SETTING_SEE_ALL,
    SETTING_HANDSHAKE_TIME,
    SETTING_MAX_CONNECTIONS,
    SETTING_MAX_SESSIONS_PER_USER,
    SETTING_MAX_REQUESTS,
    SETTING_MAX_REQUESTS_PER_USER,
    SETTING_MAX_MESSAGES,
    SETTING_MAX_MESSAGES_PER_USER,
    SETTING_MAX_UNREAD,
    SETTING_MAX_UNREAD_PER_USER,
    SETTING_MAX_CONTROL_BYTES,
    SETTING_MAX_CONTROL_BYTES_PER_USER,
    SETTINGS
};

enum setting_kind {
    KIND_PATH,
    KIND_MODE,
    KIND_GROUP,
    KIND_SIZE,
    KIND_LIMIT, /* a size, or "nothing" */
    KIND_DURATION,
    KIND_DURATION_OR_0, /* which switches it off */
    KIND_COUNT,
    KIND_FLAG,
    KIND_SIZES,
    KIND_PERCENT,
    KIND_PRESSURE,
    KIND_NUMBER,
    KIND_USERS,
    KIND_GROUPS
};

struct setting {
    const char *section, *key;
    enum setting_kind kind;
    size_t offset;      /* of its value in struct config */
    bool is_reloadable; /* can change while the daemon runs */
};

extern const struct setting settings[SETTINGS];

/* Where a setting was last set; file NULL: nowhere. */
struct setting_origin {
    char *file;
    int line;
};

/* Whether it has a value at all: a group or a directory need not. */
bool setting_is_set(const struct config *config, enum setting_id id);

/* The keys of [user NAME], [group NAME] and [class NAME]. */
enum quota_key {
    QUOTA_USERS,
    QUOTA_GROUPS,
    QUOTA_CLIENTS,
    QUOTA_MAX_BYTES,
    QUOTA_MAX_PHYSICAL_BYTES,
    QUOTA_MAX_MAPPED_BYTES,
    QUOTA_MAX_LEASES,
    QUOTA_MAX_SESSIONS,
    QUOTA_RESERVE_BYTES,
    QUOTA_PRIORITY,
    QUOTA_WEIGHT,
    QUOTA_CHARGE,
    QUOTA_HUGE,
    QUOTA_KEYS
};

/* A configuration in the making. */
struct config_draft {
    struct config *config;
    struct setting_origin origins[SETTINGS];
    struct setting_origin reserves[POLICY_RULES_MAX]; /* where each rule of the policy has its reserve_bytes */
    struct setting_origin huge[POLICY_RULES_MAX];     /* and its huge */
    struct setting_origin sections[POLICY_RULES_MAX]; /* and begins */
    int seen[POLICY_RULES_MAX][QUOTA_KEYS]; /* the lines of its keys in the file that is being read; 0: none */
    char *error;                            /* the first one */
};

/* Forgets what the file before has set: a key may come once in each file. */
void draft_begin_file(struct config_draft *draft);

/* Remembers the first error as a sentence: "FILE:LINE: [section] key: ..." where it is about a setting. Returns
 * -EINVAL. */
__attribute__((format(printf, 5, 6))) int draft_fail(struct config_draft *draft, const char *file, int line,
                                                     const struct setting *setting, const char *format, ...);

/* Remembers where something was said last. 0 or negative errno. */
int draft_remember(struct config_draft *draft, struct setting_origin *origin, const char *file, int line);

/* Whether a file, or an option, has set it. */
bool draft_has(const struct config_draft *draft, enum setting_id id);

/* Reads a size that 0 and "unlimited" switch off, and "nothing" sets to 0. Returns what is wrong, or NULL. */
const char *limit_from_text(const char *text, uint64_t whole, uint64_t *ret);

/* Write a size that can be read back, and how much it is about if that is hard to see. A limit of 0 is "nothing". */
void size_print(uint64_t bytes, FILE *out);
void limit_print(uint64_t bytes, FILE *out);

/* Sets a value from its text. Returns 0 or negative errno with the draft's error set. */
int setting_parse(struct config_draft *draft, enum setting_id id, const char *file, int line, const char *text);

/* Writes the value as the file would have it. */
void setting_print(const struct config *config, enum setting_id id, FILE *out);

/* Whether one value is larger than the other of the same kind: sizes, numbers or durations. */
bool setting_is_larger(const struct config *config, enum setting_id id, enum setting_id than);

/* Whether two configurations differ in it. */
bool setting_differs(enum setting_id id, const struct config *a, const struct config *b);

/* Reads one file into the draft. `must_exist` false: no such file is fine. Returns 0 or negative errno with the error
 * set. */
int config_file_read(struct config_draft *draft, const char *path, bool must_exist);

/* Reads every NAME.conf of a directory, which may be absent, in alphabetical order. */
int config_drop_ins_read(struct config_draft *draft, const char *directory);

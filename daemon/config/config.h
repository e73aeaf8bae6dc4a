/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective configuration: defaults, then the configuration file, then its drop-ins
 * (membroker.conf.d/NAME.conf in alphabetical order), each later one winning.
 *
 * A configuration is immutable once loaded; a reload makes a new one.
 */
#pragma once

#include <stdio.h>
#include <sys/types.h>

#include "daemon/core/input.h"

/* What control pages may take; a user's first few are never refused for what others have. */
struct control_bounds {
    uint64_t bytes_max, user_bytes_max;
};

/* What one client, or one user, may demand of the daemon itself. */
struct client_bounds {
    uint32_t handshake_ms;          /* from connecting to the hello */
    uint32_t connections_max;       /* of a user, at once */
    uint32_t messages_max;          /* of a connection in a second; more are read later */
    uint32_t user_messages_max;     /* of all connections of a user in a second */
    uint64_t unread_bytes_max;      /* queued for a connection that does not read; beyond, it is cut off */
    uint64_t user_unread_bytes_max; /* queued for all connections of a user */
    struct control_bounds control;  /* of control pages */
};

enum { CONFIG_SOCKET_SETTINGS = 3 };

struct config {
    /* [server] */
    char *socket;
    mode_t socket_mode;
    gid_t socket_group;                       /* (gid_t)-1: leave it */
    char *socket_group_name;                  /* NULL: none */
    char *sources;                            /* the files that were read; NULL: none */
    char *doubts;                             /* what they say and can't have meant, a line each; NULL: nothing */
    bool socket_said[CONFIG_SOCKET_SETTINGS]; /* which of the three are in the files: socket, its mode, its group */
    /* [limits]; LIMIT_OFF where switched off */
    uint64_t heap_bytes;
    struct byte_limits limits;
    /* [mapped] */
    char *spill_directory;
    char *files_directory; /* NULL: programs can't name files */
    /* [leases] */
    struct lease_times times;
    char *learned_file; /* NULL: sizes are not remembered over a restart */
    /* [queue], [pool], [pressure] */
    struct queue_settings queue;
    struct pool_settings pool;
    uint32_t pressure_some, pressure_full; /* per cent of the time that processes wait for memory */
    enum pressure pause_ram_at;
    /* [clients] */
    struct client_bounds clients;
    uint32_t requests_max;                         /* of a session, under way at once */
    uint32_t user_requests_max, user_sessions_max; /* of a user */
    struct policy policy; /* [access], [user ...], [group ...] and [class ...], in the order in which they first came */
    uint64_t host_total_bytes; /* what the defaults and percentages were taken of: memory of machine or cgroup */
};

struct config_options {
    const char *file;          /* NULL: the default path, which may be absent; a named file must exist */
    const char *socket;        /* overrides [server] socket; NULL: no override */
    uint64_t host_total_bytes; /* of the machine or its cgroup, whichever is smaller */
    bool look_only;            /* make no directory */
};

/*
 * Loads the configuration, creating the spill directory (mode 0700) where it is absent, unless look_only: the default
 * of max_mapped_bytes is half of what its file system has free. Returns 0 and sets *ret (caller frees with
 * config_free()), or negative errno and sets *ret_error to a sentence that names file, line and key
 * (caller frees).
 */
int config_load(const struct config_options *options, struct config **ret, char **ret_error);

/* Where a file of state that outlives the service lies; NULL: there is no such place. The caller frees it. */
char *config_state_path(const char *name);

/* What of it the broker's core goes by; borrows the policy. */
struct broker_settings config_broker_settings(const struct config *config);

/* Takes what can change at run time from another configuration, which is freed. */
void config_adopt(struct config *config, struct config *loaded);

/* Takes NULL; returns NULL. */
struct config *config_free(struct config *config);

/* Writes the effective configuration in the file's own syntax (it can be loaded again). */
void config_print(const struct config *config, FILE *out);

/*
 * Compares a newly loaded configuration with the one in force: writes to `out` a line for each setting that differs but
 * cannot change at run time (socket, socket_mode, socket_group, directory). Returns how many.
 */
size_t config_fixed_differences(const struct config *in_force, const struct config *loaded, FILE *out);

/* Writes a line for each setting that has no effect where the service manager makes the socket. Returns how many. */
size_t config_notes(const struct config *config, FILE *out);

/* Writes a line for each setting that is allowed but doubtful (a limit beyond the host's memory). Returns how many. */
size_t config_warnings(const struct config *config, const char *before, FILE *out);

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

#include "daemon/config/value.h"
#include "daemon/core/input.h"

/* Limits on control pages. A user's first few are granted whatever other users have. */
struct control_bounds {
    uint64_t bytes_max, user_bytes_max;
};

/* Limits on what a client or a user may demand of the daemon itself. */
struct client_bounds {
    uint32_t handshake_ms;          /* from connecting to the hello */
    uint32_t connections_max;       /* of a user, at the same time */
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
    struct group_choice socket_group;         /* gid (gid_t)-1: leave it */
    char *sources;                            /* the files that were read; NULL: none */
    char *doubts;                             /* settings that are probably a mistake, a line each; NULL: none */
    bool socket_said[CONFIG_SOCKET_SETTINGS]; /* whether the files set the socket, its mode, its group */
    /* what the core uses of [limits], [leases], [queue], [pool], [pressure] and [clients] */
    struct broker_settings broker; /* without the policy */
    uint64_t heap_bytes;           /* LIMIT_OFF if switched off */
    /* [mapped] */
    char *spill_directory;
    char *files_directory; /* NULL: programs can't name files */
    /* [leases], [pressure], [clients] */
    char *learned_file;                    /* NULL: sizes are not remembered over a restart */
    uint32_t pressure_some, pressure_full; /* per cent of the time that processes wait for memory */
    struct client_bounds clients;
    bool hold_while_stopped; /* [reservations] */
    uint32_t history_interval_ms;
    uint64_t history_bytes; /* 0: no history */
    struct policy policy; /* [access], [user ...], [group ...] and [class ...], in the order in which they first came */
    uint64_t host_total_bytes; /* what percentages refer to: the memory of the machine or its cgroup */
};

struct config_options {
    const char *file;          /* NULL: the default path, which may be absent; a named file must exist */
    const char *socket;        /* overrides [server] socket; NULL: no override */
    uint64_t host_total_bytes; /* of the machine or its cgroup, whichever is smaller */
    bool look_only;            /* make no directory */
};

/*
 * Loads the configuration. Creates the spill directory (mode 0700) if it does not exist, unless look_only: the default
 * of max_mapped_bytes is half of the free space of its file system. Returns 0 and sets *ret (caller frees with
 * config_free()), or negative errno and sets *ret_error to a sentence that names file, line and key
 * (caller frees).
 */
int config_load(const struct config_options *options, struct config **ret, char **ret_error);

/* The settings of the broker's core; they borrow the policy. */
struct broker_settings config_broker_settings(const struct config *config);

/* Takes every setting that a reload changes from another configuration, and frees that one. */
void config_adopt(struct config *config, struct config *loaded);

/* Takes NULL; returns NULL. */
struct config *config_free(struct config *config);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the configuration again: all of it is good and what can change does, or nothing changes. What an
 * administrator should know of the configuration is in the log, and in the status until it is set right.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

/* What an administrator should know of the configuration; NULL: nothing. */
struct notices {
    char *error;                   /* why the files are not in force */
    char *stays;                   /* what a reload could not change; lines */
    char *socket;                  /* which settings the service manager's socket overrides; lines */
    char *blocks;                  /* who has more than it allows; until nobody has */
    uint64_t blocks_looked_at;     /* ns */
    bool contradicts_reservations; /* that a daemon before this one made; until they are given up, or a reload fits */
};

struct reload {
    const char *config_file;   /* as given; NULL: the default */
    const char *socket_option; /* as given; NULL: none */
    struct notices notices;
};

/* 0 or negative errno, and then the notices say why. */
int reload(struct server *server);

/* The configuration files are bad: the service runs with other settings, and says why. */
void reload_complain(struct reload *reload, const char *error);

/* At a start, when all reservations are there. They stay, whatever the configuration says; the log says what it is. */
void reload_check_reservations(struct server *server);

/* Says in the log and in the status who has more blocks or views than the settings allow: none of them is taken away.
 */
void reload_check_blocks(struct server *server);

/* All that an administrator should know but for the error, as lines. */
void reload_write_warnings(struct server *server, char *ret, size_t size);

/* Tells the service manager that the service is ready, and how its configuration is. */
void reload_say_ready(const struct reload *reload);

void reload_close(struct reload *reload);

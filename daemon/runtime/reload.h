/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the configuration again: all of it is good and what can change does, or nothing changes. What an
 * administrator should know of the configuration is in the log, and in the status until it is set right.
 */
#pragma once

#include "daemon/runtime/server.h"

/* 0 or negative errno; server->notices.error says why then. */
int reload(struct server *server);

/* The configuration files are bad: the service runs with other settings, and says why. */
void reload_complain(struct server *server, const char *error);

/* Tells the service manager that the service is ready, and how its configuration is. */
void reload_say_ready(const struct server *server);

void reload_close(struct server *server);

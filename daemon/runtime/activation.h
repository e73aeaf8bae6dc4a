/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket that the service manager made: its path, mode and group are its unit's, whatever the configuration
 * says of them. An administrator who set them in the wrong place is told so, and told when the socket's file is gone,
 * which no restart of the daemon brings back.
 */
#pragma once

#include "daemon/config/config.h"

/* Compares the socket at `path` with the configuration. Returns what differs, in lines that are also logged; the
 * caller frees it. NULL: out of memory. */
char *activation_check(const struct config *config, const char *path);

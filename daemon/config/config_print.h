/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to say of a configuration: all of it, or what an administrator should know. */
#pragma once

#include "daemon/config/config.h"

/* Writes the effective configuration in the file's own syntax (it can be loaded again). */
void config_print(const struct config *config, FILE *out);

/*
 * Compares a newly loaded configuration with the one in force: writes to `out` a line for each setting that differs but
 * cannot change at run time. Returns how many.
 */
size_t config_fixed_differences(const struct config *in_force, const struct config *loaded, FILE *out);

/* Writes a line for each setting that has no effect if the service manager makes the socket. Returns how many. */
size_t config_notes(const struct config *config, FILE *out);

/* Writes a line for each setting that is allowed but doubtful (a limit beyond the host's memory). Returns how many. */
size_t config_warnings(const struct config *config, const char *before, FILE *out);

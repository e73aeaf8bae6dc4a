/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last good configuration, kept in the state directory: a service whose configuration files went bad starts with
 * it, and says so, instead of not starting. It is what --check-config would print of the settings in force. Only under
 * a service manager: who starts the daemon by hand sees the error, and decides.
 */
#pragma once

#include "daemon/config/config.h"

struct server;

/* Loads it. NULL: there is none, or it is no good now either, which is logged. */
struct config *last_good_load(const struct config_options *options);

/* Keeps the configuration in force; on the thread pool, but for the first time, when nobody waits yet. */
void last_good_keep(struct server *server);
void last_good_keep_now(const struct config *config);

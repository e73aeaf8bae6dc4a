/* SPDX-License-Identifier: Apache-2.0 */
/* What the user can do to a row: revoke or unpublish it, and ask why. */
#pragma once

#include "client/ctl/top_source.h"
#include "client/ctl/top_view.h"

struct command {
    struct source *source;
    struct model *model;
    struct view *view;
    const struct row *chosen; /* NULL: none */
};

/* Asks the user whether the chosen lease, or all leases of the chosen session, shall be revoked; or whether the chosen
 * block shall be unpublished. */
void command_ask_revoke(const struct command *command);

/* Revokes or unpublishes what was asked about. */
void command_revoke(const struct command *command, uint64_t now_ms);

/* Shows why the requests of the chosen row's session, or all requests, wait or were refused. */
void command_why(const struct command *command);

void command_help(struct view *view);

/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's own workspaces: finding one, and refusing those of other threads. */
#pragma once

#include "client/workspace/workspace.h"

/* Returns 0, or -EPERM with the sentence set if the workspace belongs to another thread or process. */
int own_check(const mb_workspace *workspace);

/* This thread's workspace of that name; NULL: it has none. `client` NULL: of any client. */
mb_workspace *own_find(const mb_client *client, const char *name);

/* This thread's workspace with that record. */
mb_workspace *own_of_origin(const struct origin *origin);

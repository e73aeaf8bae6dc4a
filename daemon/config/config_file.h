/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files, and directories of drop-ins. */
#pragma once

#include "daemon/config/draft.h"

/* Reads one file into the draft. `must_exist` false: no such file is fine. Returns 0 or negative errno with the error
 * set. */
int config_file_read(struct config_draft *draft, const char *path, bool must_exist);

/* Reads every NAME.conf of a directory, which may be absent, in alphabetical order. */
int config_drop_ins_read(struct config_draft *draft, const char *directory);

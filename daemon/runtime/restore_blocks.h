/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and views of before a restart. */
#pragma once

struct restoring;

/* Restores them, after sessions and the segments of leases. */
void restore_blocks(struct restoring *restoring);

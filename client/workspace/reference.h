/* SPDX-License-Identifier: Apache-2.0 */
/* What only a workspace's own thread knows of a reference's memory, beyond the record that all threads read. */
#pragma once

#include <stdbool.h>

#include "client/workspace/origin.h"

/* If the calling thread owns the workspace, notes in the record what was bumped since. */
void reference_publish_position(const struct origin *origin);

/* Whether the lease that holds the memory has ended. Always false in another thread than the owner's. */
bool reference_is_lost(const mb_ref *ref);

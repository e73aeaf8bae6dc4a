/* SPDX-License-Identifier: Apache-2.0 */
/* A lease's memory in this process. */
#pragma once

#include "client/lease.h"

/* Removes a lease's mappings and closes its descriptors. No lock is needed. */
void mapping_remove(mb_lease *lease);

/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for leases. */
#pragma once

#include "membroker.h"

/* As mb_acquire(), for memory that can be published. The options are RAM's, and complete. */
int acquire_publishable(mb_client *client, uint64_t bytes, const mb_lease_options *options, mb_lease **ret_lease);

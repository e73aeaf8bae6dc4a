/* SPDX-License-Identifier: Apache-2.0 */
/* Reserving bytes in one location, within the ledger's limits and the memory that the host has. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/* Charges the account. False, with the reason, if it does not fit beside what is claimed: nothing has changed. */
bool reserve_bytes(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                   struct charge *ret_charge, struct denial *ret_denial);

/* Whether it would fit; nothing changes. */
bool reserve_would_fit(struct broker *broker, struct account *account, uint64_t bytes, enum location location,
                       struct denial *ret_denial);

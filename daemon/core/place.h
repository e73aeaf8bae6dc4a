/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a request go: to RAM or, if the request allows it, to a file. */
#pragma once

#include "daemon/core/broker_state.h"
#include "daemon/core/denial.h"

/* Whether a request that may go to either location may go to a file now. */
enum file_choice {
    FILE_NEVER,
    FILE_UNLESS_FREEING, /* not while enough RAM is being freed */
    FILE_AT_ONCE,
};

/* Charges the account; the pool gives up what is in the way. False, with the reason, if it does not fit now. */
bool place_bytes(struct step *step, struct account *account, uint64_t bytes, enum location wanted,
                 enum file_choice files, struct charge *ret_charge, struct denial *ret_denial);

/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a demand makes sense. Each check answers, and returns false, if it does not. */
#pragma once

#include "daemon/core/broker_state.h"

/* False: so many requests of the session or its user are under way that another is too many. */
bool demand_check_under_way(struct step *step, const struct session *session, uint64_t request_id);

/* False: the broker grants no such TTL; 0 is the default. */
bool demand_check_ttl(struct step *step, const struct session *session, uint64_t request_id, uint32_t ttl);

/* Checks what the request says, resolves it, and checks what that comes to. */
bool demand_check(struct step *step, const struct session *session, struct demand *demand);

/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds on descriptors in flight; a queue that shares its room by dynamic thresholds has the same rule. */
#include "daemon/runtime/in_flight.h"

void in_flight_init(struct in_flight *in_flight, uint32_t descriptors)
{
    enum { USER_LEAST = 16, USER_SHARE = 8 };
    uint32_t user_most = descriptors / USER_SHARE > USER_LEAST ? descriptors / USER_SHARE : USER_LEAST;
    uint32_t most = descriptors / 2;
    *in_flight = (struct in_flight){.most = most, .shared = most - most / 4, .user_most = user_most};
}

bool in_flight_allows(const struct in_flight *in_flight, uint32_t of_user)
{
    uint32_t left = in_flight->total < in_flight->shared ? in_flight->shared - in_flight->total : 0;
    bool is_modest = of_user < IN_FLIGHT_FEW;
    return in_flight->total < in_flight->most && of_user < in_flight->user_most && (is_modest || of_user < left);
}

void in_flight_note_refused(struct in_flight *in_flight, uint32_t of_user)
{
    in_flight->is_short = in_flight->is_short || of_user < IN_FLIGHT_FEW;
}

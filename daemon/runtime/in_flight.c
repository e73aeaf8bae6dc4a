/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds on descriptors in flight; a queue that shares its room by dynamic thresholds has the same rule. */
#include "daemon/runtime/in_flight.h"

void in_flight_init(struct in_flight *in_flight, uint32_t descriptors)
{
    enum { USER_LEAST = 16, USER_SHARE = 8 };
    uint32_t user_most = descriptors / USER_SHARE > USER_LEAST ? descriptors / USER_SHARE : USER_LEAST;
    uint32_t most = descriptors / 2;
    *in_flight = (struct in_flight){
        .most = most, .shared = most - most / 4, .user_most = user_most, .readers_most = most + most / 2};
}

/* What is kept for users with few shrinks from a few for each to one. */
static uint32_t kept_for_each(const struct in_flight *in_flight)
{
    uint32_t left = in_flight->most - in_flight->total, kept = in_flight->most - in_flight->shared;
    uint32_t each = in_flight->total < in_flight->shared ? IN_FLIGHT_FEW : IN_FLIGHT_FEW * left / kept;
    return each > 0 ? each : 1;
}

bool in_flight_allows(const struct in_flight *in_flight, uint32_t of_user, bool is_reader)
{
    if (in_flight_is_full(in_flight)) {
        return is_reader && of_user == 0 && in_flight->total < in_flight->readers_most;
    }
    uint32_t left = in_flight->total < in_flight->shared ? in_flight->shared - in_flight->total : 0;
    return of_user < in_flight->user_most && (of_user < kept_for_each(in_flight) || of_user < left);
}

bool in_flight_is_low(const struct in_flight *in_flight)
{
    enum { LOW_PART = 16 };
    return in_flight->total < in_flight->most / LOW_PART;
}

bool in_flight_is_full(const struct in_flight *in_flight)
{
    return in_flight->total >= in_flight->most;
}

void in_flight_note_refused(struct in_flight *in_flight, uint32_t of_user)
{
    in_flight->is_short = in_flight->is_short || (of_user < IN_FLIGHT_FEW && in_flight_is_full(in_flight));
}

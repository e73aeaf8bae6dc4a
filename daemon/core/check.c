/* SPDX-License-Identifier: Apache-2.0 */
/* Checks everything, object by object: what others rely on first. */
#include "daemon/core/check.h"

const char *broker_check(const struct broker *broker)
{
    const char *wrong = check_segments(broker);
    wrong = wrong ? wrong : check_sessions(broker);
    wrong = wrong ? wrong : check_leases(broker);
    wrong = wrong ? wrong : check_queue(broker);
    wrong = wrong ? wrong : check_principals(broker);
    wrong = wrong ? wrong : check_reservations(broker);
    wrong = wrong ? wrong : check_accounts(broker);
    wrong = wrong ? wrong : check_pool(broker);
    wrong = wrong ? wrong : check_blocks(broker);
    wrong = wrong ? wrong : check_boards(broker);
    wrong = wrong ? wrong : check_watches(broker);
    return wrong ? wrong : check_learned(&broker->learned);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses calls on a client that was inherited by a fork. */
#include "client/owner.h"

#include <errno.h>
#include <unistd.h>

#include "client/client.h"
#include "client/error.h"

int owner_check(const mb_client *client)
{
    if (client->owner == getpid()) {
        return 0;
    }
    return error_set(-EPERM,
                     "this client belongs to process %d, from which this one was forked; connect again in the child",
                     (int)client->owner);
}

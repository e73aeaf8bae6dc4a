/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the broker which waits the program cancelled. The client's lock is held. */
#pragma once

#include <stdbool.h>

#include "membroker.h"

/* Sends what is owed, as far as the socket takes it. */
void cancel_send(mb_client *client);

bool cancel_is_owed(const mb_client *client);

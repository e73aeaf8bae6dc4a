/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections each user has. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

struct caller;
LIST_HEAD(caller_list, caller);

/* One connection more of this user. Returns how many there are now, or -ENOMEM. */
int64_t callers_add(struct caller_list *callers, uint32_t uid);

/* One connection less, of a user that has one. */
void callers_remove(struct caller_list *callers, uint32_t uid);

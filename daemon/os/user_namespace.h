/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a user id is that came from a user namespace. A user with a range of subordinate ids can appear as each of
 * them: the kernel knows who made the namespace, and /etc/subuid to whom the range was given.
 */
#pragma once

#include <stdint.h>

/*
 * The user who owns the outermost namespace of this process that is not ours: 0 and *ret_owner, as our namespace sees
 * it; 1: the process is in our own namespace. -EACCES: we may not look (it takes the same user or CAP_SYS_PTRACE);
 * -ESRCH: it has ended; -EPERM: its namespace is not below ours; or negative errno. A process can only go further down
 * from the namespace that it was in, so this does not change while it lives.
 */
int user_namespace_owner(int pidfd, uint32_t *ret_owner);

/* The namespace of a process by its pidfd, and by /proc where the kernel can't (before 6.11). For the tests. */
int user_namespace_open(int pidfd);
int user_namespace_open_by_proc(int pidfd);

/* The user to whom this subordinate id was given (subuid(5)): 1 and *ret_owner; 0: to none. */
int user_namespace_subordinate_owner(uint32_t uid, uint32_t *ret_owner);

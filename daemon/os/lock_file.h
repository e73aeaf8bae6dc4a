/* SPDX-License-Identifier: Apache-2.0 */
/* A lock between daemons of one user: other users can not open the file, and so can not lock it. */
#pragma once

/*
 * Makes the file if it is absent and locks it. Never blocks. Returns the descriptor; -EBUSY: another process has the
 * lock; -EPERM: there is something that is not a file of this user's alone; or negative errno.
 */
int lock_file_take(const char *path);

/* Removes the file and lets go of it. */
void lock_file_drop(const char *path, int fd);

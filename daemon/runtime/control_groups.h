/* SPDX-License-Identifier: Apache-2.0 */
/* The control groups of a client's process, by which it gets a class. */
#pragma once

#include <stdint.h>

/*
 * Reads them, for a process that has this pidfd. 0, and *ret is valid until the next call; NULL there: the process has
 * ended, or the kernel does not tell. -E2BIG: they are longer than the broker keeps, which a process can bring about to
 * hide where it is.
 */
int control_groups_read(int32_t pid, int pidfd, const char **ret);

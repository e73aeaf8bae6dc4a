/* SPDX-License-Identifier: Apache-2.0 */
/* Makes all pages of a memfd, with several threads if they are many. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Every page of a writable mapping exists then. Returns 0 or negative errno: -EINVAL before Linux 5.14. Any thread. */
int populate_mapping(void *address, uint64_t bytes);

/*
 * Every page exists and is zero then. `transparent`: huge ones, if the host gives shared memory any through a mapping
 * with that advice. Returns 0 or negative errno: then some of the pages may exist. For worker processes, which may have
 * threads of their own.
 */
int populate_memory(int fd, uint64_t bytes, bool transparent);

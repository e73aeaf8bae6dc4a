/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes that workspaces learned, kept in a file: over restarts of the daemon and of the machine. */
#pragma once

#include <stdint.h>

struct server;

struct remembered {
    uint64_t changes; /* of the learned sizes, when they were last saved */
};

/* Reads the file, if there is one; a line that makes no sense is skipped. */
void remembered_load(struct server *server);

/* Writes the file again if anything has changed: a new file replaces it. The first one does so on the thread pool, the
 * second immediately, when the daemon ends. */
void remembered_save(struct server *server);
void remembered_save_now(struct server *server);

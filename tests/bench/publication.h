/* SPDX-License-Identifier: Apache-2.0 */
/* What programs that measure published blocks call. An error ends the program. */
#pragma once

#include <membroker.h>
#include <stddef.h>
#include <sys/types.h>

mb_client *connect_one(void);

/* A block that attach_read() knows. */
mb_block *block_create(mb_client *client, size_t bytes);
void block_publish(mb_block *block, const char *name);

/* Waits for the name for 10 s. */
mb_view *view_attach(mb_client *client, const char *name);
void view_end(mb_view *view);

/* Runs the verb in another process, whose end is to be waited for. */
pid_t process_start(void (*verb)(int pipe), int pipe);
void process_finish(pid_t process);

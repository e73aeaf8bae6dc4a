/* SPDX-License-Identifier: Apache-2.0 */
/* The largest workspaces and buffers of this process, for the sentence of a refusal. */
#pragma once

#include <stdint.h>

#include "proto/message.h"

enum { HOLDERS_MAX = 3, HOLDERS_TEXT_BYTES = 512 };

struct local_holder {
    const char *kind; /* "workspace", "buffer" */
    char name[MESSAGE_NAME_SIZE];
    uint64_t bytes; /* 0: none */
};

/* Files a holder among the largest, which are holders[HOLDERS_MAX], the largest first. */
void holders_add(struct local_holder *holders, const char *kind, const char *name, uint64_t bytes);

/* Writes them to text[HOLDERS_TEXT_BYTES], as what follows a sentence; empty if there are none. */
void holders_describe(const struct local_holder *holders, char *text);

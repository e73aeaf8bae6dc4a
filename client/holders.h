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

/* Adds a holder to holders[HOLDERS_MAX] if it is among the largest. The largest comes first. */
void holders_add(struct local_holder *holders, const char *kind, const char *name, uint64_t bytes);

/* Writes to text[HOLDERS_TEXT_BYTES] what follows the sentence of a refusal. Empty if there are no holders. */
void holders_describe(const struct local_holder *holders, char *text);

/* SPDX-License-Identifier: Apache-2.0 */
/* The last minutes of one value: a sample for each slot of time. */
#pragma once

#include <stdint.h>

enum { HISTORY_SAMPLES = 30, HISTORY_SLOT_MS = 10000 };

struct history {
    uint64_t slot;                  /* of the newest sample; 0: there is none */
    float samples[HISTORY_SAMPLES]; /* the newest one last; negative: none */
};

/* Notes the value at a time. Slots between, in which nothing was noted, have the value before them. */
void history_note(struct history *history, uint64_t now_ms, uint64_t value);

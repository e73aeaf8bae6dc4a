/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ctl/top_history.h"

#include <string.h>

static void begin(struct history *history, uint64_t slot)
{
    for (int i = 0; i < HISTORY_SAMPLES; i++) {
        history->samples[i] = -1;
    }
    history->slot = slot;
}

static void move_on(struct history *history)
{
    memmove(history->samples, history->samples + 1, sizeof history->samples - sizeof *history->samples);
    history->slot++;
}

void history_note(struct history *history, uint64_t now_ms, uint64_t value)
{
    uint64_t slot = now_ms / HISTORY_SLOT_MS + 1;
    if (history->slot == 0 || slot > history->slot + HISTORY_SAMPLES) {
        begin(history, slot);
    }
    while (history->slot < slot) {
        move_on(history);
    }
    history->samples[HISTORY_SAMPLES - 1] = (float)value;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How often something happens, of counters that begin again when the daemon does. */
#pragma once

#include <stdbool.h>

#include "proto/message.h"

struct rates {
    bool is_known; /* there were two samples */
    double granted, refused, expired;
    bool has_last; /* the rest is the sample before */
    uint64_t last_ms;
    struct broker_counters last;
};

void rates_note(struct rates *rates, uint64_t now_ms, const struct broker_counters *counters);

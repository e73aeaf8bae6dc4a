// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.time.Duration;

/** Durations for the shim. */
final class Milliseconds {
    private Milliseconds() {
    }

    /** Rounded up, so that a short wait is not none; at most about 24 days. */
    static int of(Duration duration) {
        if (duration.isNegative()) {
            throw new IllegalArgumentException("a duration is negative: " + duration);
        }
        Duration largest = Duration.ofMillis(Integer.MAX_VALUE);
        return duration.compareTo(largest) >= 0 ? Integer.MAX_VALUE : (int) duration.plusNanos(999_999).toMillis();
    }
}

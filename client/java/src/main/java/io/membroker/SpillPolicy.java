// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** What happens to an allocation that does not fit the arena. */
public enum SpillPolicy {
    /** It is outside the arena until the end of the cycle. */
    EXTERNAL(0),
    /** The same, and the arena grows at the end of the cycle. */
    REALLOCATE(1),
    /** It is refused with a {@link MemoryLimitException}. */
    FAIL(2);

    final int code;

    SpillPolicy(int code) {
        this.code = code;
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** How a workspace learns the size of its arena. */
public enum LearningPolicy {
    /** From the first cycle that allocates. */
    FIRST_LOOP(1),
    /** From the largest of several cycles, or when it is told to. */
    OVER_TIME(2),
    /** It does not: it always has its initial size. */
    NONE(3);

    final int code;

    LearningPolicy(int code) {
        this.code = code;
    }
}

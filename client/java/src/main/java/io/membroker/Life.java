// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * Until when memory may be used: memory of cycle n is alive if n is at least {@link #oldest}. The fields are plain, so
 * that the compiler can move the check out of a loop.
 */
final class Life {
    static final long OVER = Long.MAX_VALUE;

    /** The only thread that may use the memory; null: any. */
    final Thread owner;

    long oldest;

    Life(Thread owner) {
        this.owner = owner;
    }

    boolean isOver() {
        return oldest == OVER;
    }

    void end() {
        oldest = OVER;
    }
}

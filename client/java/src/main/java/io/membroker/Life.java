// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.invoke.VarHandle;

/**
 * Until when memory may be used: memory of cycle n is alive if n is at least {@link #oldest}. The fields are plain, so
 * that the compiler can move the check out of a loop.
 *
 * <p>So a thread in a loop does not see that another one ends the memory. Memory for any thread therefore belongs to the
 * thread that made it until another one comes to use it, and whoever ends it learns whether one did. An address alone is
 * no use: nothing here checks what is done with it.
 */
final class Life {
    static final long OVER = Long.MAX_VALUE;

    /** The only thread that uses the memory; null: several do. */
    Thread owner;

    long oldest;
    private final boolean isConfined;
    private volatile boolean isUsed;

    private Life(boolean isConfined) {
        this.owner = Thread.currentThread();
        this.isConfined = isConfined;
    }

    /** Only the calling thread may use the memory. */
    static Life ofThisThread() {
        return new Life(true);
    }

    /** Any thread may. */
    static Life ofAnyThread() {
        return new Life(false);
    }

    /** Before a view is made, or a call has the library look at the memory; the check comes after it. */
    void use() {
        if (!isUsed) {
            isUsed = true;
        }
    }

    /** Another thread than the owner wants to use the memory. False: it may not. */
    synchronized boolean share() {
        if (!isConfined && !isOver()) {
            owner = null;
        }
        return !isConfined;
    }

    boolean isOver() {
        return oldest == OVER;
    }

    /** Returns whether another thread may be in a loop that has checked the memory before. */
    synchronized boolean end() {
        oldest = OVER;
        VarHandle.fullFence(); // either the first use sees the end, or this sees the use
        return isUsed && (owner == null || owner != Thread.currentThread() && owner.isAlive());
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.invoke.VarHandle;

/**
 * Until when memory may be used: memory is alive if its place, such as the number of its cycle, is at least
 * {@link #oldest}. The fields are plain, so that the compiler can move the check out of a loop.
 *
 * <p>A thread in such a loop does not see that another one ends the memory. So memory for any thread belongs to the thread
 * that made it until another one uses it, and {@link #end} says whether one did. To ask for the address is no use: nothing
 * can check what is done with it.
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

    /** Notes that the memory is used. The check comes after this, and then the view is made or the library called. */
    void use() {
        if (!isUsed) {
            isUsed = true;
        }
    }

    /** For a thread that is not the owner and wants to use the memory. False: it may not. */
    synchronized boolean share() {
        if (!isConfined && !isOver()) {
            owner = null;
        }
        return !isConfined;
    }

    boolean isOver() {
        return oldest == OVER;
    }

    /** After an end that did not come about. */
    synchronized void resume() {
        oldest = 0;
    }

    /** Returns whether another thread may be in a loop that checked the memory before its end. */
    synchronized boolean end() {
        oldest = OVER;
        VarHandle.fullFence(); // either the first use sees the end, or this sees the use
        return isUsed && (owner == null || owner != Thread.currentThread() && owner.isAlive());
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Waits that an interrupt does not shorten: memory comes from them. The thread stays interrupted. */
final class Pauses {
    private Pauses() {
    }

    /** Waits for the latch, but no longer than that. */
    static void await(CountDownLatch latch, long milliseconds) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(milliseconds);
        boolean isInterrupted = false;
        for (boolean isOver = false; !isOver;) {
            try {
                isOver = latch.await(end - System.nanoTime(), TimeUnit.NANOSECONDS) || System.nanoTime() >= end;
            } catch (InterruptedException interrupted) {
                isInterrupted = true;
            }
        }
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }

    static void pause(long milliseconds) {
        await(new CountDownLatch(1), milliseconds);
    }
}

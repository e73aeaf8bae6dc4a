// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/** Buffers that are closed, but not free: another thread may be in a loop over a view. The collector knows when none is. */
final class ClosedBuffers {
    private static final int COLLECTION_MS = 2000;
    private static final int LOOKS = 100;
    private static final int VAIN_LOOKS = 20;
    private static final AtomicInteger COUNT = new AtomicInteger();

    private ClosedBuffers() {
    }

    static void add() {
        COUNT.incrementAndGet();
    }

    static void remove() {
        COUNT.decrementAndGet();
    }

    static boolean exist() {
        return COUNT.get() > 0;
    }

    /** Runs the collector. Returns when they are free, or when some are still in use. */
    static void free(Session session) {
        collect();
        int left = COUNT.get();
        for (int looks = 0, vain = 0; looks < LOOKS && vain < VAIN_LOOKS; looks++) {
            Pauses.pause(1);
            int now = COUNT.get();
            vain = now == left && CollectedBuffers.isIdle() ? vain + 1 : 0;
            left = now;
        }
        NativeClient.trim(session.handle());
    }

    /** Returns when the cleaner's thread has begun with what the collector found, however late it runs. */
    private static void collect() {
        CountDownLatch begun = new CountDownLatch(1);
        Session.CLEANER.register(new Object(), begun::countDown);
        System.gc();
        Pauses.await(begun, COLLECTION_MS); // in vain if the JVM ignores System.gc()
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Frees the buffers that the collector found. A thread that frees small buffers keeps some for its next allocations, until
 * it ends. The cleaner's thread never allocates, so threads that end soon do its work.
 */
final class CollectedBuffers {
    private static final ConcurrentLinkedQueue<Runnable> QUEUE = new ConcurrentLinkedQueue<>();
    private static final AtomicInteger PENDING = new AtomicInteger();

    private CollectedBuffers() {
    }

    /** The work comes later, in another thread. */
    static void free(Runnable work) {
        QUEUE.add(work);
        if (PENDING.getAndIncrement() == 0) {
            start();
        }
    }

    /** Returns whether there is nothing to do. */
    static boolean isIdle() {
        return PENDING.get() == 0;
    }

    private static void start() {
        Thread thread = new Thread(null, CollectedBuffers::work, "membroker-frees", 0, false);
        thread.setDaemon(true);
        try {
            thread.start();
        } catch (OutOfMemoryError noThread) {
            work();
        }
    }

    private static void work() {
        int done;
        do {
            done = PENDING.get();
            for (int i = 0; i < done; i++) {
                QUEUE.remove().run();
            }
        } while (PENDING.addAndGet(-done) > 0);
    }
}

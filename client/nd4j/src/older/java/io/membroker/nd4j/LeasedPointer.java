/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.TrackedBuffer;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import org.bytedeco.javacpp.Pointer;

/**
 * A tracked buffer as JavaCPP has memory: it is freed when the last pointer to it is collected, or by {@link #deallocate()}.
 * Pointers that are made from this one keep it, because JavaCPP takes it for that of a direct buffer. It is none of the
 * memory that JavaCPP frees itself: then JavaCPP's limits would count it, beside the broker's.
 */
final class LeasedPointer extends Pointer {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final ByteBuffer ANY_DIRECT_BUFFER = ByteBuffer.allocateDirect(1);

    private final Freeing freeing;
    private final Cleaner.Cleanable cleanable;

    private static final class Freeing implements Runnable {
        private final TrackedBuffer memory;
        private final ArrayLosses.Watch watch;

        Freeing(TrackedBuffer memory) {
            this.memory = memory;
            this.watch = ArrayLosses.watch(memory);
        }

        /** In the program's thread, which may allocate soon again. */
        void close() {
            watch.end();
            memory.close();
        }

        /** In the cleaner's thread, in which nothing can be told. Does nothing after {@link #close()}. */
        @Override
        public void run() {
            watch.end();
            memory.closeLater();
        }
    }

    /** {@code length} elements of whatever type the memory is used for. */
    LeasedPointer(TrackedBuffer memory, long length) {
        super(ANY_DIRECT_BUFFER);
        address = memory.address();
        capacity(length);
        freeing = new Freeing(memory);
        cleanable = CLEANER.register(this, freeing);
    }

    /** ND4J calls it if the program closes an array. */
    @Override
    public void deallocate() {
        freeing.close();
        cleanable.clean();
        ArrayLosses.tell();
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;

/**
 * Memory outside of any workspace. It is freed when it is closed, or after the collector found that nothing refers to it:
 * neither the buffer itself nor one of its views. Small buffers share leases. Any thread may use it, also while another
 * one closes it.
 */
public final class TrackedBuffer extends MemoryRegion implements AutoCloseable {
    private final long handle;
    private final Freeing state;
    private final Cleaner.Cleanable freeing;
    private CycleSegments segments;

    private TrackedBuffer(Session session, long handle, long bytes, Freeing state) {
        super(session, Life.ofAnyThread(), 0, NativeBuffer.data(handle), bytes);
        this.handle = handle;
        this.state = state;
        this.freeing = Session.CLEANER.register(this, state);
    }

    static TrackedBuffer create(Session session, long bytes, BufferOptions options) {
        Values.atLeastOneByte("a buffer", bytes);
        long handle = NativeBuffer.create(session.handle(), bytes, Text.utf8(options.name()), options.location().code,
                options.initialize() ? NativeBuffer.ZEROED : 0, options.alignment());
        return new TrackedBuffer(session, handle, bytes, new Freeing(session, handle, Leaks.site("buffers", bytes)));
    }

    /** What frees the memory, once. It must not refer to the buffer, which would never be collected. */
    private static final class Freeing implements Runnable {
        private final Session session; // must not end before
        private final long handle;
        private final Leaks.Site site;
        private boolean isFreedHere; // by the thread that closes the buffer
        private boolean isDue;

        Freeing(Session session, long handle, Leaks.Site site) {
            this.session = session;
            this.handle = handle;
            this.site = site;
        }

        void leaveToTheCollector() {
            isDue = true;
            ClosedBuffers.add();
            Leaks.ended(site);
        }

        /** By the thread that closes the buffer, or by the cleaner's. */
        @Override
        public void run() {
            if (isFreedHere) {
                free();
            } else {
                CollectedBuffers.free(this::free);
            }
        }

        private void free() {
            NativeBuffer.unref(handle);
            Leaks.ended(site);
            if (isDue) {
                ClosedBuffers.remove();
            }
            Reference.reachabilityFence(session);
        }
    }

    /**
     * Returns where the memory is.
     *
     * @return RAM or MMAP
     */
    public Location location() {
        use();
        return Location.of(NativeBuffer.location(handle));
    }

    /**
     * Returns why its lease is lost. Unlike {@link #check()} this does not count as a use of the memory: any thread may ask,
     * and the close still frees the buffer immediately.
     *
     * @return the exception that {@link #check()} would throw; null: the lease is not lost, or the buffer is closed
     */
    public synchronized LeaseLostException loss() {
        try {
            if (!life.isOver()) {
                verify();
            }
            return null;
        } catch (LeaseLostException lost) {
            return lost;
        }
    }

    /**
     * Frees the memory. Views of it throw from then on; the JDK's buffers over it must not be used any more. Does nothing
     * if it is closed already.
     *
     * <p>If several threads have used the buffer, one of them may be in a loop over a view. Then the memory is freed after
     * the collector found that nothing refers to it. A new lease, buffer or workspace that does not fit runs the collector.
     *
     * @throws IllegalStateException if the JDK is using a memory segment of it, such as for input; it is not closed then
     */
    @Override
    public void close() {
        close(true);
    }

    /**
     * Closes the buffer, and has another thread free the memory soon. This is for a thread that frees many buffers and
     * allocates few: with {@link #close()} a thread keeps small ones for its next allocations, until it ends.
     *
     * @throws IllegalStateException as {@link #close()}
     */
    public void closeLater() {
        close(false);
    }

    private void close(boolean isFreedHere) {
        synchronized (this) {
            if (life.isOver()) {
                return;
            }
            if (segments != null) {
                segments.close();
            }
            if (life.end()) {
                state.leaveToTheCollector();
                return;
            }
        }
        state.isFreedHere = isFreedHere;
        freeing.clean();
    }

    @Override
    RuntimeException ended() {
        return new IllegalStateException("the buffer is closed");
    }

    @Override
    void verify() {
        NativeBuffer.check(handle);
        Reference.reachabilityFence(this);
    }

    @Override
    synchronized CycleSegments segments() {
        require();
        if (segments == null) {
            segments = CycleSegments.shared(this);
        }
        return segments;
    }
}

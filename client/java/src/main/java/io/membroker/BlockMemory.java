// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;

/**
 * The memory of a block: to be written before the publication, and to be read after it. When it ends, zeros stay at its
 * addresses until the collector has found that nothing refers to it, neither a view nor a buffer of the JDK's. So whatever
 * a program has kept, using it can't kill the JVM.
 */
final class BlockMemory extends MemoryRegion {
    private final boolean isReadOnly;
    private final Ending ending;
    private CycleSegments segments;
    private boolean isMoved;

    /** The lease is released with this memory. */
    BlockMemory(Session session, long lease, long address, long bytes, boolean isReadOnly) {
        super(session, Life.ofAnyThread(), 0, address, bytes);
        this.isReadOnly = isReadOnly;
        this.ending = new Ending(session, lease, address, bytes);
        Session.CLEANER.register(this, ending);
    }

    /** What happens when nothing refers to the memory any more. It must not refer to the memory itself. */
    private static final class Ending implements Runnable {
        private Session session; // must not end before the lease; null: the lease is none of this memory's any more
        private final long lease;
        private final long address;
        private final long bytes;

        Ending(Session session, long lease, long address, long bytes) {
            this.session = session;
            this.lease = lease;
            this.address = address;
            this.bytes = bytes;
        }

        void release(boolean leavesZeros) {
            NativeLease.release(lease, leavesZeros);
            Reference.reachabilityFence(session);
            leaveZeros();
        }

        /** They belong to this process, whatever becomes of the session. */
        synchronized void leaveZeros() {
            session = null;
        }

        @Override
        public synchronized void run() {
            if (session == null) {
                NativeMemory.unmap(address, bytes);
            } else {
                release(false);
            }
        }
    }

    /** Ends the memory and releases the lease. False: it has ended already. */
    synchronized boolean close() {
        if (life.isOver()) {
            return false;
        }
        end();
        ending.release(true);
        return true;
    }

    /** Before the block is published. Nothing can use the memory until {@link #resume}, or for ever. */
    synchronized void suspend() {
        end();
    }

    synchronized void resume() {
        life.resume();
    }

    /** The block has been moved to that address, where it can be read; here are zeros. */
    synchronized BlockMemory movedTo(long readableAddress) {
        isMoved = true;
        ending.leaveZeros();
        return new BlockMemory(session, ending.lease, readableAddress, byteSize, true);
    }

    /** Throws if the JDK is using a memory segment. */
    private void end() {
        if (segments != null) {
            segments.close();
            segments = null;
        }
        life.end();
    }

    @Override
    public boolean isReadOnly() {
        return isReadOnly;
    }

    @Override
    RuntimeException ended() {
        return new IllegalStateException(isMoved
                ? "the block is published: what was there before can't be written to any more; Block.memory() can be read"
                : "the block is closed");
    }

    /** What was read before is not read later than the lease is looked at, on any processor. */
    @Override
    synchronized void verify() {
        VarHandle.acquireFence();
        if (life.isOver()) {
            throw ended();
        }
        NativeLease.check(ending.lease);
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

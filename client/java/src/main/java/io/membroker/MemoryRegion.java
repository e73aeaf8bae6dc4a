// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/**
 * A piece of leased memory. There are three ways to read and write it.
 *
 * <p>The views ({@link #floats()} and so on) are checked: after the end of the memory they throw an
 * {@link IllegalStateException}, and after the loss of its lease a {@link LeaseLostException}. Element access costs about as
 * much as that of a direct buffer.
 *
 * <p>On Java 22 and later, {@link #as} makes memory segments, which end with the memory.
 *
 * <p>The memory of a published block can only be read.
 *
 * <p>The memory of a circular workspace ends when it is overwritten.
 *
 * <p>The buffers ({@link #asByteBuffer()} and so on) are the JDK's own, for code that wants those. Nothing checks them: a
 * buffer must not be used after the end of the memory, because then the addresses may belong to something else or to nobody,
 * which kills the JVM. Use {@link #check()} to learn of a lost lease.
 *
 * <p>Bytes are in the order of the machine.
 */
public abstract class MemoryRegion {
    final Session session;
    final Life life;
    final long place; // what the life counts: the number of a cycle, or a position in a ring
    final long address;
    final long byteSize;
    private int losses;

    MemoryRegion(Session session, Life life, long place, long address, long byteSize) {
        this.session = session;
        this.life = life;
        this.place = place;
        this.address = address;
        this.byteSize = byteSize;
        this.losses = session.losses;
    }

    /**
     * Returns where the memory is mapped in this process.
     *
     * @return an address
     */
    public final long address() {
        require();
        return address;
    }

    /**
     * Returns the size.
     *
     * @return bytes
     */
    public final long byteSize() {
        return byteSize;
    }

    /**
     * Throws if the memory has ended or its lease is lost; otherwise everything that was read from it until now was its
     * content. Costs about 10 ns.
     *
     * @throws IllegalStateException if the memory has ended
     * @throws LeaseLostException if its lease is lost
     */
    public final void check() {
        use();
        verify();
    }

    /**
     * The check before each access: only plain loads, none of which changes in a loop over elements. Loading the owner first
     * matters: otherwise C2 of JDK 17 leaves the check in the loop, which then takes five times as long.
     */
    final void require() {
        Thread owner = life.owner;
        if (place < life.oldest || losses != session.losses || owner != Thread.currentThread() && owner != null) {
            examine();
        }
    }

    /** The same, and the close takes into account that the memory is used: by a view, or by a call of the library. */
    final void use() {
        life.use();
        require();
    }

    /** Accesses many elements. If it returns, the memory was alive and its lease was not lost until the last of them. */
    final void access(Runnable elements) {
        require();
        try {
            elements.run();
            verify();
        } catch (InternalError fault) { // the JVM throws it for SIGBUS, perhaps only after the access
            verify();
            throw fault;
        }
    }

    private void examine() {
        int now = session.losses;
        Thread owner = life.owner;
        if (owner != null && owner != Thread.currentThread() && !life.share()) {
            throw new IllegalStateException("this memory belongs to thread \"" + owner.getName()
                    + "\"; only tracked buffers and leases may be used by others");
        }
        if (place < life.oldest) {
            throw ended();
        }
        verify();
        losses = now; // something else was lost
    }

    /**
     * Returns the workspace that allocated the memory.
     *
     * @return the workspace; null: it is outside of any
     */
    public MemoryWorkspace workspace() {
        return null;
    }

    /**
     * Returns whether a workspace allocated the memory.
     *
     * @return whether one did
     */
    public final boolean isAttached() {
        return workspace() != null;
    }

    /**
     * Returns whether the memory can only be read: it is that of a published block. Then writing throws
     * {@link java.nio.ReadOnlyBufferException}, and {@link IllegalArgumentException} for a segment.
     *
     * @return whether it can
     */
    public boolean isReadOnly() {
        return false;
    }

    /** What memory segments over this memory end with. */
    abstract CycleSegments segments();

    /** The exception for memory whose time is over. */
    abstract RuntimeException ended();

    /** Throws if the lease is lost. */
    abstract void verify();

    /** For the buffers that a program may keep longer than this object: keeps it alive as long as they are in use. */
    ByteBuffer unchecked() {
        require();
        ByteBuffer buffer = NativeMemory.directBuffer(address, byteSize).order(java.nio.ByteOrder.nativeOrder());
        Session.CLEANER.register(buffer, new Holder(this));
        return guarded(buffer);
    }

    private record Holder(MemoryRegion region) implements Runnable {
        @Override
        public void run() {
            java.lang.ref.Reference.reachabilityFence(region);
        }
    }

    private ByteBuffer checked() {
        use();
        return guarded(Windows.slice(address, byteSize));
    }

    private ByteBuffer guarded(ByteBuffer bytes) {
        return isReadOnly() ? bytes.asReadOnlyBuffer().order(bytes.order()) : bytes;
    }

    // ---- checked views ----

    /**
     * Returns a checked view of the bytes.
     *
     * @return the view
     * @throws IllegalArgumentException if there are more than 2^31 - 1
     */
    public final ByteView bytes() {
        return new ByteView(this, checked());
    }

    /**
     * Returns a checked view of the memory as numbers of 32 bits.
     *
     * @return the view
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final IntView ints() {
        return new IntView(this, checked().asIntBuffer());
    }

    /**
     * Returns a checked view of the memory as numbers of 64 bits.
     *
     * @return the view
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final LongView longs() {
        return new LongView(this, checked().asLongBuffer());
    }

    /**
     * Returns a checked view of the memory as floating-point numbers of 32 bits.
     *
     * @return the view
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final FloatView floats() {
        return new FloatView(this, checked().asFloatBuffer());
    }

    /**
     * Returns a checked view of the memory as floating-point numbers of 64 bits.
     *
     * @return the view
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final DoubleView doubles() {
        return new DoubleView(this, checked().asDoubleBuffer());
    }

    /**
     * Returns a view of a type that not every JDK has: {@code region.as(MemorySegment.class)} on Java 22 and later. A segment
     * of workspace memory belongs to its thread and ends with the cycle; that of a buffer ends with the buffer. Using it later
     * is an exception at no cost.
     *
     * @param <T> the type
     * @param type its class
     * @return the view
     * @throws UnsupportedOperationException if this JDK has no such type
     */
    public final <T> T as(Class<T> type) {
        require();
        return segments().segment(this, type);
    }

    @Override
    public String toString() {
        String where = workspace() == null ? "" : " in workspace \"" + workspace().getId() + "\"";
        return byteSize + " bytes at 0x" + Long.toHexString(address) + where + (place < life.oldest ? ", ended" : "");
    }

    // ---- copies that live longer ----

    /**
     * Copies the memory to a tracked buffer.
     *
     * @return the buffer; this, if it is not attached to a workspace
     */
    public final MemoryRegion detach() {
        return Copies.detach(this);
    }

    /**
     * Copies the memory to the workspace in which the thread's current one is nested, or to a tracked buffer if there is
     * none.
     *
     * @return the copy; this, if it is there already, or if it is not attached
     */
    public final MemoryRegion leverage() {
        return Copies.leverage(this);
    }

    /**
     * Copies the memory to the thread's workspace of that name, which must be open.
     *
     * @param id its name
     * @return the copy; this, if it is there already, or if it is not attached
     * @throws IllegalStateException if there is no such workspace, or it is not open
     */
    public final MemoryRegion leverageTo(String id) {
        return Copies.leverageTo(this, id);
    }

    /**
     * Copies the memory to the thread's workspace of that name if it is open, otherwise to a tracked buffer.
     *
     * @param id its name
     * @return the copy; this, if it is there already, or if it is not attached
     */
    public final MemoryRegion leverageOrDetach(String id) {
        return Copies.leverageOrDetach(this, id);
    }

    /**
     * Copies the memory to the thread's current workspace, also if it is not attached to one.
     *
     * @return the copy; this, if it is there already, or if no workspace is current
     */
    public final MemoryRegion migrate() {
        return Copies.migrate(this);
    }

    // ---- the JDK's buffers ----

    /**
     * Returns a direct buffer over the memory. Nothing checks its use.
     *
     * @return a buffer in the byte order of the machine
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final ByteBuffer asByteBuffer() {
        return unchecked();
    }

    /**
     * Returns a direct buffer over a part of the memory. Nothing checks its use.
     *
     * @param offset where it begins
     * @param bytes its size
     * @return a buffer in the byte order of the machine
     * @throws IndexOutOfBoundsException if the memory has no such part
     */
    public final ByteBuffer asByteBuffer(long offset, int bytes) {
        return slice(offset, bytes).unchecked();
    }

    /**
     * Returns a direct buffer over the memory. Nothing checks its use.
     *
     * @return the buffer
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final IntBuffer asIntBuffer() {
        return unchecked().asIntBuffer();
    }

    /**
     * Returns a direct buffer over the memory. Nothing checks its use.
     *
     * @return the buffer
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final LongBuffer asLongBuffer() {
        return unchecked().asLongBuffer();
    }

    /**
     * Returns a direct buffer over the memory. Nothing checks its use.
     *
     * @return the buffer
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final FloatBuffer asFloatBuffer() {
        return unchecked().asFloatBuffer();
    }

    /**
     * Returns a direct buffer over the memory. Nothing checks its use.
     *
     * @return the buffer
     * @throws IllegalArgumentException if the memory has more than 2^31 - 1 bytes
     */
    public final DoubleBuffer asDoubleBuffer() {
        return unchecked().asDoubleBuffer();
    }

    /**
     * Returns a part of this memory, which ends with it.
     *
     * @param offset where it begins
     * @param bytes its size
     * @return the part
     * @throws IndexOutOfBoundsException if the memory has no such part
     */
    public final MemoryRegion slice(long offset, long bytes) {
        java.util.Objects.checkFromIndexSize(offset, bytes, byteSize);
        return new Slice(this, offset, bytes);
    }

    private static final class Slice extends MemoryRegion {
        private final MemoryRegion whole;

        Slice(MemoryRegion whole, long offset, long bytes) {
            super(whole.session, whole.life, whole.place, whole.address + offset, bytes);
            this.whole = whole;
        }

        @Override
        RuntimeException ended() {
            return whole.ended();
        }

        @Override
        void verify() {
            whole.verify();
        }

        @Override
        public boolean isReadOnly() {
            return whole.isReadOnly();
        }

        @Override
        public MemoryWorkspace workspace() {
            return whole.workspace();
        }

        @Override
        CycleSegments segments() {
            return whole.segments();
        }
    }
}

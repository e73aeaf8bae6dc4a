// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Reference;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * The right to use memory until it is closed. The broker knows each lease by its number and shows it in
 * {@code membrokerctl leases}. Any thread may use it, also while another one closes it. The collector frees no lease: one
 * that is not closed is held until its connection is closed. {@link Leaks} says where those were acquired.
 */
public final class Lease implements AutoCloseable {
    private final Session session;
    private final Set<Lease> siblings;
    private final long handle;
    private final Life life = Life.ofAnyThread();
    private final Map<Long, Long> mappings = new HashMap<>(); // where an extent is mapped, and its bytes
    private CycleSegments segments;
    private int extending; // threads that wait in extend(), without this object's lock
    private boolean mayBeRead;
    private EndReason ended;
    private final Leaks.Site site;

    Lease(Session session, Set<Lease> siblings, long bytes, LeaseOptions options) {
        this.session = session;
        this.siblings = siblings;
        options.checked();
        this.handle = NativeLease.acquire(session.handle(), bytes, Text.utf8(options.name()), Text.utf8(options.file()),
                options.settings());
        Reference.reachabilityFence(session);
        siblings.add(this);
        site = Leaks.site("leases", bytes);
    }

    /**
     * Returns the memory of the lease.
     *
     * @return the first extent
     * @throws LeaseLostException if the lease has ended
     */
    public MemoryRegion memory() {
        return memory(0);
    }

    /**
     * Returns the memory of an extent.
     *
     * @param extent 0, or what {@link #extend} returned
     * @return the memory, which ends with the lease
     * @throws LeaseLostException if the lease has ended
     * @throws IllegalArgumentException if there is no such extent
     */
    public synchronized MemoryRegion memory(int extent) {
        if (extent < 0) {
            throw new IllegalArgumentException("the number of an extent is negative: " + extent);
        }
        long count = NativeLease.property(open(), NativeLease.EXTENTS);
        if (extent >= count) {
            throw new IllegalArgumentException("the lease has " + count + " extents, and no number " + extent);
        }
        long[] bytes = {0};
        long address = NativeLease.map(handle, extent, bytes);
        mappings.put(address, bytes[0]);
        return new LeasedMemory(this, session, life, address, bytes[0]);
    }

    /**
     * Adds an extent in the same location, which is not adjacent to the others. Other threads can use the lease meanwhile;
     * if one closes it, it is released when this call returns.
     *
     * @param bytes its size
     * @param maxWait how long to wait in the broker's queue if the memory is not free
     * @return its index, for {@link #memory(int)}
     * @throws MemoryLimitException if it does not fit
     * @throws InterruptedWaitException if it may wait, and the thread is interrupted
     */
    public int extend(long bytes, Duration maxWait) {
        if (bytes < 0) {
            throw new IllegalArgumentException("a size is negative: " + bytes);
        }
        int wait = Milliseconds.of(maxWait);
        beginExtending();
        try {
            return NativeLease.extend(handle, bytes, wait);
        } finally {
            endExtending();
        }
    }

    private synchronized void beginExtending() {
        open();
        extending++;
    }

    private synchronized void endExtending() {
        if (--extending == 0 && life.isOver()) {
            release();
        }
    }

    /**
     * Throws if the lease has ended. Costs one load from memory that the broker shares.
     *
     * @throws LeaseLostException if it has
     */
    public synchronized void check() {
        NativeLease.check(open());
    }

    /**
     * Returns whether the lease is alive: neither closed nor lost.
     *
     * @return whether it is
     */
    public synchronized boolean isAlive() {
        return !life.isOver() && NativeLease.isAlive(handle);
    }

    /**
     * Tells the broker how much of the lease is in use, for listings. It is sent with the next renewal.
     *
     * @param bytes the number
     */
    public synchronized void reportUse(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("a size is negative: " + bytes);
        }
        NativeLease.reportUse(open(), bytes);
    }

    /**
     * Returns the lease's number at the broker.
     *
     * @return the number
     */
    public long id() {
        return property(NativeLease.ID);
    }

    /**
     * Returns the size of all extents together.
     *
     * @return bytes, in whole pages
     */
    public long byteSize() {
        return property(NativeLease.BYTES);
    }

    /**
     * Returns how many extents the lease has.
     *
     * @return the number
     */
    public int extents() {
        return (int) property(NativeLease.EXTENTS);
    }

    /**
     * Returns where the memory is.
     *
     * @return RAM or MMAP
     */
    public Location location() {
        return Location.of(property(NativeLease.LOCATION));
    }

    /**
     * Returns how long the lease lives without being renewed.
     *
     * @return the time
     */
    public Duration ttl() {
        return Duration.ofMillis(property(NativeLease.TTL_MS));
    }

    /**
     * Returns the exact size of a named file.
     *
     * @return bytes; 0 if the lease has no named file
     */
    public long fileBytes() {
        return property(NativeLease.FILE_BYTES);
    }

    /**
     * Returns whether the memory has huge pages.
     *
     * @return whether it has
     */
    public boolean hasHugePages() {
        return property(NativeLease.HAS_HUGE_PAGES) != 0;
    }

    /**
     * Returns why the lease ended. If it was lost before it was closed, this is why it was lost.
     *
     * @return {@link EndReason#NONE} as long as it lives
     */
    public synchronized EndReason endReason() {
        return life.isOver() ? ended : EndReason.of(NativeLease.property(handle, NativeLease.END_REASON));
    }

    /**
     * Releases the lease. Its memory ends at once: views throw, also in other threads; a loop over a view that is running
     * there may read zeros to its end. Does nothing if it is closed already.
     *
     * @throws IllegalStateException if the JDK is using a memory segment of it, such as for input; it is not closed then
     */
    @Override
    public synchronized void close() {
        if (life.isOver()) {
            return;
        }
        if (segments != null) {
            segments.close();
        }
        EndReason lost = endReason();
        ended = lost == EndReason.NONE ? EndReason.RELEASED : lost;
        mayBeRead = life.end();
        siblings.remove(this);
        Leaks.ended(site);
        if (extending == 0) {
            release();
        }
    }

    /** If another thread may be reading, zeros stay at the addresses until no view refers to them any more. */
    private void release() {
        NativeLease.release(handle, mayBeRead);
        if (mayBeRead && !mappings.isEmpty()) {
            Session.CLEANER.register(life, removal(mappings));
        }
        Reference.reachabilityFence(session);
    }

    /** Refers to no lease. */
    private static Runnable removal(Map<Long, Long> mappings) {
        return () -> mappings.forEach(NativeMemory::unmap);
    }

    private synchronized long property(int which) {
        return NativeLease.property(open(), which);
    }

    private long open() {
        if (life.isOver()) {
            throw closed();
        }
        return handle;
    }

    synchronized CycleSegments segments() {
        open();
        if (segments == null) {
            segments = CycleSegments.shared(this);
        }
        return segments;
    }

    @Override
    public synchronized String toString() {
        return life.isOver() ? "lease, closed" : "lease " + id() + " of " + byteSize() + " bytes, " + location();
    }

    IllegalStateException closed() {
        return new IllegalStateException("the lease is closed");
    }
}

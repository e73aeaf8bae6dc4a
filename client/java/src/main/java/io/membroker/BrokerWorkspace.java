// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Reference;

/** A workspace of libmembroker's. */
final class BrokerWorkspace implements MemoryWorkspace {
    private final Session session;
    private final ThreadWorkspaces home;
    private final String id;
    private final WorkspaceConfiguration configuration;
    private final long handle;
    private final boolean isCircular;
    private Life inArena = Life.ofThisThread();
    private final Life outside = Life.ofThisThread();
    private final Life bypassed = Life.ofThisThread(); // until the workspace is destroyed
    private long cycle;
    private long sizings;
    private long newest; // the address of the newest allocation in a ring
    private long turned; // the ring's size, times its turns
    private int openScopes; // after destroyWorkspace(): those whose close() is still to come
    private CycleSegments segments;
    private CycleSegments bypassedSegments;
    private boolean bypasses; // the open cycle
    private boolean isDestroyed;

    BrokerWorkspace(Session session, ThreadWorkspaces home, String id, WorkspaceConfiguration configuration) {
        this.session = session;
        this.home = home;
        this.id = id;
        this.configuration = configuration.checked();
        this.isCircular = configuration.isCircular();
        this.handle = NativeWorkspace.open(session.handle(), Text.utf8(id), Text.utf8(configuration.tempFilePath()),
                configuration.sizes(), configuration.overallocationLimit(), configuration.settings());
        inArena.oldest = 1;
        outside.oldest = 1;
        Reference.reachabilityFence(session);
    }

    Session session() {
        return session;
    }

    // ---- scopes ----

    @Override
    public MemoryWorkspace notifyScopeEntered() {
        long own = own();
        requireCurrentIfOpen();
        boolean isBypass = NativeWorkspace.enter(own);
        home.push(this);
        if (openScopes++ == 0) {
            bypasses = isBypass;
            begin();
        }
        return this;
    }

    private void requireCurrentIfOpen() {
        if (openScopes > 0 && home.current() != this) {
            throw new IllegalStateException("workspace \"" + id
                    + "\" is open further out in this thread; borrow it, or leave it first");
        }
    }

    @Override
    public MemoryWorkspace notifyScopeBorrowed() {
        requireOpen(own());
        NativeWorkspace.borrow(handle);
        home.push(this);
        openScopes++;
        return this;
    }

    @Override
    public MemoryWorkspace notifyScopeLeft() {
        if (isDestroyed && openScopes > 0 && Thread.currentThread() == inArena.owner) {
            openScopes--;
            return this;
        }
        long own = requireOpen(own());
        if (home.current() != this) {
            throw new IllegalStateException("scopes end in reverse order: the current one is "
                    + (home.current() == null ? "none" : "\"" + home.current().getId() + "\"") + ", not \"" + id + "\"");
        }
        if (openScopes == 1) {
            end();
        }
        openScopes--;
        home.pop();
        try {
            NativeWorkspace.leave(own);
        } finally {
            if (isCircular) {
                noteSizing();
            }
        }
        return this;
    }

    @Override
    public void close() {
        notifyScopeLeft();
    }

    private void begin() {
        cycle++;
        if (isCircular) {
            noteSizing();
            outside.oldest = cycle;
        }
    }

    /** Closes the segments first: that fails if the JDK is using one, and then the cycle goes on. */
    private void end() {
        if (segments != null) {
            segments.close();
            segments = null;
        }
        if (!isCircular) {
            inArena.oldest = cycle + 1;
        }
        outside.oldest = cycle + 1;
    }

    /** A new arena of a circular workspace has nothing of the old one. */
    private void noteSizing() {
        long now = NativeWorkspace.sizings(handle);
        if (now != sizings) {
            sizings = now;
            inArena.end();
            inArena = Life.ofThisThread();
            newest = 0;
            turned = 0;
        }
    }

    // ---- allocating ----

    @Override
    public MemoryRegion alloc(long bytes, boolean initialize) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("an allocation has at least one byte, not " + bytes);
        }
        requireOpen(own());
        if (isCircular && !bypasses) {
            return allocCircular(bytes, initialize);
        }
        return new WorkspaceMemory(session, this, bypasses ? bypassed : inArena, cycle,
                NativeWorkspace.alloc(handle, bytes, initialize), bytes);
    }

    private MemoryRegion allocCircular(long bytes, boolean initialize) {
        long[] reference = new long[NativeWorkspace.REFERENCE_NUMBERS];
        long address = NativeWorkspace.allocCircular(handle, bytes, initialize, reference);
        return address < 0 ? new CircularMemory(session, this, outside, cycle, -address, bytes, reference)
                : new CircularMemory(session, this, inArena, advance(address, bytes, reference), address, bytes, reference);
    }

    /** Returns an allocation's position in the ring. It has overwritten what began more than a ring before its end. */
    private long advance(long address, long bytes, long[] reference) {
        long ring = reference[NativeWorkspace.REFERENCE_ARENA_BYTES];
        if (address <= newest) {
            turned += ring;
        }
        newest = address;
        long position = turned + address;
        inArena.oldest = position + bytes - ring;
        return position;
    }

    CycleSegments segments() {
        own();
        if (segments == null) {
            segments = CycleSegments.confined();
        }
        return segments;
    }

    /** Of memory whose end is this life's. */
    CycleSegments segments(Life life) {
        if (life != bypassed) {
            return segments();
        }
        own();
        if (bypassedSegments == null) {
            bypassedSegments = CycleSegments.confined();
        }
        return bypassedSegments;
    }

    @Override
    public String toString() {
        return "workspace \"" + id + "\"" + (isDestroyed ? ", destroyed" : isScopeActive() ? ", in cycle " + cycle : "");
    }

    RuntimeException ended(long ofCycle) {
        String now = isDestroyed ? "is destroyed" : isScopeActive() ? "is in cycle " + cycle : "has no open cycle";
        return new IllegalStateException("this memory was allocated in cycle " + ofCycle + " of workspace \"" + id
                + "\", which " + now + "; detach what must outlive its cycle");
    }

    // ---- the rest ----

    @Override
    public String getId() {
        return id;
    }

    @Override
    public WorkspaceConfiguration getWorkspaceConfiguration() {
        return configuration;
    }

    @Override
    public Type getWorkspaceType() {
        return isCircular ? Type.CIRCULAR : Type.SCOPED;
    }

    @Override
    public long getGenerationId() {
        return cycle;
    }

    @Override
    public WorkspaceStatistics getStatistics() {
        long[] numbers = new long[WorkspaceStatistics.NUMBERS];
        NativeWorkspace.statistics(own(), numbers);
        return WorkspaceStatistics.of(numbers);
    }

    @Override
    public boolean isScopeActive() {
        return openScopes > 0 && !isDestroyed;
    }

    @Override
    public void check() {
        NativeWorkspace.check(own());
    }

    @Override
    public void initializeWorkspace() {
        NativeWorkspace.initialize(own());
    }

    @Override
    public void toggleWorkspaceUse(boolean use) {
        NativeWorkspace.toggle(own(), use);
    }

    @Override
    public void destroyWorkspace() {
        long own = own();
        end();
        if (bypassedSegments != null) {
            bypassedSegments.close();
            bypassedSegments = null;
        }
        isDestroyed = true;
        bypassed.end();
        inArena.end();
        outside.end();
        home.forget(this);
        NativeWorkspace.close(own);
        Reference.reachabilityFence(session);
    }

    private long requireOpen(long own) {
        if (openScopes == 0) {
            throw new IllegalStateException("no scope of workspace \"" + id + "\" is open; enter it first");
        }
        return own;
    }

    /** The handle, for the thread that owns it: when that thread ends, the library closes the workspace. */
    private long own() {
        if (Thread.currentThread() != inArena.owner) {
            throw new IllegalStateException("workspace \"" + id + "\" belongs to thread \"" + inArena.owner.getName() + "\"");
        }
        if (isDestroyed) {
            throw new IllegalStateException("workspace \"" + id + "\" is destroyed");
        }
        return handle;
    }
}

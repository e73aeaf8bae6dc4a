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
    private final Life inArena = Life.ofThisThread();
    private final Life outside = Life.ofThisThread();
    private long cycle;
    private long sizings;
    private int openScopes;
    private CycleSegments segments;
    private boolean isDestroyed;

    BrokerWorkspace(Session session, ThreadWorkspaces home, String id, WorkspaceConfiguration configuration) {
        this.session = session;
        this.home = home;
        this.id = id;
        this.configuration = configuration;
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
        NativeWorkspace.enter(own());
        home.push(this);
        if (openScopes++ == 0) {
            begin();
        }
        return this;
    }

    @Override
    public MemoryWorkspace notifyScopeBorrowed() {
        NativeWorkspace.borrow(own());
        home.push(this);
        openScopes++;
        return this;
    }

    @Override
    public MemoryWorkspace notifyScopeLeft() {
        long own = own();
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
                noteSizing(cycle + 1);
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
            noteSizing(cycle);
            outside.oldest = cycle;
        }
    }

    /** First what may fail, if the JDK is using a segment: then the cycle goes on. */
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
    private void noteSizing(long next) {
        long now = NativeWorkspace.sizings(handle);
        if (now != sizings) {
            sizings = now;
            inArena.oldest = next;
        }
    }

    // ---- allocating ----

    @Override
    public MemoryRegion alloc(long bytes, boolean initialize) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("an allocation has at least one byte, not " + bytes);
        }
        if (isCircular) {
            return allocCircular(bytes, initialize);
        }
        return new WorkspaceMemory(session, this, inArena, cycle, NativeWorkspace.alloc(own(), bytes, initialize), bytes);
    }

    private MemoryRegion allocCircular(long bytes, boolean initialize) {
        long[] reference = new long[NativeWorkspace.REFERENCE_NUMBERS];
        long address = NativeWorkspace.allocCircular(own(), bytes, initialize, reference);
        return new CircularMemory(session, this, address < 0 ? outside : inArena, cycle, Math.abs(address), bytes, reference);
    }

    CycleSegments segments() {
        own();
        if (segments == null) {
            segments = CycleSegments.confined();
        }
        return segments;
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
        return openScopes > 0;
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
        isDestroyed = true;
        openScopes = 0;
        inArena.end();
        outside.end();
        home.forget(this);
        NativeWorkspace.close(own);
        Reference.reachabilityFence(session);
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

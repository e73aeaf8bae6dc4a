// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * Memory for cycles: an iteration, a batch, a frame. An allocation moves a pointer; the end of the cycle ends everything
 * that was allocated in it. {@link WorkspaceManager} makes workspaces. Only the thread that opened one may use it, and that
 * must be a platform thread.
 *
 * <pre>{@code
 * for (int step = 0; step < steps; step++) {
 *     try (MemoryWorkspace ws = manager.getAndActivateWorkspace("step")) {
 *         FloatView x = ws.alloc(4L * n, true).floats();
 *         x.set(0, 1.0f);
 *     }
 * }
 * }</pre>
 *
 * <p>The names are those of ND4J. Sizes are in bytes.
 */
public interface MemoryWorkspace extends AutoCloseable {
    /** How the memory of a workspace ends. */
    enum Type {
        /** No workspace: arrays are outside of any. */
        DUMMY,
        /** With each cycle. */
        SCOPED,
        /** When it is overwritten. */
        CIRCULAR
    }

    /**
     * Returns the name.
     *
     * @return the name
     */
    String getId();

    /**
     * Returns the configuration.
     *
     * @return the configuration
     */
    WorkspaceConfiguration getWorkspaceConfiguration();

    /**
     * Returns how the memory ends.
     *
     * @return the type
     */
    Type getWorkspaceType();

    /**
     * Returns the number of the cycle that is open, or was last.
     *
     * @return the number; 0: none was open yet
     */
    long getGenerationId();

    /**
     * Returns the counters.
     *
     * @return a copy
     */
    WorkspaceStatistics getStatistics();

    /**
     * Allocates in the open cycle. If the lease of the arena is lost, this still returns memory: its views, {@link #check}
     * and {@link #close} throw.
     *
     * @param bytes the size, at least 1, which is rounded up to a multiple of 16
     * @param initialize whether the memory is zero; otherwise it may have what an earlier cycle left
     * @return the memory
     * @throws IllegalStateException if no scope of the workspace is open
     * @throws MemoryLimitException if it fits neither the arena nor a limit
     */
    MemoryRegion alloc(long bytes, boolean initialize);

    /**
     * Begins a cycle and makes this the thread's current workspace. Entering the current one again only counts.
     *
     * @return this
     * @throws LeaseLostException if the lease is lost: destroy the workspace and open it again
     */
    MemoryWorkspace notifyScopeEntered();

    /**
     * Makes this the thread's current workspace, which an outer scope has open, without beginning a cycle.
     *
     * @return this
     */
    MemoryWorkspace notifyScopeBorrowed();

    /**
     * Undoes the newest of {@link #notifyScopeEntered} and {@link #notifyScopeBorrowed}; the same as {@link #close}.
     *
     * @return this
     */
    MemoryWorkspace notifyScopeLeft();

    /**
     * Ends the scope. If it was the last one of the cycle, all memory of the cycle ends.
     *
     * @throws LeaseLostException if a lease under the cycle's memory was lost since it began: discard its results. The scope
     *     has ended all the same
     */
    @Override
    void close();

    /**
     * Returns whether a scope of this workspace is open.
     *
     * @return whether one is
     */
    boolean isScopeActive();

    /**
     * Throws if a lease under the cycle's memory is lost. Costs about 10 ns.
     *
     * @throws LeaseLostException if one is
     */
    void check();

    /** Sizes the arena now from what was learned. */
    void initializeWorkspace();

    /**
     * Turns the arena off or on. While it is off, allocations are outside.
     *
     * @param use whether it is on
     */
    void toggleWorkspaceUse(boolean use);

    /**
     * Ends the open scopes and releases all memory. The workspace can't be used any more. The {@link #close} of a scope that
     * was ended so does nothing.
     */
    void destroyWorkspace();

    /**
     * Returns the size of the arena.
     *
     * @return bytes
     */
    default long getCurrentSize() {
        return getStatistics().currentSize();
    }

    /**
     * Returns where the next allocation begins.
     *
     * @return bytes from the beginning of the arena
     */
    default long getPrimaryOffset() {
        return getStatistics().offset();
    }

    /**
     * Returns what the open cycle allocated.
     *
     * @return bytes
     */
    default long getThisCycleAllocations() {
        return getStatistics().thisCycleBytes();
    }

    /**
     * Returns what the last cycle allocated.
     *
     * @return bytes
     */
    default long getLastCycleAllocations() {
        return getStatistics().lastCycleBytes();
    }

    /**
     * Returns what the largest cycle allocated.
     *
     * @return bytes
     */
    default long getMaxCycleAllocations() {
        return getStatistics().maxCycleBytes();
    }

    /**
     * Returns what is held outside the arena until the end of the cycle.
     *
     * @return bytes
     */
    default long getSpilledSize() {
        return getStatistics().spilledBytes();
    }

    /**
     * Returns what a circular workspace holds outside the arena for two more steps.
     *
     * @return bytes
     */
    default long getPinnedSize() {
        return getStatistics().pinnedBytes();
    }

    /**
     * Returns how many cycles ended.
     *
     * @return the number
     */
    default long getCyclesCount() {
        return getStatistics().cycles();
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.LeaseLostException;
import io.membroker.Location;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.AllocationsTracker;
import org.nd4j.linalg.api.memory.Deallocator;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.AllocationKind;
import org.nd4j.linalg.api.memory.enums.MemoryKind;
import org.nd4j.linalg.api.memory.enums.ResetPolicy;
import org.nd4j.linalg.api.memory.pointers.PagedPointer;
import org.nd4j.linalg.api.memory.pointers.PointersPair;
import org.nd4j.linalg.cpu.nativecpu.workspace.CpuWorkspace;

/**
 * A workspace of ND4J whose memory is leased. ND4J's own code decides on sizes, offsets, spills and generations; this class
 * only says where the bytes come from. It names no class whose package differs between the versions of ND4J.
 */
public class LeasedWorkspace extends CpuWorkspace {
    /** No initializer: the superclass's constructor calls {@link #init}, which sets it. */
    private WorkspaceMemory memory;

    private static final int CYCLES_TO_NEXT_TRY_MAX = 64;

    /** The size of an arena that could not be leased; 0: there is none. */
    private long wanted;

    /** After a refusal: how many cycles do without the arena before it is asked for again, and how many of them are left. */
    private int cyclesToNextTry;
    private int cyclesLeft;

    LeasedWorkspace(WorkspaceConfiguration configuration, String id) {
        super(MappedConfiguration.of(configuration), id);
    }

    LeasedWorkspace(WorkspaceConfiguration configuration, String id, int deviceId) {
        super(MappedConfiguration.of(configuration), id, deviceId);
    }

    @Override
    public WorkspaceConfiguration getWorkspaceConfiguration() {
        return isMapped() ? ((MappedConfiguration) workspaceConfiguration).original : workspaceConfiguration;
    }

    @Override
    public Deallocator deallocator() {
        return memory;
    }

    private boolean isMapped() {
        return workspaceConfiguration instanceof MappedConfiguration;
    }

    // ---- the arena ----

    /** ND4J has set the size that it wants, less what it adds to an initial one. */
    @Override
    protected void init() {
        if (memory == null) {
            memory = new WorkspaceMemory(id);
        }
        try {
            if (isMapped()) {
                long address = memory.leaseArena(currentSize.get(), Location.MMAP, file());
                workspace.setHostPointer(new PagedPointer(address));
            } else {
                initInRam();
            }
            wanted = 0;
            cyclesToNextTry = 0;
        } catch (RuntimeException | Error failed) {
            wanted = currentSize.getAndSet(0); // ND4J would allocate in an arena that is not there
            if (failed instanceof OutOfMemoryError) {
                cyclesToNextTry = Math.min(CYCLES_TO_NEXT_TRY_MAX, Math.max(1, 2 * cyclesToNextTry));
                cyclesLeft = cyclesToNextTry;
            }
            throw failed;
        }
    }

    /** Null: a file without a name. */
    private String file() {
        String file = getWorkspaceConfiguration().getTempFilePath();
        if (file != null && (file.indexOf('/') >= 0 || file.startsWith("."))) {
            throw new IllegalArgumentException("workspace \"" + id + "\": the broker makes the file in a directory of its own"
                    + " ([mapped] files), so tempFilePath must be a name without a directory that begins with no dot, not \""
                    + file + "\"");
        }
        return file;
    }

    /** ND4J's code asks its memory manager for the arena, which is here. */
    private void initInRam() {
        memory.beginArena();
        try {
            super.init();
        } finally {
            memory.end();
        }
    }

    @Override
    public synchronized void destroyWorkspace(boolean extended) {
        if (workspace.getHostPointer() != null) {
            memory.releaseArena();
            workspace.setHostPointer(null);
            if (!isMapped()) {
                AllocationsTracker.getInstance().markReleased(AllocationKind.WORKSPACE, 0, currentSize.get());
            }
        }
        super.destroyWorkspace(extended);
    }

    // ---- allocations ----

    @Override
    public PagedPointer alloc(long bytes, MemoryKind kind, DataType type, boolean initialize) {
        ArrayLosses.tell();
        memory.begin();
        try {
            return super.alloc(bytes, kind, type, initialize);
        } finally {
            memory.end();
            memory.reportUse(hostOffset.get());
        }
    }

    @Override
    protected void clearExternalAllocations() {
        for (PointersPair pair : externalAllocations) {
            free(pair);
        }
        externalAllocations.clear();
        externalCount.set(0);
        spilledAllocationsSize.set(0);
    }

    /** Those of the last two steps stay, unless all are to go. */
    @Override
    protected void clearPinnedAllocations(boolean all) {
        PointersPair oldest = pinnedAllocations.peek();
        while (oldest != null && (all || oldest.getAllocationCycle() + 2 < stepsCount.get())) {
            pinnedAllocations.remove();
            free(oldest);
            pinnedCount.decrementAndGet();
            pinnedAllocationsSize.addAndGet(-oldest.getRequiredMemory());
            oldest = pinnedAllocations.peek();
        }
    }

    private void free(PointersPair pair) {
        if (pair.getHostPointer() != null) {
            memory.free(pair.getHostPointer().address());
        }
    }

    // ---- lost leases ----

    @Override
    public MemoryWorkspace notifyScopeEntered() {
        ArrayLosses.tell();
        if (!isScopeActive()) {
            replaceLost();
        }
        return super.notifyScopeEntered();
    }

    /** If memory was lost between two cycles, a workspace that begins empty has lost nothing: it leases memory anew. */
    private void replaceLost() {
        LeaseLostException lost = memory.loss();
        if (lost != null) {
            renew(lost);
        } else if (wanted > 0 && currentSize.get() == 0 && --cyclesLeft <= 0) {
            leaseWanted();
        }
    }

    /** An arena that was refused may not fit now either: then the cycle goes on with spills, as the ones before. */
    private void leaseWanted() {
        memory.setPatient(cyclesToNextTry == 0);
        try {
            reopen(wanted);
        } catch (OutOfMemoryError refused) {
            if (cyclesToNextTry == 0) {
                throw refused;
            }
        } finally {
            memory.setPatient(true);
        }
    }

    /** With a size that ND4J has learned and increased already. */
    private void reopen(long size) {
        isOver.set(true);
        currentSize.set(size);
        init();
    }

    /** What a cycle computed in lost memory is wrong: the program gets to know at the end of the cycle. */
    @Override
    public void close() {
        LeaseLostException lost = memory.loss();
        super.close();
        if (lost != null && !isScopeActive()) {
            throw lost;
        }
        ArrayLosses.tell();
    }

    /** It keeps its size: ND4J would learn one again only at the first loop, or at a cycle that has passed. */
    private void renew(LeaseLostException lost) {
        long size = currentSize.get();
        destroyWorkspace(true);
        reopen(size > 0 ? size : wanted);
        if (workspaceConfiguration.getPolicyReset() != ResetPolicy.BLOCK_LEFT) {
            throw lost;
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.LeaseLostException;
import io.membroker.Location;
import java.util.Map;
import java.util.TreeMap;
import org.nd4j.linalg.api.memory.Deallocator;

/**
 * The leases of one workspace, all under its id: the arena, and chunks for what is spilled or pinned. It knows nothing of
 * the workspace, so that ND4J can free it after the collector has taken the workspace. Any thread may use it.
 */
final class WorkspaceMemory implements Deallocator {
    private static final long CHUNK_BYTES_MIN = 256 << 10;
    private static final long CHUNK_BYTES_MAX = 64 << 20;

    /** The workspace that allocates in this thread right now; ND4J's managers are told only how many bytes. */
    private static final ThreadLocal<WorkspaceMemory> ALLOCATING = new ThreadLocal<>();

    private final String id;
    private final TreeMap<Long, Chunk> chunks = new TreeMap<>();
    private Chunk newest;
    private long chunkBytes = CHUNK_BYTES_MIN / 2;
    private WorkspaceLease arena;
    private boolean isArenaNext;
    private boolean isPatient = true;
    private long reportedBytes;

    WorkspaceMemory(String id) {
        this.id = id;
    }

    static WorkspaceMemory allocating() {
        return ALLOCATING.get();
    }

    /** What ND4J's memory manager allocates in this thread until {@link #end} is for this workspace. */
    void begin() {
        ALLOCATING.set(this);
    }

    /** The same, and it is the arena. */
    synchronized void beginArena() {
        ALLOCATING.set(this);
        isArenaNext = true;
    }

    synchronized void end() {
        ALLOCATING.set(null);
        isArenaNext = false;
    }

    /** The memory is zero. */
    synchronized long allocate(long bytes) {
        return isArenaNext ? leaseArena(bytes, Location.RAM, null) : spill(bytes);
    }

    // ---- the arena ----

    synchronized long leaseArena(long bytes, Location location, String file) {
        releaseArena();
        arena = isPatient ? Broker.lease(id, bytes, location, file) : Broker.leaseNow(id, bytes, location, file);
        return arena.address();
    }

    /** Whether an arena that does not fit is tried again and waited for. */
    synchronized void setPatient(boolean isPatient) {
        this.isPatient = isPatient;
    }

    synchronized void releaseArena() {
        if (arena != null) {
            arena.close();
            arena = null;
            reportedBytes = 0;
        }
    }

    /** For listings: the most that a cycle has used of the arena. */
    synchronized void reportUse(long bytes) {
        if (bytes > reportedBytes && arena != null) {
            arena.reportUse(bytes);
            reportedBytes = bytes;
        }
    }

    /** Why the arena or a chunk is lost; null: nothing is. */
    synchronized LeaseLostException loss() {
        LeaseLostException loss = arena == null ? null : arena.loss();
        for (Chunk chunk : chunks.values()) {
            loss = loss != null ? loss : chunk.memory.loss();
        }
        return loss;
    }

    // ---- spilled and pinned memory ----

    /** A chunk is never used again after its last allocation was freed, so it is zero. */
    private long spill(long bytes) {
        if (newest == null || bytes > newest.free()) {
            addChunk(bytes);
        }
        return newest.allocate(bytes);
    }

    private void addChunk(long bytes) {
        long wished = Math.min(chunkBytes * 2, CHUNK_BYTES_MAX);
        WorkspaceLease memory = bytes < wished ? Broker.leaseIfFree(id, wished) : null;
        if (memory == null) {
            memory = Broker.lease(id, bytes, Location.RAM, null);
        }
        chunkBytes = wished;
        newest = new Chunk(memory);
        chunks.put(memory.address(), newest);
    }

    synchronized void free(long address) {
        Map.Entry<Long, Chunk> entry = chunks.floorEntry(address);
        if (entry != null && entry.getValue().freeOne() == 0) {
            chunks.remove(entry.getKey());
            entry.getValue().memory.close();
            newest = entry.getValue() == newest ? null : newest;
            chunkBytes = chunks.isEmpty() ? CHUNK_BYTES_MIN / 2 : chunkBytes;
        }
    }

    /** Of a workspace that the collector has taken. */
    @Override
    public synchronized void deallocate() {
        releaseArena();
        chunks.values().forEach(chunk -> chunk.memory.close());
        chunks.clear();
        newest = null;
    }

    /** A lease in which allocations follow one another, until all of them are freed. */
    private static final class Chunk {
        final WorkspaceLease memory;
        private long next;
        private int live;

        Chunk(WorkspaceLease memory) {
            this.memory = memory;
        }

        long free() {
            return memory.bytes() - next;
        }

        long allocate(long bytes) {
            long address = memory.address() + next;
            next += bytes;
            live++;
            memory.reportUse(next);
            return address;
        }

        int freeOne() {
            return --live;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * Memory segments that end with a cycle, a buffer or a block: an arena that owns nothing, whose end makes every use an exception. A
 * loop over a segment checks that once.
 */
final class CycleSegments {
    private final Arena arena;

    private CycleSegments(Arena arena) {
        this.arena = arena;
    }

    /** For one thread; ending it costs about 20 ns. */
    static CycleSegments confined() {
        return new CycleSegments(Arena.ofConfined());
    }

    /** For all threads; ending it costs a handshake with each of them. A segment keeps the memory from the collector. */
    @SuppressWarnings("restricted")
    static CycleSegments shared(Object memory) {
        Arena arena = Arena.ofShared();
        MemorySegment.NULL.reinterpret(0, arena, ended -> Reference.reachabilityFence(memory));
        return new CycleSegments(arena);
    }

    @SuppressWarnings("restricted")
    <T> T segment(MemoryRegion region, Class<T> type) {
        if (type != MemorySegment.class) {
            throw new UnsupportedOperationException("there is no view of " + type);
        }
        MemorySegment segment = MemorySegment.ofAddress(region.address).reinterpret(region.byteSize, arena, null);
        return type.cast(region.isReadOnly() ? segment.asReadOnly() : segment);
    }

    void close() {
        arena.close();
    }
}

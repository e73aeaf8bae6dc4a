// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/**
 * Memory segments that end with a cycle, a buffer or a block. This is the class of JDKs that have none; the jar has another one for
 * those that do.
 */
final class CycleSegments {
    private CycleSegments() {
    }

    static CycleSegments confined() {
        throw new UnsupportedOperationException("java.lang.foreign.MemorySegment needs Java 22 or later");
    }

    static CycleSegments shared(Object memory) {
        throw new UnsupportedOperationException("java.lang.foreign.MemorySegment needs Java 22 or later");
    }

    <T> T segment(MemoryRegion region, Class<T> type) {
        throw new UnsupportedOperationException("java.lang.foreign.MemorySegment needs Java 22 or later");
    }

    void close() {
        throw new UnsupportedOperationException("java.lang.foreign.MemorySegment needs Java 22 or later");
    }
}

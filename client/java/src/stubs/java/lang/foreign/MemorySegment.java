// SPDX-License-Identifier: Apache-2.0
package java.lang.foreign;

import java.util.function.Consumer;

/** What {@code CycleSegments} uses of Java 22, so that Java 17 compiles it. Never in the jar. */
public interface MemorySegment {
    MemorySegment NULL = ofAddress(0);

    static MemorySegment ofAddress(long address) {
        throw new UnsupportedOperationException();
    }

    MemorySegment asReadOnly();

    MemorySegment reinterpret(long byteSize, Arena arena, Consumer<MemorySegment> cleanup);
}

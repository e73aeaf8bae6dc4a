/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.memory.enums.MemoryKind;
import org.nd4j.linalg.api.memory.pointers.PagedPointer;
import org.nd4j.linalg.cpu.nativecpu.CpuMemoryManager;

/** ND4J's memory manager, with leased memory for workspaces. Name it in the system property {@code memorymanager}. */
public class LeasedMemoryManager extends CpuMemoryManager {
    private static volatile boolean isUsed;

    /** Has the arrays outside workspaces leased too, if this version of ND4J lets it. */
    public LeasedMemoryManager() {
        NativeOpsHook.install();
        isUsed = true;
    }

    /** Returns whether ND4J, which makes one memory manager, has made this one. */
    static boolean isUsed() {
        return isUsed;
    }

    /** Only workspaces call this. One that is not leased frees its memory with ND4J's own {@code freeHost}. */
    @Override
    public Pointer allocate(long bytes, MemoryKind kind, boolean initialize) {
        WorkspaceMemory workspace = WorkspaceMemory.allocating();
        return workspace == null ? super.allocate(bytes, kind, initialize)
                                 : new PagedPointer(workspace.allocate(bytes));
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.ConnectOptions;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.memory.enums.MemoryKind;
import org.nd4j.linalg.api.memory.pointers.PagedPointer;
import org.nd4j.linalg.cpu.nativecpu.CpuMemoryManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** ND4J's memory manager, with leased memory for workspaces. Name it in the system property {@code memorymanager}. */
public class LeasedMemoryManager extends CpuMemoryManager {
    private static final Logger LOG = LoggerFactory.getLogger(LeasedMemoryManager.class);
    private static final String WORKSPACE_MANAGER = "workspacemanager";
    private static volatile boolean isInUse;

    /** Has the arrays outside workspaces leased too, if this version of ND4J lets it. */
    public LeasedMemoryManager() {
        ConnectOptions.builder(); // a limit that is no number is an exception that names the option; JavaCPP's does not
        NativeOpsHook.install();
        isInUse = true;
        warnOfOtherWorkspaces();
        warnOfOtherArrays();
    }

    private static void warnOfOtherArrays() {
        String lacking = OlderArrays.lacking();
        if (!lacking.isEmpty()) {
            LOG.warn("Arrays outside workspaces are not leased, or their loss is not told; set {}", lacking);
        }
    }

    /** Without the file that makes the plug-in a service, the program names both managers. */
    private static void warnOfOtherWorkspaces() {
        String manager = System.getProperty(WORKSPACE_MANAGER);
        if (!isLeased(manager)) {
            LOG.warn("Workspaces are not leased, because -D{} {}; set it to {}", WORKSPACE_MANAGER,
                    manager == null ? "is not set" : "names " + manager, LeasedWorkspaceManager.class.getName());
        }
    }

    private static boolean isLeased(String manager) {
        try {
            return manager != null && LeasedWorkspaceManager.class.isAssignableFrom(
                    Class.forName(manager, false, LeasedMemoryManager.class.getClassLoader()));
        } catch (ClassNotFoundException unknown) {
            return false; // ND4J says nothing of it
        }
    }

    /** Whether ND4J has made one; the class that says so directly is not in the same package in all versions of ND4J. */
    static boolean isInUse() {
        return isInUse;
    }

    /** Only workspaces call this. One that is not leased frees its memory with ND4J's own {@code freeHost}. */
    @Override
    public Pointer allocate(long bytes, MemoryKind kind, boolean initialize) {
        WorkspaceMemory workspace = WorkspaceMemory.allocating();
        return workspace == null ? super.allocate(bytes, kind, initialize)
                                 : new PagedPointer(workspace.allocate(bytes));
    }
}

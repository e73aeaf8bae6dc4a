/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.cpu.nativecpu.workspace.CpuWorkspaceManager;

/** ND4J's workspace manager, whose workspaces are in leases. Name it in the system property {@code workspacemanager}. */
public class LeasedWorkspaceManager extends CpuWorkspaceManager {
    @Override
    protected MemoryWorkspace newWorkspace(WorkspaceConfiguration configuration) {
        return newWorkspace(configuration, MemoryWorkspace.DEFAULT_ID);
    }

    @Override
    protected MemoryWorkspace newWorkspace(WorkspaceConfiguration configuration, String id) {
        return isLeased() ? new LeasedWorkspace(configuration, id) : super.newWorkspace(configuration, id);
    }

    @Override
    protected MemoryWorkspace newWorkspace(WorkspaceConfiguration configuration, String id, int deviceId) {
        return isLeased() ? new LeasedWorkspace(configuration, id, deviceId)
                          : super.newWorkspace(configuration, id, deviceId);
    }

    private boolean isLeased() {
        requireLeasedMemory();
        return getDebugMode() != org.nd4j.linalg.api.memory.enums.DebugMode.BYPASS_EVERYTHING;
    }

    /** A leased workspace never frees what another memory manager allocates for it. */
    private static void requireLeasedMemory() {
        if (!LeasedMemoryManager.isInUse()) {
            throw new IllegalStateException("leased workspaces need -Dmemorymanager=" + LeasedMemoryManager.class.getName()
                    + " or a subclass, not " + System.getProperty("memorymanager", "ND4J's own"));
        }
    }
}

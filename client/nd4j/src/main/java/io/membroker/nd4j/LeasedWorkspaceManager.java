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
        return isBypassed() ? super.newWorkspace(configuration, id) : new LeasedWorkspace(configuration, id);
    }

    @Override
    protected MemoryWorkspace newWorkspace(WorkspaceConfiguration configuration, String id, int deviceId) {
        return isBypassed() ? super.newWorkspace(configuration, id, deviceId)
                            : new LeasedWorkspace(configuration, id, deviceId);
    }

    /** Another memory manager would allocate what a leased workspace takes for leased and never frees. */
    private boolean isBypassed() {
        if (!LeasedMemoryManager.isUsed()) {
            throw new IllegalStateException("leased workspaces need -Dmemorymanager=" + LeasedMemoryManager.class.getName()
                    + ", but ND4J has another memory manager");
        }
        return getDebugMode() == org.nd4j.linalg.api.memory.enums.DebugMode.BYPASS_EVERYTHING;
    }
}

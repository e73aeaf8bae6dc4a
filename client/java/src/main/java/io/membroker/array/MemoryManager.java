// SPDX-License-Identifier: Apache-2.0
package io.membroker.array;

import io.membroker.MemoryWorkspace;
import io.membroker.WorkspaceManager;

/** The two methods of ND4J's memory manager that are about workspaces. */
public final class MemoryManager {
    private final WorkspaceManager workspaces;

    MemoryManager(WorkspaceManager workspaces) {
        this.workspaces = workspaces;
    }

    /**
     * Returns the workspace of the thread's newest scope.
     *
     * @return the workspace; null: none is open, or the thread is scoped out
     */
    public MemoryWorkspace getCurrentWorkspace() {
        return workspaces.getCurrentWorkspace();
    }

    /**
     * Begins a scope in which no workspace is current, for try-with-resources.
     *
     * @return the scope
     */
    public MemoryWorkspace scopeOutOfWorkspaces() {
        return workspaces.scopeOutOfWorkspaces();
    }
}

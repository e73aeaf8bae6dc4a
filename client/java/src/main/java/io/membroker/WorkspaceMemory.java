// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** What a workspace allocated in a cycle. */
final class WorkspaceMemory extends MemoryRegion {
    private final BrokerWorkspace workspace;

    WorkspaceMemory(Session session, BrokerWorkspace workspace, Life life, long cycle, long address, long bytes) {
        super(session, life, cycle, address, bytes);
        this.workspace = workspace;
    }

    @Override
    public MemoryWorkspace workspace() {
        return workspace;
    }

    @Override
    RuntimeException ended() {
        return workspace.ended(place);
    }

    @Override
    void verify() {
        workspace.check();
    }

    @Override
    CycleSegments segments() {
        return workspace.segments(life);
    }

    /** It ends with the cycle, whoever keeps the buffer: nothing is kept alive. */
    @Override
    java.nio.ByteBuffer unchecked() {
        require();
        return Windows.slice(address, byteSize);
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** What a circular workspace allocated: it outlives its cycle until it is overwritten. */
final class CircularMemory extends MemoryRegion {
    private final BrokerWorkspace workspace;
    private final long allocatedIn;
    private final long[] reference;

    CircularMemory(Session session, BrokerWorkspace workspace, Life life, long place, long address, long bytes,
            long[] reference) {
        super(session, life, place, address, bytes);
        this.workspace = workspace;
        this.allocatedIn = workspace.getGenerationId();
        this.reference = reference;
    }

    @Override
    public MemoryWorkspace workspace() {
        return workspace;
    }

    @Override
    RuntimeException ended() {
        return new IllegalStateException("this memory was allocated in cycle " + allocatedIn + " of circular workspace \""
                + workspace.getId() + "\", and is overwritten or released; detach what must live longer");
    }

    @Override
    void verify() {
        if (NativeWorkspace.referenceState(address, byteSize, reference) != NativeWorkspace.REFERENCE_VALID) {
            throw ended();
        }
    }

    @Override
    CycleSegments segments() {
        return workspace.segments();
    }

    @Override
    java.nio.ByteBuffer unchecked() {
        require();
        return Windows.slice(address, byteSize);
    }
}

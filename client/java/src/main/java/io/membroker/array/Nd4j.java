// SPDX-License-Identifier: Apache-2.0
package io.membroker.array;

import io.membroker.BufferOptions;
import io.membroker.MemoryBroker;
import io.membroker.MemoryRegion;
import io.membroker.MemoryWorkspace;
import io.membroker.WorkspaceManager;

/**
 * Creates arrays in the thread's current workspace, or as tracked buffers if none is open. The first call connects to the
 * broker, as {@link MemoryBroker#connect()} does, for the rest of the process's life.
 */
public final class Nd4j {
    private Nd4j() {
    }

    /** Connects when it is needed; if that fails, the next call tries again. */
    private static final class Connection {
        private static MemoryBroker broker;

        static synchronized MemoryBroker get() {
            if (broker == null) {
                broker = MemoryBroker.connect();
            }
            return broker;
        }
    }

    /**
     * Returns the manager of workspaces.
     *
     * @return the manager
     */
    public static WorkspaceManager getWorkspaceManager() {
        return Connection.get().workspaces();
    }

    /**
     * Creates an array of zeros.
     *
     * @param length the number of its elements
     * @return the array
     */
    public static INDArray create(long length) {
        return new INDArray(allocate(length, true), length);
    }

    /**
     * Creates an array.
     *
     * @param data its elements, which are copied
     * @return the array
     */
    public static INDArray create(float[] data) {
        INDArray array = createUninitialized(data.length);
        array.data().set(0, data, 0, data.length);
        return array;
    }

    /**
     * Creates an array of undefined content.
     *
     * @param length the number of its elements
     * @return the array
     */
    public static INDArray createUninitialized(long length) {
        return new INDArray(allocate(length, false), length);
    }

    private static MemoryRegion allocate(long length, boolean initialize) {
        long bytes = Math.multiplyExact(length, (long) Float.BYTES);
        MemoryBroker broker = Connection.get();
        MemoryWorkspace current = broker.workspaces().getCurrentWorkspace();
        return current != null
                ? current.alloc(bytes, initialize)
                : broker.createBuffer(Math.max(bytes, 1), initialize ? BufferOptions.DEFAULT : BufferOptions.UNINITIALIZED);
    }
}

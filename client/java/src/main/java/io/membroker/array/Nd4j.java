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
    private static final long LENGTH_MAX = Integer.MAX_VALUE / Float.BYTES; // a view has at most 2 GiB

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
     * Returns what ND4J calls the memory manager.
     *
     * @return the manager
     */
    public static MemoryManager getMemoryManager() {
        return new MemoryManager(getWorkspaceManager());
    }

    /**
     * Creates an array of zeros.
     *
     * @param length the number of its elements, of which 2 GiB hold at most
     * @return the array
     * @throws IllegalArgumentException if there can't be so many
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
     * @param length the number of its elements, of which 2 GiB hold at most
     * @return the array
     * @throws IllegalArgumentException if there can't be so many
     */
    public static INDArray createUninitialized(long length) {
        return new INDArray(allocate(length, false), length);
    }

    private static MemoryRegion allocate(long length, boolean initialize) {
        if (length < 0 || length > LENGTH_MAX) {
            throw new IllegalArgumentException("an array has 0 to " + LENGTH_MAX + " elements, not " + length);
        }
        long bytes = length * Float.BYTES;
        MemoryBroker broker = Connection.get();
        MemoryWorkspace current = broker.workspaces().getCurrentWorkspace();
        return current != null
                ? current.alloc(Math.max(bytes, 1), initialize)
                : broker.createBuffer(Math.max(bytes, 1), initialize ? BufferOptions.DEFAULT : BufferOptions.UNINITIALIZED);
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker.array;

import io.membroker.FloatView;
import io.membroker.LeaseLostException;
import io.membroker.MemoryBrokerException;
import io.membroker.MemoryRegion;
import io.membroker.TrackedBuffer;
import java.util.Objects;
import java.util.StringJoiner;

/** A vector of floats in leased memory. It ends with its workspace's cycle, or if it is in none, when it is collected. */
public final class INDArray implements AutoCloseable {
    private static final int SHOWN = 10;
    private final MemoryRegion memory;
    private final long length;
    private final FloatView elements;

    INDArray(MemoryRegion memory, long length) {
        this.memory = memory;
        this.length = length;
        this.elements = memory.floats();
    }

    /**
     * Returns the number of elements.
     *
     * @return the number
     */
    public long length() {
        return length;
    }

    /**
     * Reads an element.
     *
     * @param index its index
     * @return its value
     * @throws IndexOutOfBoundsException if the array has no such element
     * @throws IllegalStateException if the array has ended
     * @throws LeaseLostException if its lease is lost
     */
    public float getFloat(long index) {
        return elements.get(checked(index));
    }

    /**
     * Writes an element.
     *
     * @param index its index
     * @param value the value
     * @return this
     * @throws IndexOutOfBoundsException if the array has no such element
     * @throws IllegalStateException if the array has ended
     * @throws LeaseLostException if its lease is lost
     */
    public INDArray putScalar(long index, double value) {
        elements.set(checked(index), (float) value);
        return this;
    }

    /** The views have as many elements as fit an int. */
    private int checked(long index) {
        return (int) Objects.checkIndex(index, length);
    }

    /**
     * Returns the elements.
     *
     * @return a view of the array's memory
     */
    public FloatView data() {
        return elements;
    }

    /**
     * Returns the memory.
     *
     * @return the memory
     */
    public MemoryRegion memory() {
        return memory;
    }

    /**
     * Returns whether the array is in a workspace.
     *
     * @return whether it is
     */
    public boolean isAttached() {
        return memory.isAttached();
    }

    /**
     * Copies the array out of all workspaces.
     *
     * @return the copy; this, if it is in none
     */
    public INDArray detach() {
        return of(memory.detach());
    }

    /**
     * Copies the array to the workspace in which the current one is nested, or out of all of them if there is none.
     *
     * @return the copy; this, if it is there already
     */
    public INDArray leverage() {
        return of(memory.leverage());
    }

    /**
     * Copies the array to a workspace of this thread that is open.
     *
     * @param id its name
     * @return the copy; this, if it is there already, or in no workspace
     */
    public INDArray leverageTo(String id) {
        return of(memory.leverageTo(id));
    }

    /**
     * Copies the array to a workspace of this thread if it is open, otherwise out of all of them.
     *
     * @param id its name
     * @return the copy; this, if it is there already, or in no workspace
     */
    public INDArray leverageOrDetach(String id) {
        return of(memory.leverageOrDetach(id));
    }

    /**
     * Copies the array to the current workspace.
     *
     * @return the copy; this, if it is there already, or if no workspace is current
     */
    public INDArray migrate() {
        return of(memory.migrate());
    }

    /** Returns the first elements, as many as a line has, and how many there are. */
    @Override
    public String toString() {
        StringJoiner numbers = new StringJoiner(", ", "[", length > SHOWN ? ", ... " + length + " elements]" : "]");
        try {
            for (long i = 0; i < Math.min(length, SHOWN); i++) {
                numbers.add(Float.toString(getFloat(i)));
            }
            return numbers.toString();
        } catch (IllegalStateException | MemoryBrokerException ended) {
            return "[" + ended.getMessage() + "]";
        }
    }

    private INDArray of(MemoryRegion copy) {
        return copy == memory ? this : new INDArray(copy, length);
    }

    /** Frees the array if it is in no workspace. */
    @Override
    public void close() {
        if (memory instanceof TrackedBuffer buffer) {
            buffer.close();
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.lang.ref.Reference;
import java.nio.LongBuffer;

/** A checked view of leased memory as numbers of 64 bits. Indexes count elements, from 0. */
public final class LongView {
    private final MemoryRegion region;
    private final LongBuffer buffer;

    LongView(MemoryRegion region, LongBuffer buffer) {
        this.region = region;
        this.buffer = buffer;
    }

    /**
     * Returns the number of elements.
     *
     * @return the number
     */
    public int size() {
        return buffer.capacity();
    }

    /**
     * Reads an element.
     *
     * @param index its index
     * @return its value
     * @throws IllegalStateException if the memory has ended
     * @throws LeaseLostException if its lease is lost
     */
    public long get(int index) {
        region.require();
        long value = buffer.get(index);
        Reference.reachabilityFence(region);
        return value;
    }

    /**
     * Writes an element.
     *
     * @param index its index
     * @param value the value
     * @throws IllegalStateException if the memory has ended
     * @throws LeaseLostException if its lease is lost
     */
    public void set(int index, long value) {
        region.require();
        buffer.put(index, value);
        Reference.reachabilityFence(region);
    }

    /**
     * Copies elements to an array. If it returns, they were the content of the memory.
     *
     * @param index the first element here
     * @param to the array
     * @param offset the first element there
     * @param count how many
     * @throws IllegalStateException if the memory has ended
     * @throws LeaseLostException if its lease is lost, also during the copy
     */
    public void get(int index, long[] to, int offset, int count) {
        region.access(() -> buffer.get(index, to, offset, count));
    }

    /**
     * Copies elements from an array. If it returns, the memory has them.
     *
     * @param index the first element here
     * @param from the array
     * @param offset the first element there
     * @param count how many
     * @throws IllegalStateException if the memory has ended
     * @throws LeaseLostException if its lease is lost, also during the copy
     */
    public void set(int index, long[] from, int offset, int count) {
        region.access(() -> buffer.put(index, from, offset, count));
    }

    /**
     * Writes one value to all elements.
     *
     * @param value the value
     * @throws IllegalStateException if the memory has ended
     * @throws LeaseLostException if its lease is lost, also meanwhile
     */
    public void fill(long value) {
        region.access(() -> {
            for (int i = 0; i < buffer.capacity(); i++) {
                buffer.put(i, value);
            }
        });
    }
}

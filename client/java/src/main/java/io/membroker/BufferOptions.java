// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.Objects;

/**
 * What a tracked buffer should be. Instances do not change.
 *
 * @param name a name for error messages of this process; null: none
 * @param location where the memory is
 * @param initialize whether the memory is zero; otherwise it may have what an earlier buffer left
 * @param alignment of the address: a power of two of at most 2 MiB; 0: at least 16, and 64 for all but small sizes
 */
public record BufferOptions(String name, Location location, boolean initialize, int alignment) {
    private static final int ALIGNMENT_MAX = 2 << 20;

    /** In RAM, zero. */
    public static final BufferOptions DEFAULT = new BufferOptions(null, Location.RAM, true, 0);

    /** In RAM, with undefined content. */
    public static final BufferOptions UNINITIALIZED = new BufferOptions(null, Location.RAM, false, 0);

    /**
     * Checks the values.
     *
     * @param name a name for error messages of this process; null: none
     * @param location where the memory is
     * @param initialize whether the memory is zero; otherwise it may have what an earlier buffer left
     * @param alignment of the address: a power of two of at most 2 MiB; 0: at least 16, and 64 for all but small sizes
     * @throws IllegalArgumentException if one is wrong in itself; the message names it
     */
    public BufferOptions {
        Values.name("name", name);
        Objects.requireNonNull(location, "location");
        if (alignment < 0 || alignment > ALIGNMENT_MAX || Integer.bitCount(alignment) > 1) {
            throw new IllegalArgumentException("alignment must be a power of two of at most 2 MiB, or 0, not " + alignment);
        }
    }
}

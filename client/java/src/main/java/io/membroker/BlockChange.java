// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.charset.StandardCharsets;

/**
 * What became of a name, as {@link BlockWatch} tells it.
 *
 * @param kind what happened
 * @param number as {@link BlockView#number}: a block that takes the name of another one has another number
 * @param name the name
 * @param type what the block's bytes are, or an empty string
 * @param byteSize its size, in whole pages
 * @param endReason why it ended; {@link EndReason#NONE}: it has not ended, or it did when the watch could not see why
 */
public record BlockChange(Kind kind, long number, String name, String type, long byteSize, EndReason endReason) {
    /** What can happen to a name. */
    public enum Kind {
        /** The name leads to this block now. */
        PUBLISHED,
        /** The block has lost its name. */
        ENDED
    }

    /** Called by the shim. */
    @SuppressWarnings("unused")
    private static BlockChange of(boolean hasEnded, long number, byte[] name, byte[] type, long byteSize, int endReason) {
        return new BlockChange(hasEnded ? Kind.ENDED : Kind.PUBLISHED, number, new String(name, StandardCharsets.UTF_8),
                new String(type, StandardCharsets.UTF_8), byteSize, EndReason.of(endReason));
    }
}

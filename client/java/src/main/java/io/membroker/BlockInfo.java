// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A published block, as {@link MemoryBroker#blocks} lists it.
 *
 * @param number as {@link BlockView#number}: a block that takes the name of another one has another number
 * @param name its name
 * @param type what its bytes are, or an empty string
 * @param byteSize its size, in whole pages
 * @param views how many views of it there are, and its publisher, if that has not closed it
 * @param lifetime when its name ends
 * @param access who may attach it
 * @param user the number of the user who published it
 * @param group the number of the group whose processes may attach it, or -1
 * @param age how long ago it was published
 * @param keep after which time its name ends; empty: no time is set
 * @param endReason why it has lost its name, while there are views of it; {@link EndReason#NONE}: it has it
 * @param location where its memory is
 */
public record BlockInfo(long number, String name, String type, long byteSize, int views, BlockLifetime lifetime,
        BlockAccess access, long user, long group, Duration age, Optional<Duration> keep, EndReason endReason,
        Location location) {
    /** Called by the shim for each block. */
    @SuppressWarnings("unused")
    private static void add(List<BlockInfo> to, long[] numbers, byte[] name, byte[] type) {
        BlockAccess access = BlockAccess.values()[(int) numbers[4]];
        to.add(new BlockInfo(numbers[0], text(name), text(type), numbers[1], (int) numbers[2],
                BlockLifetime.values()[(int) numbers[3]], access, numbers[5],
                access == BlockAccess.GROUP ? numbers[6] : -1, Duration.ofMillis(numbers[7]),
                numbers[8] < 0 ? Optional.empty() : Optional.of(Duration.ofMillis(numbers[8])),
                EndReason.of(numbers[9]), Location.of(numbers[10])));
    }

    private static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }
}

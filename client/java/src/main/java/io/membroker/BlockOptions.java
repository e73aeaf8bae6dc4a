// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * What a block should be. Instances do not change.
 *
 * @param lifetime when its name ends
 * @param keep with {@link BlockLifetime#KEEP} only: how long it has its name from the publication on; zero: until it is
 *     unpublished
 * @param access who may attach it
 * @param group with {@link BlockAccess#GROUP} only: the number of a group of this process
 * @param replace whether it takes its name from the user's block that has it, in one instant for all readers
 * @param type says what the bytes are, at most 63 bytes of UTF-8; null: nothing
 * @param metadata for the readers, such as the shape of an array, at most 4,096 bytes
 * @param maxWait how long to wait in the broker's queue if the memory is not free; zero: not at all
 * @param ttl how long the memory lives without being renewed; zero: the broker's default
 * @param hugePages whether it has huge pages
 * @param numaNode the node of its memory; -1: any
 * @param interleave whether its pages are interleaved over the nodes
 * @param prefault whether the broker allocates every page in advance
 * @param location where it lies; a file is with {@link BlockAccess#USER} only
 */
public record BlockOptions(BlockLifetime lifetime, Duration keep, BlockAccess access, long group, boolean replace, String type,
        byte[] metadata, Duration maxWait, Duration ttl, HugePages hugePages, int numaNode, boolean interleave,
        boolean prefault, Location location) {
    /** It ends with its publisher, and processes of the user may attach it. */
    public static final BlockOptions DEFAULT = builder().build();

    /**
     * Returns the metadata.
     *
     * @return a copy
     */
    @Override
    public byte[] metadata() {
        return metadata.clone();
    }

    /**
     * Begins with the defaults.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** The same, for content that describes itself unless the program has said what it is. */
    BlockOptions describing(String contentType, String contentMetadata) {
        return type != null ? this : new BlockOptions(lifetime, keep, access, group, replace, contentType,
                contentMetadata.getBytes(StandardCharsets.UTF_8), maxWait, ttl, hugePages, numaNode, interleave, prefault,
                location);
    }

    int[] settings() {
        return new int[] {lifetime.ordinal(), Milliseconds.of(keep), access.ordinal(), (int) group, replace ? 1 : 0,
            Milliseconds.of(maxWait), Milliseconds.of(ttl), hugePages.ordinal(), numaNode, interleave ? 1 : 0,
            prefault ? 1 : 0, location.code};
    }

    /** Builds {@link BlockOptions}. */
    public static final class Builder {
        private BlockLifetime lifetime = BlockLifetime.SESSION;
        private Duration keep = Duration.ZERO;
        private BlockAccess access = BlockAccess.USER;
        private long group;
        private boolean replace;
        private String type;
        private byte[] metadata = {};
        private Duration maxWait = Duration.ZERO;
        private Duration ttl = Duration.ZERO;
        private HugePages hugePages = HugePages.DEFAULT;
        private int numaNode = -1;
        private boolean interleave;
        private boolean prefault;
        private Location location = Location.RAM;

        private Builder() {
        }

        /**
         * Sets when the name of the block ends.
         *
         * @param wanted the lifetime
         * @return this
         */
        public Builder lifetime(BlockLifetime wanted) {
            lifetime = wanted;
            return this;
        }

        /**
         * Has the block keep its name for a time, also after the end of its publisher: {@link BlockLifetime#KEEP}.
         *
         * @param time how long from the publication on; zero: until it is unpublished
         * @return this
         */
        public Builder keep(Duration time) {
            lifetime = BlockLifetime.KEEP;
            keep = time;
            return this;
        }

        /**
         * Sets who may attach the block.
         *
         * @param who the user, or all; {@link #group} is for a group
         * @return this
         */
        public Builder access(BlockAccess who) {
            access = who;
            return this;
        }

        /**
         * Lets processes in a group attach the block: {@link BlockAccess#GROUP}.
         *
         * @param number the number of a group of this process
         * @return this
         * @throws IllegalArgumentException if no group has such a number
         */
        public Builder group(long number) {
            group = Values.systemNumber("group", number);
            access = BlockAccess.GROUP;
            return this;
        }

        /**
         * Has the block take its name from the user's block that has it.
         *
         * @param wanted whether it should
         * @return this
         */
        public Builder replace(boolean wanted) {
            replace = wanted;
            return this;
        }

        /**
         * Says what the bytes are.
         *
         * @param text at most 63 bytes of UTF-8; null: nothing
         * @return this
         */
        public Builder type(String text) {
            type = text;
            return this;
        }

        /**
         * Describes the content for readers.
         *
         * @param bytes at most 4,096
         * @return this
         */
        public Builder metadata(byte[] bytes) {
            metadata = bytes.clone();
            return this;
        }

        /**
         * Sets how long to wait in the broker's queue if the memory is not free. An interrupt of the thread ends the wait:
         * see {@link InterruptedWaitException}.
         *
         * @param time the time; zero: not at all
         * @return this
         */
        public Builder maxWait(Duration time) {
            maxWait = time;
            return this;
        }

        /**
         * Sets how long the memory lives without being renewed.
         *
         * @param time the time; zero: the broker's default
         * @return this
         */
        public Builder ttl(Duration time) {
            ttl = time;
            return this;
        }

        /**
         * Sets whether the memory has huge pages.
         *
         * @param wanted the wish
         * @return this
         */
        public Builder hugePages(HugePages wanted) {
            hugePages = wanted;
            return this;
        }

        /**
         * Binds the memory to a node.
         *
         * @param node the number of the node; -1: any
         * @return this
         */
        public Builder numaNode(int node) {
            numaNode = node;
            return this;
        }

        /**
         * Interleaves the pages over the nodes.
         *
         * @param wanted whether they should be
         * @return this
         */
        public Builder interleave(boolean wanted) {
            interleave = wanted;
            return this;
        }

        /**
         * Has the broker allocate every page in advance.
         *
         * @param wanted whether it should
         * @return this
         */
        public Builder prefault(boolean wanted) {
            prefault = wanted;
            return this;
        }

        /**
         * Sets where the block lies. {@link Location#MMAP} is a file of the broker, which only processes of the user may
         * attach. {@link Location#AUTO} is memory.
         *
         * @param wanted the location
         * @return this
         */
        public Builder location(Location wanted) {
            location = wanted;
            return this;
        }

        /**
         * Makes the options.
         *
         * @return the options
         */
        public BlockOptions build() {
            return new BlockOptions(lifetime, keep, access, group, replace, type, metadata, maxWait, ttl, hugePages, numaNode,
                    interleave, prefault, location);
        }
    }
}

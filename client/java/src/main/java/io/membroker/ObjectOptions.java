// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.Objects;

/**
 * What a small object should be. Instances do not change.
 *
 * @param lifetime when it ends: {@link BlockLifetime#SESSION} with the session that put it last, {@link BlockLifetime#KEEP}
 *     when it is removed
 * @param access who may get it
 * @param group with {@link BlockAccess#GROUP} only: the number of a group of this process
 */
public record ObjectOptions(BlockLifetime lifetime, BlockAccess access, long group) {
    /** It ends with its session, and processes of the user may get it. */
    public static final ObjectOptions DEFAULT = builder().build();

    /**
     * Makes the options.
     *
     * @param lifetime as above
     * @param access as above
     * @param group as above
     * @throws IllegalArgumentException if objects have no such lifetime, or no group has such a number
     */
    public ObjectOptions {
        Objects.requireNonNull(access, "access");
        if (Objects.requireNonNull(lifetime, "lifetime") == BlockLifetime.CACHE) {
            throw new IllegalArgumentException("an object's lifetime is SESSION or KEEP; publish as a block what is to be "
                    + "evicted when memory is short");
        }
        Values.systemNumber("group", group);
    }

    /**
     * Begins with the defaults.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds {@link ObjectOptions}. */
    public static final class Builder {
        private BlockLifetime lifetime = BlockLifetime.SESSION;
        private BlockAccess access = BlockAccess.USER;
        private long group;

        private Builder() {
        }

        /**
         * Has the object stay until it is removed, also after the end of the process that put it: {@link BlockLifetime#KEEP}.
         *
         * @return this
         */
        public Builder keep() {
            lifetime = BlockLifetime.KEEP;
            return this;
        }

        /**
         * Sets who may get the object.
         *
         * @param who the user, or all; {@link #group} is for a group
         * @return this
         */
        public Builder access(BlockAccess who) {
            access = who;
            return this;
        }

        /**
         * Lets processes in a group get the object: {@link BlockAccess#GROUP}.
         *
         * @param number the number of a group of this process
         * @return this
         */
        public Builder group(long number) {
            access = BlockAccess.GROUP;
            group = number;
            return this;
        }

        /**
         * Makes the options.
         *
         * @return the options
         * @throws IllegalArgumentException if no group has such a number
         */
        public ObjectOptions build() {
            return new ObjectOptions(lifetime, access, group);
        }
    }
}

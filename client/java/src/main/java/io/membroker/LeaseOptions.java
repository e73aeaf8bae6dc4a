// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.time.Duration;
import java.util.Objects;

/**
 * What a lease should be. Instances do not change.
 *
 * @param name the name in listings, at most 63 bytes of UTF-8; null: none
 * @param location where the memory is
 * @param ttl how long the lease lives without being renewed; zero: the broker's default
 * @param hugePages whether RAM has huge pages
 * @param numaNode the node of RAM; -1: any
 * @param prefault whether the broker allocates every page of RAM before it grants the lease
 * @param interleave whether the pages of RAM are interleaved over the nodes
 * @param file the name of a file that remains after the lease, in the directory that the broker's configuration allows;
 *     null: a file without a name
 * @param maxWait how long to wait in the broker's queue if the memory is not free; zero: not at all
 */
public record LeaseOptions(String name, Location location, Duration ttl, HugePages hugePages, int numaNode, boolean prefault,
        boolean interleave, String file, Duration maxWait) {

    LeaseOptions checked() {
        Values.name("name", name);
        Objects.requireNonNull(location, "location");
        Values.timeToLive(ttl);
        Objects.requireNonNull(hugePages, "hugePages");
        Values.numaNode(numaNode);
        Values.file("file", file);
        Values.notNegative("maxWait", maxWait);
        return this;
    }

    /**
     * Begins with the defaults.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    int[] settings() {
        return new int[] {location.code, Milliseconds.of(ttl), hugePages.ordinal(), numaNode, prefault ? 1 : 0,
            Milliseconds.of(maxWait), interleave ? 1 : 0, 0};
    }

    /** Builds {@link LeaseOptions}. */
    public static final class Builder {
        private String name;
        private Location location = Location.RAM;
        private Duration ttl = Duration.ZERO;
        private HugePages hugePages = HugePages.DEFAULT;
        private int numaNode = -1;
        private boolean prefault;
        private boolean interleave;
        private String file;
        private Duration maxWait = Duration.ZERO;

        private Builder() {
        }

        /**
         * Sets the name in listings.
         *
         * @param text at most 63 bytes of UTF-8; null: none
         * @return this
         */
        public Builder name(String text) {
            name = text;
            return this;
        }

        /**
         * Sets where the memory is.
         *
         * @param where the location
         * @return this
         */
        public Builder location(Location where) {
            location = where;
            return this;
        }

        /**
         * Sets how long the lease lives without being renewed.
         *
         * @param time the time; zero: the broker's default
         * @return this
         */
        public Builder ttl(Duration time) {
            ttl = time;
            return this;
        }

        /**
         * Sets whether RAM has huge pages.
         *
         * @param wanted the wish
         * @return this
         */
        public Builder hugePages(HugePages wanted) {
            hugePages = wanted;
            return this;
        }

        /**
         * Binds RAM to a node.
         *
         * @param node the number of the node; -1: any
         * @return this
         */
        public Builder numaNode(int node) {
            numaNode = node;
            return this;
        }

        /**
         * Has the broker allocate every page of RAM before it grants the lease.
         *
         * @param wanted whether it should
         * @return this
         */
        public Builder prefault(boolean wanted) {
            prefault = wanted;
            return this;
        }

        /**
         * Interleaves the pages of RAM over the nodes.
         *
         * @param wanted whether they should be
         * @return this
         */
        public Builder interleave(boolean wanted) {
            interleave = wanted;
            return this;
        }

        /**
         * Names a file that remains after the lease.
         *
         * @param text its name; null: a file without a name
         * @return this
         */
        public Builder file(String text) {
            file = text;
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
         * Makes the options.
         *
         * @return the options
         * @throws IllegalArgumentException if a value is wrong in itself; the message names it
         */
        public LeaseOptions build() {
            return new LeaseOptions(name, location, ttl, hugePages, numaNode, prefault, interleave, file, maxWait).checked();
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/**
 * How to connect to the broker. Without an option of its own, the limits are those of the command line as JavaCPP reads
 * them: {@code -Xmx}, {@code -Dorg.bytedeco.javacpp.maxBytes}, {@code ...maxPhysicalBytes} and {@code ...maxRetries}.
 * Instances do not change.
 *
 * @param socket the path of the broker's socket; null: {@code $MEMBROKER_SOCKET} if it is set, otherwise the usual ones
 * @param name the name in listings, at most 63 bytes of UTF-8; null: the program's name
 * @param heapBytes the largest heap, which the broker shows
 * @param maxBytes the limit of all leased bytes; 0: none
 * @param maxPhysicalBytes the limit of leased RAM; 0: none
 * @param maxRetries how often the collector runs before a request that does not fit fails
 * @param retryWait the pause after each run of the collector, in which cleaners free what it found
 * @param timeout how long a call waits for the broker's answer
 * @param maxWait how long buffers and workspaces wait in the broker's queue if memory is short
 * @param cacheBytes released leases that are kept for the next request of their size, in bytes
 * @param guards whether the memory of a lost lease becomes private zero pages, so that native code survives the loss;
 *     otherwise touching it raises SIGBUS, which kills the JVM in native code
 * @param renews whether leases are renewed until they are closed
 * @param shared whether all users of this process share one session
 */
public record ConnectOptions(String socket, String name, long heapBytes, long maxBytes, long maxPhysicalBytes, int maxRetries,
        Duration retryWait, Duration timeout, Duration maxWait, long cacheBytes, boolean guards, boolean renews, boolean shared) {

    /** Returns these, if no number is negative. */
    ConnectOptions checked() {
        Values.notNegative("heapBytes", heapBytes);
        Values.notNegative("maxBytes", maxBytes);
        Values.notNegative("maxPhysicalBytes", maxPhysicalBytes);
        Values.notNegative("maxRetries", maxRetries);
        Values.notNegative("cacheBytes", cacheBytes);
        Values.notNegative("retryWait", retryWait);
        Values.notNegative("timeout", timeout);
        Values.notNegative("maxWait", maxWait);
        Values.name("name", name);
        return this;
    }

    /** As equals, which would keep the class's loader for ever (ThreadWorkspaces.Key). */
    boolean isSame(ConnectOptions other) {
        return this == other || fields().equals(other.fields());
    }

    private List<Object> fields() {
        return Arrays.asList(socket, name, heapBytes, maxBytes, maxPhysicalBytes, maxRetries, retryWait, timeout, maxWait,
                cacheBytes, guards, renews, shared);
    }

    /**
     * Begins with the defaults.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds {@link ConnectOptions}. */
    public static final class Builder {
        private final JavacppLimits commandLine =
                JavacppLimits.read(System.getProperties(), Runtime.getRuntime().maxMemory());
        private String socket;
        private String name = System.getProperty("io.membroker.name");
        private long heapBytes = commandLine.heapBytes();
        private Long maxBytes = commandLine.maxBytes(); // null: twice the heap
        private Long maxPhysicalBytes = commandLine.maxPhysicalBytes(); // null: as maxBytes
        private int maxRetries = commandLine.maxRetries();
        private Duration retryWait = Duration.ofMillis(100);
        private Duration timeout = Duration.ofSeconds(30);
        private Duration maxWait = Duration.ZERO;
        private long cacheBytes;
        private boolean guards = true;
        private boolean renews = true;
        private boolean shared = true;

        private Builder() {
        }

        /**
         * Sets the path of the broker's socket.
         *
         * @param path a path; null: the default
         * @return this
         */
        public Builder socket(String path) {
            socket = path;
            return this;
        }

        /**
         * Sets the name in listings.
         *
         * @param text at most 63 bytes of UTF-8; null: the program's name, which is "java". The default is the system property
         *     {@code io.membroker.name}
         * @return this
         */
        public Builder name(String text) {
            name = text;
            return this;
        }

        /**
         * Sets the largest heap, which the default of {@link #maxBytes} depends on.
         *
         * @param bytes the number
         * @return this
         */
        public Builder heapBytes(long bytes) {
            heapBytes = bytes;
            return this;
        }

        /**
         * Limits all leased bytes of this client. By default it is twice the heap.
         *
         * @param bytes the limit; 0: none
         * @return this
         */
        public Builder maxBytes(long bytes) {
            maxBytes = bytes;
            return this;
        }

        /**
         * Limits the leased RAM of this client. By default it is as {@link #maxBytes}.
         *
         * @param bytes the limit; 0: none
         * @return this
         */
        public Builder maxPhysicalBytes(long bytes) {
            maxPhysicalBytes = bytes;
            return this;
        }

        /**
         * Sets how often the collector runs before a request that does not fit fails. By default it is 10.
         *
         * @param count the number; 0: never
         * @return this
         */
        public Builder maxRetries(int count) {
            maxRetries = count;
            return this;
        }

        /**
         * Sets the pause after each run of the collector. By default it is 100 ms.
         *
         * @param pause the pause
         * @return this
         */
        public Builder retryWait(Duration pause) {
            retryWait = pause;
            return this;
        }

        /**
         * Sets how long a call waits for the broker's answer. By default it is 30 s.
         *
         * @param limit the time
         * @return this
         */
        public Builder timeout(Duration limit) {
            timeout = limit;
            return this;
        }

        /**
         * Sets how long buffers and workspaces wait in the broker's queue if memory is short. An interrupt of the thread
         * ends the wait: see {@link InterruptedWaitException}.
         *
         * @param limit the time; zero: they do not wait
         * @return this
         */
        public Builder maxWait(Duration limit) {
            maxWait = limit;
            return this;
        }

        /**
         * Keeps released leases for the next request of their size. By default none are kept.
         *
         * @param bytes the most that is kept; 0: nothing
         * @return this
         */
        public Builder cacheBytes(long bytes) {
            cacheBytes = bytes;
            return this;
        }

        /**
         * Sets whether the memory of a lost lease becomes private zero pages.
         *
         * @param wanted false: touching it raises SIGBUS
         * @return this
         */
        public Builder guards(boolean wanted) {
            guards = wanted;
            return this;
        }

        /**
         * Sets whether leases are renewed until they are closed.
         *
         * @param wanted false: each lease ends after its time to live
         * @return this
         */
        public Builder renews(boolean wanted) {
            renews = wanted;
            return this;
        }

        /**
         * Sets whether all users of this process share one session.
         *
         * @param wanted false: a session of its own
         * @return this
         */
        public Builder shared(boolean wanted) {
            shared = wanted;
            return this;
        }

        /**
         * Makes the options.
         *
         * @return the options
         * @throws IllegalArgumentException if a number or a time is negative, or the name is too long
         */
        public ConnectOptions build() {
            long all = maxBytes != null ? maxBytes : heapBytes > Long.MAX_VALUE / 2 ? 0 : 2 * heapBytes;
            long physical = maxPhysicalBytes != null ? maxPhysicalBytes : all;
            return new ConnectOptions(socket, name, heapBytes, all, physical, maxRetries, retryWait, timeout, maxWait,
                    cacheBytes, guards, renews, shared).checked();
        }
    }
}

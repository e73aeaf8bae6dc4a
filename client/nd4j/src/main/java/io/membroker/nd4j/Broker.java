/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.BufferOptions;
import io.membroker.ConnectOptions;
import io.membroker.Lease;
import io.membroker.LeaseOptions;
import io.membroker.Location;
import io.membroker.MemoryBroker;
import io.membroker.MemoryLimitException;
import io.membroker.TrackedBuffer;
import java.time.Duration;
import java.util.Locale;
import org.bytedeco.javacpp.Pointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This process's session with the broker. What does not fit is tried again as JavaCPP does, after the collector has run;
 * at last it waits in the broker's queue for as long as {@code -Dio.membroker.nd4j.wait} says, in milliseconds.
 */
final class Broker {
    private static final Logger LOG = LoggerFactory.getLogger(Broker.class);
    private static final String WAIT = "io.membroker.nd4j.wait";
    private static final String MAX_BYTES = "org.bytedeco.javacpp.maxBytes";
    private static final String[] UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    private static volatile MemoryBroker connected;

    private Broker() {
    }

    /** Connects at the first use. Not when the class is loaded: the JVM would never try again. */
    private static MemoryBroker broker() {
        MemoryBroker present = connected;
        return present != null ? present : connect();
    }

    private static synchronized MemoryBroker connect() {
        if (connected == null) {
            connected = connect(options());
            LOG.info("ND4J's memory is leased from the memory broker, at most {} in RAM and {} in all",
                    limit(connected.options().maxPhysicalBytes()), limit(connected.options().maxBytes()));
        }
        return connected;
    }

    /** For people: in the largest unit of which there is at least one. */
    private static String limit(long bytes) {
        if (bytes == 0) {
            return "no limit";
        }
        int unit = Math.min((Long.SIZE - 1 - Long.numberOfLeadingZeros(bytes)) / 10, UNITS.length - 1);
        double number = bytes / Math.pow(1024, unit);
        String format = number == Math.rint(number) ? "%.0f %s" : "%.1f %s";
        return String.format(Locale.ROOT, format, number, UNITS[unit]);
    }

    /** If the program shares a session with other options, ND4J's memory has one of its own. */
    private static MemoryBroker connect(ConnectOptions.Builder options) {
        try {
            return MemoryBroker.connect(options.build());
        } catch (IllegalStateException shared) {
            return MemoryBroker.connect(options.shared(false).build());
        }
    }

    /**
     * Without {@code maxBytes} a program has the memory that it has without the plug-in: JavaCPP's limit of RAM, whose
     * default differs between its versions, and none for files.
     */
    private static ConnectOptions.Builder options() {
        ConnectOptions.Builder options = ConnectOptions.builder().maxWait(maxWait());
        return isSet(MAX_BYTES) || isSet(MAX_BYTES.toLowerCase(Locale.ROOT)) ? options
                : options.maxBytes(0).maxPhysicalBytes(Math.max(0, Pointer.maxPhysicalBytes()));
    }

    private static boolean isSet(String property) {
        return !System.getProperty(property, "").isEmpty();
    }

    private static Duration maxWait() {
        String text = System.getProperty(WAIT, "10000");
        if (!text.matches("[0-9]{1,9}")) {
            throw new IllegalArgumentException("-D" + WAIT + " must be a number of milliseconds, not \"" + text + "\"");
        }
        return Duration.ofMillis(Long.parseLong(text));
    }

    /** A lease under a workspace's id. Its memory is zero. */
    static WorkspaceLease lease(String id, long bytes, Location location, String file) {
        MemoryBroker broker = broker();
        LeaseOptions.Builder options = optionsOf(id, location, file);
        for (int retry = 0; retry < broker.options().maxRetries(); retry++) {
            try {
                return acquire(bytes, options.build());
            } catch (MemoryLimitException refused) {
                if (!refused.mayFitLater()) {
                    throw outOfMemory(refused);
                }
                collectGarbage(broker.options().retryWait());
            }
        }
        return orOutOfMemory(() -> acquire(bytes, options.maxWait(broker.options().maxWait()).build()));
    }

    /** The same, but what does not fit now is refused. */
    static WorkspaceLease leaseNow(String id, long bytes, Location location, String file) {
        return orOutOfMemory(() -> acquire(bytes, optionsOf(id, location, file).build()));
    }

    private static LeaseOptions.Builder optionsOf(String id, Location location, String file) {
        return LeaseOptions.builder().name(LeaseName.of(id)).location(location).file(file);
    }

    /** The same in RAM, but null if it does not fit now. */
    static WorkspaceLease leaseIfFree(String id, long bytes) {
        try {
            return acquire(bytes, optionsOf(id, Location.RAM, null).build());
        } catch (MemoryLimitException refused) {
            return null;
        }
    }

    /** A tracked buffer; it may have old data of this process. What does not fit is tried again by the library. */
    static TrackedBuffer buffer(long bytes) {
        return orOutOfMemory(() -> broker().createBuffer(bytes, BufferOptions.UNINITIALIZED));
    }

    /** Changes after leases were lost. */
    static int losses() {
        return broker().losses();
    }

    private static WorkspaceLease acquire(long bytes, LeaseOptions options) {
        Lease lease = broker().acquire(bytes, options);
        try {
            return new WorkspaceLease(lease);
        } catch (RuntimeException | Error notMapped) {
            lease.close();
            throw notMapped;
        }
    }

    /** What ND4J has no reference to any more is freed by a thread of its own, which needs a moment. */
    private static void collectGarbage(Duration pause) {
        boolean isInterrupted = Thread.interrupted();
        System.gc();
        try {
            Thread.sleep(pause.toMillis());
        } catch (InterruptedException interrupted) {
            isInterrupted = true;
        }
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static <T> T orOutOfMemory(java.util.function.Supplier<T> request) {
        try {
            return request.get();
        } catch (MemoryLimitException refused) {
            throw outOfMemory(refused);
        }
    }

    private static OutOfMemoryError outOfMemory(MemoryLimitException refused) {
        OutOfMemoryError error = new OutOfMemoryError(refused.getMessage());
        error.initCause(refused);
        return error;
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.io.PrintStream;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Where tracked buffers and leases that are alive were created. Recorded only with {@code -Dio.membroker.leaks=true}, because it costs
 * a stack trace for each of them. At the end of the JVM the report goes to standard error.
 */
public final class Leaks {
    private static final int FRAMES = 8;
    private static final Set<Site> ALIVE = Boolean.getBoolean("io.membroker.leaks") ? begin() : null;

    /** The frames between the program and here. */
    private static final Set<String> BETWEEN = Stream.of(Leaks.class, Site.class, TrackedBuffer.class, Lease.class, MemoryBroker.class,
            Copies.class, MemoryRegion.class).map(Class::getName).collect(Collectors.toUnmodifiableSet());

    /** A place in the program that creates something. */
    static final class Site {
        private final String what;
        private final long bytes;
        private final List<StackTraceElement> frames;

        private Site(String what, long bytes) {
            this.what = what;
            this.bytes = bytes;
            this.frames = StackWalker.getInstance().walk(all -> all
                    .dropWhile(frame -> BETWEEN.contains(frame.getClassName()))
                    .limit(FRAMES).map(StackWalker.StackFrame::toStackTraceElement).toList());
        }
    }

    private Leaks() {
    }

    private static Set<Site> begin() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> print(System.err), "membroker-leaks"));
        return ConcurrentHashMap.newKeySet();
    }

    /** What is created, such as "buffers". Null unless sites are recorded. */
    static Site site(String what, long bytes) {
        if (ALIVE == null) {
            return null;
        }
        Site site = new Site(what, bytes);
        ALIVE.add(site);
        return site;
    }

    static void ended(Site site) {
        if (site != null) {
            ALIVE.remove(site);
        }
    }

    /**
     * Prints the places whose buffers and leases are alive, the largest sum first, with their stacks.
     *
     * @param out where to
     */
    public static void print(PrintStream out) {
        if (ALIVE == null) {
            out.println("membroker: start the JVM with -Dio.membroker.leaks=true to record where buffers and leases are created");
            return;
        }
        Map<List<StackTraceElement>, List<Site>> places = ALIVE.stream().collect(Collectors.groupingBy(site -> site.frames));
        out.printf("membroker: %,d buffers and leases are alive, with %,d bytes%n", ALIVE.size(), sum(List.copyOf(ALIVE)));
        places.entrySet().stream()
                .sorted(Comparator.comparingLong(place -> -sum(place.getValue())))
                .forEach(place -> print(out, place.getKey(), place.getValue()));
    }

    private static void print(PrintStream out, List<StackTraceElement> frames, List<Site> sites) {
        out.printf("%,d bytes in %,d %s:%n", sum(sites), sites.size(), sites.get(0).what);
        frames.forEach(frame -> out.println("    at " + frame));
    }

    private static long sum(List<Site> sites) {
        return sites.stream().mapToLong(site -> site.bytes).sum();
    }
}

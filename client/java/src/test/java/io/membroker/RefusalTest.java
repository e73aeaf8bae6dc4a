// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The figures of a refusal are the broker's, of each limit. */
class RefusalTest {
    private static final int MIB = 1 << 20;

    private static MemoryLimitException refused(MemoryBroker broker, long bytes, Location location) {
        return assertThrows(MemoryLimitException.class,
                () -> broker.acquire(bytes, LeaseOptions.builder().location(location).build()));
    }

    private static void expect(MemoryLimitException refused, String limit, String owner, long... figures) {
        assertEquals(limit, refused.limitName(), refused.getMessage());
        assertEquals(owner, refused.limitOwner());
        assertEquals(List.of(figures[0], figures[1], figures[2], figures[0] - figures[2]),
                List.of(refused.limitBytes(), refused.askedBytes(), refused.usedBytes(), refused.freeBytes()));
        assertEquals(0, refused.reservedBytes());
        assertEquals(0, refused.claimedBytes());
    }

    @Test
    void areThoseOfTheClientsOwnLimit() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(64 * MIB).build());
                Lease held = broker.acquire(48 * MIB - 100)) {
            expect(refused(broker, 32 * MIB - 5, Location.RAM), "max_bytes", "client", 64 * MIB, 32 * MIB,
                    held.byteSize());
        }
    }

    @Test
    void areThoseOfEachOfTheHostsLimits() {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 8M", "max_bytes = 11M", "[pool]", "pool_bytes = 0");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(0).build());
                Lease held = broker.acquire(6_000_000)) {
            long used = held.byteSize();
            expect(refused(broker, 3 * MIB, Location.RAM), "max_physical_bytes", "host", 8 * MIB, 3 * MIB, used);
            expect(refused(broker, 9L << 30, Location.MMAP), "max_bytes", "host", 11 * MIB, 9L << 30, used);
        }
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 8M");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(0).build())) {
            expect(refused(broker, 9L << 30, Location.MMAP), "max_mapped_bytes", "host", 8L << 30, 9L << 30, 0);
        }
    }

    @Test
    void areNumbersOfLeasesIfThoseAreLimited() {
        try (TestBroker daemon = new TestBroker("[user *]", "max_leases = 1");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build());
                Lease held = broker.acquire(MIB)) {
            MemoryLimitException refused = refused(broker, MIB, Location.RAM);
            expect(refused, "max_leases", refused.limitOwner(), 1, 1, 1);
            assertTrue(refused.limitOwner().startsWith("user ") && held.isAlive(), refused.limitOwner());
            assertEquals(List.of(), refused.holders());
        }
    }

    @Test
    void areThoseOfTheHostsMemoryAndDisk() {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 100T", "max_bytes = 9000T", "max_mapped_bytes = 8000T");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(0).build())) {
            MemoryLimitException memory = refused(broker, 90L << 40, Location.RAM);
            assertEquals("available_memory", memory.limitName(), memory.getMessage());
            assertEquals(90L << 40, memory.askedBytes());
            assertTrue(memory.limitBytes() > 0 && memory.freeBytes() <= memory.limitBytes(), memory.getMessage());
            MemoryLimitException disk = refused(broker, 7000L << 40, Location.MMAP);
            assertEquals("disk_space", disk.limitName(), disk.getMessage());
            assertEquals(7000L << 40, disk.askedBytes());
            assertEquals(disk.limitBytes(), disk.freeBytes());
        }
    }

    private static String advice(String limit, String owner) {
        return new Refusal(limit, owner, Refusal.UNKNOWN.bytes(), true, Refusal.UNKNOWN.holders()).advice();
    }

    @Test
    void comeWithAdviceIfJavaSetsTheLimit() {
        assertTrue(advice("max_bytes", "client").contains("javacpp.maxBytes"));
        assertTrue(advice("max_physical_bytes", "client").contains("javacpp.maxPhysicalBytes"));
        for (String limit : List.of("max_mapped_bytes", "max_watches", "max_leases", "")) {
            assertEquals("", advice(limit, "client"), limit);
        }
        assertEquals("", advice("max_bytes", "host"));
    }

    @Test
    void nameTheHolders() {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 64M");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().name("first (pid 3), (of two) 7 MiB").build());
                Lease held = broker.acquire(40_000_000)) {
            MemoryLimitException refused = refused(broker, 32 * MIB, Location.RAM);
            assertEquals(1, refused.holders().size(), refused.getMessage());
            MemoryLimitException.Holder holder = refused.holders().get(0);
            assertEquals(ProcessHandle.current().pid(), holder.pid());
            assertEquals(held.byteSize(), holder.bytes());
            assertEquals("first (pid 3), (of two) 7 MiB", holder.name());
        }
    }

    @Test
    void areOfBuffersAndWorkspacesToo() {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 4M");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxRetries(0).build())) {
            MemoryLimitException refused = assertThrows(MemoryLimitException.class, () -> broker.createBuffer(8 * MIB));
            assertTrue(refused.askedBytes() >= 8 * MIB && refused.limitBytes() == 4 * MIB, refused.getMessage());
            try (MemoryWorkspace workspace = broker.workspaces().getAndActivateWorkspace("small")) {
                refused = assertThrows(MemoryLimitException.class, () -> workspace.alloc(16 * MIB, false));
                assertTrue(refused.askedBytes() >= 16 * MIB, refused.getMessage());
            }
        }
    }

    /** Each retry would run the collector, and the broker would count a refusal. */
    @Test
    void comeAtOnceIfTheRequestCanNeverFit() {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 4M");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().retryWait(Duration.ofMillis(1)).build());
                MemoryWorkspace workspace = broker.workspaces().getAndActivateWorkspace("small")) {
            for (Executable request : List.<Executable>of(() -> broker.createBuffer(8 * MIB),
                    () -> workspace.alloc(8 * MIB, false), () -> broker.workspaces().createNewWorkspace(
                            WorkspaceConfiguration.builder().initialSize(8 * MIB).build()))) {
                long before = collections();
                MemoryLimitException refused = assertThrows(MemoryLimitException.class, request);
                assertTrue(!refused.mayFitLater() && refused.getMessage().contains("Ask for less"), refused.getMessage());
                assertTrue(collections() < before + 5, "the collector ran for each of ten retries");
            }
            try (Lease held = broker.acquire(3 * MIB)) {
                assertTrue(refused(broker, 2 * MIB, Location.RAM).mayFitLater(), held.toString());
            }
        }
    }

    private static long collections() {
        return ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(b -> b.getCollectionCount()).sum();
    }

    @Test
    void surviveSerialization() throws IOException, ClassNotFoundException {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 4M");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build());
                Lease held = broker.acquire(MIB)) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
                out.writeObject(refused(broker, 8 * MIB, Location.RAM));
            }
            try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
                MemoryLimitException read = (MemoryLimitException) in.readObject();
                expect(read, "max_physical_bytes", "host", 4 * MIB, 8 * MIB, held.byteSize());
                assertEquals(MIB, read.holders().get(0).bytes());
            }
        }
    }
}

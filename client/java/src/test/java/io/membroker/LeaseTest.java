// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LeaseTest {
    private static TestBroker daemon;
    private MemoryBroker broker;

    @BeforeAll
    static void start() {
        daemon = new TestBroker();
    }

    @AfterAll
    static void stop() {
        daemon.close();
    }

    @BeforeEach
    void connect() {
        broker = MemoryBroker.connect(daemon.options().maxBytes(0).build());
    }

    @AfterEach
    void disconnect() {
        broker.close();
    }

    @Test
    void isSeenByAnotherProcessUntilItIsClosed() {
        LeaseOptions options = LeaseOptions.builder().name("weights").location(Location.MMAP).build();
        try (Lease lease = broker.acquire(1_000_000, options)) {
            String listing = daemon.ctl("leases");
            assertTrue(listing.contains("weights"), listing);
            assertEquals(Location.MMAP, lease.location());
            assertEquals(1_003_520, lease.byteSize());
        }
        String listing = daemon.ctl("leases");
        assertFalse(listing.contains("weights"), listing);
    }

    @Test
    void holdsWhatViewsOfAllTypesWrite() {
        try (Lease lease = broker.acquire(4096)) {
            MemoryRegion memory = lease.memory();
            memory.floats().set(0, 1.5f);
            memory.doubles().set(1, 2.5);
            memory.ints().set(4, -7);
            memory.longs().set(3, Long.MIN_VALUE);
            memory.bytes().set(32, (byte) 9);
            ByteBuffer raw = memory.asByteBuffer();
            assertEquals(ByteOrder.nativeOrder(), raw.order());
            assertEquals(1.5f, raw.getFloat(0));
            assertEquals(2.5, raw.getDouble(8));
            assertEquals(-7, raw.getInt(16));
            assertEquals(Long.MIN_VALUE, raw.getLong(24));
            assertEquals(9, raw.get(32));
            assertEquals(0, raw.get(33));
        }
    }

    @Test
    void copiesInBulk() {
        float[] from = {1, 2, 3, 4};
        float[] to = new float[6];
        try (Lease lease = broker.acquire(4096)) {
            FloatView floats = lease.memory().floats();
            assertEquals(1024, floats.size());
            floats.set(10, from, 1, 3);
            floats.get(9, to, 0, 6);
            assertEquals(0, to[0]);
            assertEquals(2, to[1]);
            assertEquals(4, to[3]);
            floats.fill(7);
            assertEquals(7, floats.get(1023));
            assertThrows(IndexOutOfBoundsException.class, () -> floats.get(1024));
            assertThrows(IndexOutOfBoundsException.class, () -> floats.set(-1, 0));
        }
    }

    @Test
    void endsWithClose() {
        Lease lease = broker.acquire(4096);
        MemoryRegion memory = lease.memory();
        IntView ints = memory.ints();
        lease.close();
        lease.close();
        assertThrows(IllegalStateException.class, () -> ints.get(0));
        assertThrows(IllegalStateException.class, () -> ints.set(0, 1));
        assertThrows(IllegalStateException.class, () -> ints.get(0, new int[1], 0, 1));
        assertThrows(IllegalStateException.class, memory::asByteBuffer);
        assertThrows(IllegalStateException.class, () -> memory.slice(0, 8).ints());
        assertThrows(IllegalStateException.class, lease::memory);
        assertThrows(IllegalStateException.class, lease::id);
        assertEquals(EndReason.RELEASED, lease.endReason());
    }

    @Test
    void refusesBuffersThatTheJdkCannotHave() {
        for (long gibibytes : new long[] {2, 3, 5}) {
            try (Lease lease = broker.acquire(gibibytes << 30)) {
                MemoryRegion memory = lease.memory();
                assertThrows(IllegalArgumentException.class, memory::asByteBuffer, gibibytes + " GiB");
                assertThrows(IllegalArgumentException.class, memory::floats, gibibytes + " GiB");
                assertEquals(1 << 20, memory.asByteBuffer((gibibytes << 30) - (1 << 20), 1 << 20).capacity());
                MemoryRegion end = memory.slice((gibibytes << 30) - 8, 8);
                end.longs().set(0, 42);
                assertEquals(42, memory.asByteBuffer((gibibytes << 30) - 8, 8).getLong());
                assertThrows(IndexOutOfBoundsException.class, () -> memory.slice(gibibytes << 30, 1));
            }
        }
    }

    @Test
    void growsByExtents() {
        try (Lease lease = broker.acquire(4096)) {
            int extent = lease.extend(8192, Duration.ZERO);
            assertEquals(1, extent);
            assertEquals(2, lease.extents());
            assertEquals(8192, lease.memory(extent).byteSize());
            assertEquals(12288, lease.byteSize());
            assertThrows(IllegalArgumentException.class, () -> lease.memory(2));
        }
    }

    @Test
    void reportsItsUse() {
        try (Lease lease = broker.acquire(1 << 20, LeaseOptions.builder().name("used").build())) {
            lease.reportUse(4096);
            for (int i = 0; i < 500 && !daemon.ctl("leases").contains("4 KiB"); i++) {
                TestBroker.pause(20);
            }
            String listing = daemon.ctl("leases");
            assertTrue(listing.contains("4 KiB"), listing);
        }
    }

    @Test
    void isClosedWithItsBroker() {
        Lease lease = broker.acquire(4096);
        broker.close();
        assertFalse(lease.isAlive());
        assertThrows(IllegalStateException.class, () -> broker.acquire(4096));
    }

    @Test
    void refusesNamesThatAreNone() {
        assertThrows(IllegalArgumentException.class,
                () -> broker.acquire(4096, LeaseOptions.builder().name("a\0b").build()));
        assertThrows(IllegalArgumentException.class, () -> broker.acquire(-1));
        try (Lease lease = broker.acquire(4096, LeaseOptions.builder().name("größe 😀").build())) {
            assertTrue(daemon.ctl("leases").contains("größe 😀"), lease.toString());
        }
    }
}

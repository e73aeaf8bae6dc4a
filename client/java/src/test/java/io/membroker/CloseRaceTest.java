// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.Reference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory that one thread closes while others read it: they get an exception or what was there, and the JVM lives. */
class CloseRaceTest {
    private static final int MIB = 1 << 20;

    private static long sum(DoubleView view) {
        long sum = 0;
        for (int i = 0; i < view.size(); i++) {
            sum += (long) view.get(i);
        }
        return sum;
    }

    /** What its loop sees is ones, then zeros if the memory was closed meanwhile; never what others write. */
    private static void read(DoubleView view, AtomicInteger reading, AtomicInteger wrong) {
        reading.incrementAndGet();
        try {
            while (true) {
                long sum = sum(view);
                if (sum > view.size()) {
                    wrong.incrementAndGet();
                }
            }
        } catch (IllegalStateException closed) {
            // as it should be
        }
    }

    private static void race(MemoryBroker broker, AutoCloseable memory, MemoryRegion region) throws Exception {
        DoubleView view = region.doubles();
        view.fill(1);
        AtomicInteger reading = new AtomicInteger();
        AtomicInteger wrong = new AtomicInteger();
        List<Thread> readers = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            readers.add(new Thread(() -> read(view, reading, wrong)));
            readers.get(i).start();
        }
        while (reading.get() < 2) {
            Thread.onSpinWait();
        }
        TestBroker.pause(20);
        memory.close();
        broker.trim();
        try (TrackedBuffer other = broker.createBuffer(region.byteSize())) {
            other.doubles().fill(5);
            for (Thread reader : readers) {
                reader.join();
            }
        }
        assertEquals(0, wrong.get());
    }

    @ParameterizedTest
    @ValueSource(ints = {4096, 8 * MIB})
    void aClosedBufferIsNotAnothers(int bytes) throws Exception {
        try (TestBroker daemon = new TestBroker(); MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            for (int round = 0; round < 20; round++) {
                TrackedBuffer buffer = broker.createBuffer(bytes);
                race(broker, buffer, buffer);
            }
        }
    }

    @Test
    void aClosedLeaseIsZeros() throws Exception {
        try (TestBroker daemon = new TestBroker(); MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            for (int round = 0; round < 20; round++) {
                Lease lease = broker.acquire(8 * MIB);
                race(broker, lease, lease.memory());
            }
        }
    }

    private static void inThread(Runnable work) throws InterruptedException {
        Thread thread = new Thread(work);
        thread.start();
        thread.join();
    }

    private static void useElsewhere(MemoryRegion memory) throws InterruptedException {
        inThread(() -> memory.bytes().set(0, (byte) 1));
    }

    @Test
    void aLeaseOfSeveralThreadsIsFreeAtOnce() throws Exception {
        try (TestBroker daemon = new TestBroker(); MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            Lease lease = broker.acquire(MIB);
            MemoryRegion memory = lease.memory();
            useElsewhere(memory);
            lease.close();
            broker.ping();
            assertEquals(List.of(), daemon.leases());
            assertThrows(IllegalStateException.class, () -> memory.bytes());
        }
    }

    @Test
    void aBufferOfOneThreadIsFreeAtOnceAndOneOfSeveralWhenItIsNeeded() throws Exception {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 16M", "[pool]", "pool_bytes = 0");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            TrackedBuffer own = broker.createBuffer(12 * MIB);
            own.close();
            broker.acquire(12 * MIB).close();
            TrackedBuffer shared = broker.createBuffer(12 * MIB);
            useElsewhere(shared);
            shared.close();
            assertTrue(ClosedBuffers.exist());
            shared = null;
            broker.acquire(12 * MIB).close();
        }
    }

    /** As the threads of an executor that shuts down. */
    @Test
    void anInterruptedThreadWaitsForItToo() throws Exception {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 16M", "[pool]", "pool_bytes = 0");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            for (int round = 0; round < 3; round++) {
                TrackedBuffer shared = broker.createBuffer(12 * MIB);
                useElsewhere(shared);
                shared.close();
                shared = null;
                Thread.currentThread().interrupt();
                Lease lease = broker.acquire(12 * MIB);
                assertTrue(Thread.interrupted());
                lease.close();
            }
        }
    }

    @Test
    void aBufferWithoutViewsOrWhoseThreadHasEndedIsFreeAtOnce() throws Exception {
        try (TestBroker daemon = new TestBroker(); MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            TestBroker.await(() -> { // those of other tests
                System.gc();
                return !ClosedBuffers.exist();
            });
            TrackedBuffer unseen = broker.createBuffer(MIB);
            inThread(unseen::close);
            assertThrows(IllegalStateException.class, unseen::bytes);
            assertFalse(ClosedBuffers.exist());
            TrackedBuffer[] made = {null};
            inThread(() -> {
                made[0] = broker.createBuffer(MIB);
                made[0].bytes().set(0, (byte) 1);
            });
            made[0].close();
            assertFalse(ClosedBuffers.exist());
            TrackedBuffer seen = broker.createBuffer(MIB);
            ByteView view = seen.bytes();
            inThread(seen::close);
            assertTrue(ClosedBuffers.exist());
            assertThrows(IllegalStateException.class, () -> view.get(0));
        }
    }

    @Test
    void aLeaseThatIsGrantedAfterTheCloseIsReleased() throws Exception {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 8M", "[pool]", "pool_bytes = 0");
                MemoryBroker other = MemoryBroker.connect(daemon.options().build())) {
            MemoryBroker broker = MemoryBroker.connect(daemon.options().build());
            Lease lease = other.acquire(6 * MIB);
            Thread waiter = new Thread(() -> assertThrows(IllegalStateException.class, () -> broker.acquire(6 * MIB,
                    LeaseOptions.builder().maxWait(Duration.ofMinutes(10)).build())));
            waiter.start();
            TestBroker.await(() -> daemon.ctl("status", "--json").contains("\"waiting\": 1"));
            broker.close();
            lease.close();
            waiter.join();
            TestBroker.await(() -> daemon.leases().isEmpty());
        }
    }

    @Test
    void aWaitingExtendHoldsNobodyUp() throws Exception {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = 8M");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            Lease lease = broker.acquire(6 * MIB);
            ByteView view = lease.memory().bytes();
            Thread extender = new Thread(() -> assertThrows(MemoryBrokerException.class,
                    () -> lease.extend(6 * MIB, Duration.ofMinutes(10))));
            extender.start();
            TestBroker.await(() -> daemon.ctl("status", "--json").contains("\"waiting\": 1"));
            byte[] bytes = new byte[10];
            view.get(0, bytes, 0, 10);
            lease.check();
            assertTrue(lease.isAlive() && lease.id() > 0);
            lease.close();
            assertThrows(IllegalStateException.class, () -> view.get(0));
            assertFalse(lease.isAlive());
            assertTrue(extender.isAlive());
            broker.cancelWaits();
            extender.join();
            broker.ping();
            assertEquals(List.of(), daemon.leases());
            Reference.reachabilityFence(view);
        }
    }
}

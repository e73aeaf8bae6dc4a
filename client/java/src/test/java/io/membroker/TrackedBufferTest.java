// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrackedBufferTest {
    @Test
    void isZeroAlignedAndFreedOnce() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            TrackedBuffer buffer = broker.createBuffer(1000);
            DoubleView doubles = buffer.doubles();
            assertEquals(125, doubles.size());
            assertEquals(0, doubles.get(124));
            assertEquals(0, buffer.address() % 64);
            assertFalse(buffer.isAttached());
            buffer.close();
            buffer.close();
            assertThrows(IllegalStateException.class, () -> doubles.get(0));
            assertThrows(IllegalStateException.class, buffer::asByteBuffer);
            assertThrows(IllegalStateException.class, buffer::location);
            BufferOptions mapped = new BufferOptions("mapped", Location.MMAP, true, 4096);
            try (TrackedBuffer other = broker.createBuffer(5000, mapped)) {
                assertEquals(Location.MMAP, other.location());
                assertEquals(0, other.address() % 4096);
            }
            assertThrows(IllegalArgumentException.class, () -> broker.createBuffer(-1));
            assertThrows(IllegalArgumentException.class, () -> broker.createBuffer(0));
        }
    }

    @Test
    void isFreedByTheCollectorForALeaseThatDoesNotFit() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(64 << 20).build())) {
            for (int i = 0; i < 3; i++) {
                broker.createBuffer(40 << 20).bytes().set(0, (byte) 1); // dropped
                broker.acquire(40 << 20).close();
            }
        }
    }

    /** Sizes of all kinds: a thread that frees them keeps some for itself, and here the collector's must not. */
    @Test
    void leavesNoLeaseWhenTheCollectorHasFreedAll() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            for (int i = 0; i < 1000; i++) {
                broker.createBuffer(1 + 60 * i).bytes().set(0, (byte) 1);
            }
            assertFalse(daemon.leases().isEmpty());
            TestBroker.await(() -> {
                System.gc();
                broker.trim();
                return daemon.leases().isEmpty();
            });
        }
    }

    @Test
    void isFreedByTheCollectorBeforeALimitIsReached() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(256 << 20).build())) {
            for (int i = 0; i < 100; i++) {
                broker.createBuffer(50 << 20).bytes().set(0, (byte) 1); // dropped; the heap does not fill with it
            }
            List<TrackedBuffer> kept = new ArrayList<>();
            MemoryLimitException refused = assertThrows(MemoryLimitException.class, () -> {
                while (true) {
                    kept.add(broker.createBuffer(50 << 20));
                }
            });
            assertTrue(refused.getMessage().contains("buffer"), refused.getMessage());
            assertTrue(kept.size() >= 4, () -> "only " + kept.size());
            kept.forEach(TrackedBuffer::close);
        }
    }

    @Test
    void livesAsLongAsAViewOfIt() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            WeakReference<TrackedBuffer> weak = new WeakReference<>(broker.createBuffer(8 << 20));
            ByteBuffer slice = weak.get().asByteBuffer().slice(1 << 20, 16);
            IntView view = weak.get().ints();
            collect(null);
            assertNotNull(weak.get());
            view.set(1 << 18, 7);
            view = null;
            collect(null);
            assertNotNull(weak.get());
            assertEquals(7, slice.order(java.nio.ByteOrder.nativeOrder()).getInt(0));
            slice = null;
            collect(weak);
            assertNull(weak.get());
        }
    }

    private static void collect(WeakReference<?> until) {
        for (int i = 0; i < (until == null ? 5 : 500) && (until == null || until.get() != null); i++) {
            System.gc();
            TestBroker.pause(10);
        }
    }

    @Test
    void isSharedByThreads() throws Exception {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            List<Thread> threads = new ArrayList<>();
            try (TrackedBuffer sum = broker.createBuffer(64)) {
                LongView longs = sum.longs();
                for (int i = 0; i < 8; i++) {
                    int own = i;
                    threads.add(new Thread(() -> {
                        for (int n = 0; n < 5000; n++) {
                            try (TrackedBuffer buffer = broker.createBuffer(1 + n % 3000)) {
                                buffer.bytes().set(0, (byte) n);
                                longs.set(own, longs.get(own) + buffer.bytes().get(0));
                            }
                        }
                    }));
                }
                threads.forEach(Thread::start);
                for (Thread thread : threads) {
                    thread.join();
                }
                long expected = 0;
                for (int n = 0; n < 5000; n++) {
                    expected += (byte) n;
                }
                for (int i = 0; i < 8; i++) {
                    assertEquals(expected, longs.get(i));
                }
            }
        }
    }

    @Test
    void isFreedAtItsCloseAfterAnotherThreadAskedWhetherItIsLost() throws Exception {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            TrackedBuffer buffer = broker.createBuffer(8 << 20);
            Thread other = new Thread(buffer::loss);
            other.start();
            other.join();
            buffer.close();
            broker.trim();
            assertEquals(List.of(), daemon.leases());
        }
    }

    @Test
    void isLostWithItsLease() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            TrackedBuffer buffer = broker.createBuffer(8 << 20);
            IntView ints = buffer.ints();
            assertNull(buffer.loss());
            int before = broker.losses();
            daemon.revokeTheLease();
            TestBroker.await(() -> broker.losses() != before);
            assertTrue(buffer.loss().getMessage().contains("revoked"));
            assertThrows(LeaseLostException.class, () -> ints.get(0, new int[10], 0, 10));
            assertThrows(LeaseLostException.class, buffer::check);
            buffer.close();
            assertNull(buffer.loss());
            try (TrackedBuffer next = broker.createBuffer(8 << 20)) {
                next.ints().set(0, 1);
            }
        }
    }
}

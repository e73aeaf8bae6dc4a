// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What only JDKs with java.lang.foreign and virtual threads have. */
class SegmentTest {
    private TestBroker daemon;
    private MemoryBroker broker;

    @BeforeEach
    void start() {
        daemon = new TestBroker();
        broker = MemoryBroker.connect(daemon.options().maxBytes(0).build());
    }

    @AfterEach
    void stop() {
        broker.workspaces().destroyAllWorkspacesForCurrentThread();
        broker.close();
        daemon.close();
    }

    @Test
    void endsWithItsCycle() throws Exception {
        MemorySegment segment;
        try (MemoryWorkspace ws = broker.workspaces().getAndActivateWorkspace("segments")) {
            MemoryRegion memory = ws.alloc(1024, true);
            segment = memory.as(MemorySegment.class);
            assertEquals(1024, segment.byteSize());
            segment.setAtIndex(ValueLayout.JAVA_FLOAT, 255, 1.5f);
            assertEquals(1.5f, memory.floats().get(255));
            assertThrows(IndexOutOfBoundsException.class, () -> segment.getAtIndex(ValueLayout.JAVA_FLOAT, 256));
            try (MemoryWorkspace again = ws.notifyScopeEntered()) {
                assertEquals(2, again.alloc(16, true).as(MemorySegment.class).byteSize() / 8);
            }
            segment.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 2);
            AtomicReference<Throwable> failure = new AtomicReference<>();
            Thread other = new Thread(() -> segment.get(ValueLayout.JAVA_BYTE, 0));
            other.setUncaughtExceptionHandler((thread, thrown) -> failure.set(thrown));
            other.start();
            other.join();
            assertTrue(failure.get() instanceof WrongThreadException, String.valueOf(failure.get()));
        }
        assertThrows(IllegalStateException.class, () -> segment.getAtIndex(ValueLayout.JAVA_FLOAT, 0));
        try (MemoryWorkspace ws = broker.workspaces().getAndActivateWorkspace("segments")) {
            ws.alloc(1024, true);
            assertThrows(IllegalStateException.class, () -> segment.getAtIndex(ValueLayout.JAVA_FLOAT, 0));
        }
    }

    @Test
    void endsWithItsBufferAndHasNoLimitOfSize() {
        MemorySegment segment;
        try (TrackedBuffer buffer = broker.createBuffer(64)) {
            segment = buffer.as(MemorySegment.class);
            segment.set(ValueLayout.JAVA_LONG, 56, 7);
            assertEquals(7, buffer.longs().get(7));
        }
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_LONG, 0));
        try (Lease lease = broker.acquire(5L << 30)) {
            MemorySegment large = lease.memory().as(MemorySegment.class);
            assertEquals(5L << 30, large.byteSize());
            large.set(ValueLayout.JAVA_INT, (5L << 30) - 4, 9);
            assertEquals(9, lease.memory().slice((5L << 30) - 4, 4).ints().get(0));
        }
    }

    @Test
    void isOfNoOtherType() {
        try (TrackedBuffer buffer = broker.createBuffer(64)) {
            assertThrows(UnsupportedOperationException.class, () -> buffer.as(String.class));
        }
    }

    @Test
    void virtualThreadsHaveBuffersAndNoWorkspaces() throws Exception {
        AtomicReference<Throwable> refused = new AtomicReference<>();
        AtomicReference<Long> sum = new AtomicReference<>(0L);
        Thread.ofVirtual().start(() -> {
            try (TrackedBuffer buffer = broker.createBuffer(800); Lease lease = broker.acquire(4096)) {
                LongView longs = buffer.longs();
                for (int i = 0; i < 100; i++) {
                    longs.set(i, i);
                    Thread.yield();
                    sum.set(sum.get() + longs.get(i) + lease.memory().longs().get(i));
                }
            }
            try {
                broker.workspaces().getAndActivateWorkspace("virtual");
            } catch (IllegalStateException expected) {
                refused.set(expected);
            }
        }).join();
        assertEquals(4950, sum.get());
        assertTrue(refused.get().getMessage().contains("virtual thread"), String.valueOf(refused.get()));
    }
}

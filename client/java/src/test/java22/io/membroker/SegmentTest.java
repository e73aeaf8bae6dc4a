// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What only JDKs with java.lang.foreign and virtual threads have. */
class SegmentTest extends WithBroker {
    @AfterEach
    void destroyWorkspaces() {
        broker.workspaces().destroyAllWorkspacesForCurrentThread();
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
    void ofABlockCanOnlyBeReadAfterThePublication() {
        Block block = broker.createBlock(4096);
        MemorySegment before = block.memory().as(MemorySegment.class);
        before.set(ValueLayout.JAVA_LONG, 8, 7);
        block.publish("segment");
        assertThrows(IllegalStateException.class, () -> before.set(ValueLayout.JAVA_LONG, 8, 8));
        MemorySegment after;
        try (BlockView view = broker.attach("segment")) {
            after = view.memory().as(MemorySegment.class);
            assertEquals(7, after.get(ValueLayout.JAVA_LONG, 8));
            assertThrows(IllegalArgumentException.class, () -> after.set(ValueLayout.JAVA_LONG, 8, 8));
            assertTrue(block.memory().as(MemorySegment.class).isReadOnly());
        }
        assertThrows(IllegalStateException.class, () -> after.get(ValueLayout.JAVA_LONG, 8));
        block.close();
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

    private static MemorySegment ofDroppedBuffer(MemoryBroker broker) {
        TrackedBuffer buffer = broker.createBuffer(1 << 20);
        buffer.bytes().fill((byte) 7);
        return buffer.as(MemorySegment.class);
    }

    private static MemorySegment ofDroppedSession(TestBroker daemon) {
        MemoryBroker dropped = MemoryBroker.connect(daemon.options().build());
        MemoryRegion memory = dropped.acquire(1 << 20).memory();
        memory.bytes().fill((byte) 7);
        return memory.as(MemorySegment.class);
    }

    @Test
    void keepsItsMemoryFromTheCollector() {
        MemorySegment ofBuffer = ofDroppedBuffer(broker);
        MemorySegment ofLease = ofDroppedSession(daemon);
        for (int i = 0; i < 5; i++) {
            System.gc();
            TestBroker.pause(20);
        }
        broker.trim();
        try (TrackedBuffer other = broker.createBuffer(1 << 20)) {
            other.bytes().fill((byte) 42);
            assertEquals(7, ofBuffer.get(ValueLayout.JAVA_BYTE, 5));
            assertEquals(7, ofLease.get(ValueLayout.JAVA_BYTE, 5));
        }
        assertEquals(2, daemon.leases().size());
    }

    /** A thread that reads from an empty pipe into the memory, and so holds its segment. */
    private static final class Input implements AutoCloseable {
        private final Pipe pipe = Pipe.open();
        private final Thread reader;

        Input(MemoryRegion to) throws IOException {
            ByteBuffer buffer = to.as(MemorySegment.class).asByteBuffer();
            reader = new Thread(() -> {
                try {
                    pipe.source().read(buffer);
                } catch (IOException failed) {
                    throw new UncheckedIOException(failed);
                }
            });
            reader.start();
            while (!reads()) {
                TestBroker.pause(5);
            }
            TestBroker.pause(50);
        }

        private boolean reads() {
            return Arrays.stream(reader.getStackTrace()).anyMatch(frame -> frame.getMethodName().startsWith("read0"));
        }

        @Override
        public void close() throws IOException {
            pipe.sink().write(ByteBuffer.wrap(new byte[10]));
            while (reader.isAlive()) {
                TestBroker.pause(1);
            }
            pipe.source().close();
            pipe.sink().close();
        }
    }

    @Test
    void isNotClosedUnderInput() throws Exception {
        TrackedBuffer buffer = broker.createBuffer(1 << 20);
        Lease lease = broker.acquire(1 << 20);
        try (Input one = new Input(buffer); Input two = new Input(lease.memory())) {
            assertTrue(one.reader.isAlive() && two.reader.isAlive());
            assertThrows(IllegalStateException.class, buffer::close);
            assertThrows(IllegalStateException.class, lease::close);
            assertEquals(0, buffer.bytes().get(0));
            assertTrue(lease.isAlive());
        }
        buffer.close();
        lease.close();
        broker.trim();
        broker.ping();
        assertThrows(IllegalStateException.class, () -> buffer.bytes());
        assertEquals(0, daemon.leases().size());
    }

    @Test
    void ofOneLeaseDoesNotKeepTheBrokerFromClosingOthers() throws Exception {
        MemoryBroker closed = MemoryBroker.connect(daemon.options().build());
        List<Lease> leases = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            leases.add(closed.acquire(4096));
        }
        try (Input input = new Input(leases.get(2).memory())) {
            assertTrue(input.reader.isAlive());
            assertThrows(IllegalStateException.class, closed::close);
            assertEquals(1, leases.stream().filter(Lease::isAlive).count());
        }
        closed.close();
        assertEquals(0, leases.stream().filter(Lease::isAlive).count());
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.ThreadFactory;
import org.junit.jupiter.api.Test;

/** An interrupt ends the wait of its thread, and no other one. The waits are for an hour. */
class InterruptTest {
    private static final int MIB = 1 << 20;
    private static final Duration LONG = Duration.ofHours(1);
    private static final LeaseOptions WAITING = LeaseOptions.builder().maxWait(LONG).build();

    /** What a thread waits for. */
    interface Request {
        Object run();
    }

    /** A thread that waits, and what comes of it. */
    static final class Waiter {
        final Thread thread;
        private volatile Object result;
        private volatile boolean wasInterrupted;

        Waiter(ThreadFactory threads, Request request) {
            thread = threads.newThread(() -> {
                try {
                    result = request.run();
                } catch (RuntimeException failed) {
                    result = failed;
                }
                wasInterrupted = Thread.currentThread().isInterrupted();
            });
            thread.start();
        }

        Object result() throws InterruptedException {
            thread.join(60_000);
            return result; // null: it still waits
        }

        void interrupt() throws InterruptedException {
            thread.interrupt();
            InterruptedWaitException failed = assertInstanceOf(InterruptedWaitException.class, result());
            assertTrue(failed.getMessage().endsWith("cancelled, because the thread was interrupted"), failed.getMessage());
            assertTrue(wasInterrupted);
        }
    }

    private static void awaitWaiting(TestBroker daemon, int count) {
        TestBroker.await(() -> daemon.ctl("status", "--json").contains("\"waiting\": " + count));
    }

    /** Of 64 MiB another session has 60. */
    private static TestBroker startFull() {
        return new TestBroker("max_physical_bytes = 64M", "[pool]", "pool_bytes = 0");
    }

    /** The thread that is interrupted is the factory's. */
    static void endsOneWaitOfTwo(ThreadFactory threads) throws InterruptedException {
        try (TestBroker daemon = startFull();
                MemoryBroker other = MemoryBroker.connect(daemon.options().build());
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            Lease all = other.acquire(60 * MIB);
            Waiter first = new Waiter(threads, () -> broker.acquire(8 * MIB, WAITING));
            Waiter second = new Waiter(Thread::new, () -> broker.acquire(8 * MIB, WAITING));
            awaitWaiting(daemon, 2);
            first.interrupt();
            awaitWaiting(daemon, 1);
            all.close();
            assertInstanceOf(Lease.class, second.result());
        }
    }

    @Test
    void endsTheWaitOfItsThreadOnly() throws InterruptedException {
        endsOneWaitOfTwo(Thread::new);
    }

    private static void endsTheWaitFor(java.util.function.Function<MemoryBroker, Request> of) throws InterruptedException {
        try (TestBroker daemon = startFull();
                MemoryBroker other = MemoryBroker.connect(daemon.options().build());
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxWait(LONG).build())) {
            Request request = of.apply(broker);
            Lease all = other.acquire(60 * MIB);
            Waiter waiter = new Waiter(Thread::new, request);
            awaitWaiting(daemon, 1);
            waiter.interrupt();
            awaitWaiting(daemon, 0);
            all.close();
            assertTrue(broker.acquire(MIB).isAlive());
        }
    }

    @Test
    void endsTheWaitForAnExtent() throws InterruptedException {
        endsTheWaitFor(broker -> {
            Lease lease = broker.acquire(MIB);
            return () -> lease.extend(8 * MIB, LONG);
        });
    }

    @Test
    void endsTheWaitForABuffer() throws InterruptedException {
        endsTheWaitFor(broker -> () -> broker.createBuffer(8 * MIB));
    }

    @Test
    void endsTheWaitForABlock() throws InterruptedException {
        endsTheWaitFor(broker -> () -> broker.createBlock(8 * MIB, BlockOptions.builder().maxWait(LONG).build()));
    }

    @Test
    void endsTheWaitOfAWorkspace() throws InterruptedException {
        WorkspaceConfiguration sized = WorkspaceConfiguration.builder().initialSize(8 * MIB).build();
        endsTheWaitFor(broker -> () -> broker.workspaces().getAndActivateWorkspace(sized, "sized"));
        endsTheWaitFor(broker -> () -> {
            try (MemoryWorkspace workspace = broker.workspaces().getAndActivateWorkspace("learning")) {
                return workspace.alloc(8 * MIB, false);
            }
        });
    }

    @Test
    void endsTheWaitForAConnection() throws Exception {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            daemon.kill();
            Waiter waiter = new Waiter(Thread::new, () -> {
                broker.waitConnected(LONG);
                return null;
            });
            TestBroker.pause(100); // the interrupt may come before the wait too
            waiter.interrupt();
            daemon.start();
        }
    }

    @Test
    void thatCameBeforeEndsWhatMayWaitAndNothingElse() {
        try (TestBroker daemon = startFull();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxWait(LONG).build())) {
            Thread.currentThread().interrupt();
            assertThrows(InterruptedWaitException.class, () -> broker.acquire(MIB, WAITING));
            assertTrue(Thread.currentThread().isInterrupted());
            assertTrue(broker.acquire(MIB).isAlive());
            assertEquals(MIB, broker.createBuffer(MIB).byteSize());
            assertTrue(Thread.interrupted());
            assertTrue(broker.acquire(MIB, WAITING).isAlive());
        }
    }

    @Test
    void isNotTheReasonIfTheProgramCancelsAllWaits() throws InterruptedException {
        try (TestBroker daemon = startFull();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build());
                Lease all = broker.acquire(60 * MIB)) {
            Waiter waiter = new Waiter(Thread::new, () -> broker.acquire(8 * MIB, WAITING));
            awaitWaiting(daemon, 1);
            broker.cancelWaits();
            assertEquals(MemoryBrokerException.class, waiter.result().getClass());
            assertTrue(all.isAlive());
        }
    }
}

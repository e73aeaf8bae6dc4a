// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is lost is lost, but the JVM lives and says so. */
class LostLeaseTest {
    private TestBroker daemon;
    private MemoryBroker broker;

    @BeforeEach
    void start() {
        daemon = new TestBroker();
        broker = MemoryBroker.connect(daemon.options().build());
    }

    @AfterEach
    void stop() {
        broker.close();
        daemon.close();
    }

    private void revoke(Lease lease) {
        daemon.ctl("revoke", Long.toString(lease.id()));
    }

    @Test
    void throwsInBulkAccessAtOnce() {
        Lease lease = broker.acquire(1 << 20);
        FloatView floats = lease.memory().floats();
        floats.fill(1);
        float[] copy = new float[floats.size()];
        revoke(lease);
        LeaseLostException lost = assertThrows(LeaseLostException.class, () -> floats.get(0, copy, 0, copy.length));
        assertTrue(lost.getMessage().contains("revoked"), lost.getMessage());
        assertEquals(List.of(lease.id(), EndReason.REVOKED), List.of(lost.leaseId(), lost.endReason()));
        assertThrows(LeaseLostException.class, () -> floats.set(0, copy, 0, copy.length));
        assertThrows(LeaseLostException.class, () -> floats.fill(2));
        assertThrows(LeaseLostException.class, lease::check);
        assertThrows(LeaseLostException.class, () -> lease.memory().check());
        assertFalse(lease.isAlive());
        assertEquals(EndReason.REVOKED, lease.endReason());
        assertEquals(EndReason.REVOKED, lost.endReason());
        assertTrue(lease.toString().startsWith("lease " + lease.id() + " of 1048576 bytes, RAM"), lease.toString());
        lease.close();
        assertEquals(EndReason.REVOKED, lease.endReason());
        assertEquals("lease, closed", lease.toString());
    }

    @Test
    void throwsInElementAccess() {
        Lease lease = broker.acquire(1 << 20);
        LongView longs = lease.memory().longs();
        longs.fill(1);
        revoke(lease);
        TestBroker.await(() -> throwsLoss(() -> copyOne(longs)));
    }

    private static void copyOne(LongView longs) {
        try {
            longs.set(0, longs.get(1));
        } catch (InternalError fault) { // with libjsig the JVM answers before the guard does
            if (!System.getenv().getOrDefault("LD_PRELOAD", "").contains("libjsig")) {
                throw fault;
            }
        }
    }

    @Test
    void leavesOthersAlone() {
        Lease lost = broker.acquire(1 << 20);
        Lease kept = broker.acquire(1 << 20);
        IntView ints = kept.memory().ints();
        ints.fill(3);
        IntView gone = lost.memory().ints();
        revoke(lost);
        assertThrows(LeaseLostException.class, () -> gone.get(0, new int[1], 0, 1));
        for (int i = 0; i < 100; i++) {
            assertEquals(3, ints.get(i));
            TestBroker.pause(1);
        }
        kept.memory().check();
    }

    @Test
    void survivesTheDeathOfTheBroker() throws Exception {
        Lease lease = broker.acquire(1 << 20);
        daemon.kill();
        daemon.start();
        TestBroker.awaitConnected(broker);
        assertThrows(LeaseLostException.class, lease::check);
        try (Lease next = broker.acquire(1 << 20)) {
            next.memory().ints().set(0, 1);
        }
    }

    /** Nobody takes the pages away. */
    @Test
    void keepsItsNumbersInAByteBufferIfTheBrokerDies() throws Exception {
        Lease lease = broker.acquire(1 << 20);
        IntView ints = lease.memory().ints();
        ints.set(0, 42);
        ByteBuffer plain = lease.memory().asByteBuffer();
        daemon.kill();
        TestBroker.await(() -> !lease.isAlive());
        assertThrows(LeaseLostException.class, () -> ints.get(0, new int[1], 0, 1));
        TestBroker.await(() -> throwsLoss(() -> ints.get(0)));
        assertEquals(42, plain.getInt(0));
        daemon.start();
        broker.waitConnected(Duration.ofSeconds(20));
        assertEquals(42, plain.getInt(0));
        assertEquals(EndReason.BROKER_GONE, lease.endReason());
    }

    /** Between two accesses the thread is to sleep: a loop over elements that runs already need not see a loss. */
    static boolean throwsLoss(Runnable access) {
        try {
            access.run();
            return false;
        } catch (LeaseLostException lost) {
            return true;
        }
    }

    @Test
    void namesWhyThereIsNoBroker() throws Exception {
        daemon.kill();
        ConnectOptions options = daemon.options().build();
        NotConnectedException none = assertThrows(NotConnectedException.class, () -> MemoryBroker.connect(options));
        assertTrue(none.getMessage().contains(daemon.socket()), none.getMessage());
        daemon.start();
    }
}

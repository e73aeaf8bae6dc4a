// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.membroker.BlockChange.Kind;
import io.membroker.InterruptTest.Waiter;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Watching the names of blocks. */
class BlockWatchTest {
    private static final int EINVAL = 22;
    private static final int EMFILE = 24;
    private static final BlockContent CONTENT = BlockContent.of(new int[] {1, 2, 3});
    private static final BlockOptions REPLACING = BlockOptions.builder().replace(true).build();

    /** Room for a few blocks, and for one watch that waits: the next one tells whether it does. */
    private final TestBroker daemon =
            new TestBroker("max_physical_bytes = 16M", "[sharing]", "max_watches = 1", "[pool]", "pool_bytes = 0");
    private final MemoryBroker broker = MemoryBroker.connect(daemon.options().build());
    private final BlockWatch watch = broker.watch("frames/");

    @AfterEach
    void disconnect() {
        broker.close();
        daemon.close();
    }

    static void assertPublished(String name, BlockChange change) {
        assertEquals(List.of(Kind.PUBLISHED, name, EndReason.NONE),
                List.of(change.kind(), change.name(), change.endReason()));
    }

    static void assertEnded(String name, EndReason reason, BlockChange change) {
        assertEquals(List.of(Kind.ENDED, name, reason), List.of(change.kind(), change.name(), change.endReason()));
    }

    private void assertNothing() {
        assertNull(watch.poll(Duration.ZERO));
    }

    /** A thread that waits for a change, in the library. */
    private Waiter waiter() {
        return waiter(broker, watch);
    }

    /** The same of a session that may have one such thread. */
    static Waiter waiter(MemoryBroker broker, BlockWatch watch) {
        Waiter waiter = new Waiter(Thread::new, () -> takeWhenAllowed(watch));
        TestBroker.await(() -> isWaiting(broker));
        return waiter;
    }

    /** The wait by which {@link #isWaiting} tries may be the one that is allowed. */
    private static BlockChange takeWhenAllowed(BlockWatch watch) {
        while (true) {
            try {
                return watch.take();
            } catch (MemoryBrokerException failed) {
                if (failed.errno() != EMFILE) {
                    throw failed;
                }
            }
        }
    }

    static boolean isWaiting(MemoryBroker broker) {
        try (BlockWatch another = broker.watch("none")) {
            another.poll(Duration.ofMillis(1));
            return false;
        } catch (MemoryBrokerException refused) {
            assertEquals(EMFILE, refused.errno(), refused.getMessage());
            assertTrue(refused.getMessage().contains("max_watches"), refused.getMessage());
            return true;
        }
    }

    @Test
    void tellsWhatThereIsByName() {
        Block last = broker.publish("frames/9", CONTENT);
        broker.publish("other", CONTENT);
        broker.publish("frames/1", CONTENT);
        assertPublished("frames/1", watch.take());
        BlockChange change = watch.take();
        assertPublished("frames/9", change);
        assertEquals("array", change.type());
        assertEquals(last.byteSize(), change.byteSize());
        try (BlockView view = broker.attach("frames/9")) {
            assertEquals(view.number(), change.number());
        }
        assertNothing();
        assertNull(watch.poll(Duration.ofMillis(1)));
    }

    @Test
    void tellsWhyABlockEnded() {
        Block first = broker.publish("frames/1", CONTENT);
        assertPublished("frames/1", watch.take());
        first.close();
        assertEnded("frames/1", EndReason.RELEASED, watch.take());
        broker.publish("frames/2", CONTENT);
        assertPublished("frames/2", watch.take());
        broker.unpublish("frames/2");
        assertEnded("frames/2", EndReason.UNPUBLISHED, watch.take());
        broker.publish("frames/3", CONTENT, BlockOptions.builder().keep(Duration.ofMillis(500)).build());
        BlockChange kept = watch.take();
        assertPublished("frames/3", kept);
        BlockChange end = watch.take();
        assertEnded("frames/3", EndReason.EXPIRED, end);
        assertEquals(kept.number(), end.number());
        assertNothing();
    }

    @Test
    void tellsAnEviction() {
        broker.publish("frames/1", CONTENT, BlockOptions.builder().lifetime(BlockLifetime.CACHE).build()).close();
        assertPublished("frames/1", watch.take());
        broker.acquire(16 << 20);
        assertEnded("frames/1", EndReason.EVICTED, watch.take());
    }

    @Test
    void tellsAReplacementTwice() {
        broker.publish("frames/1", CONTENT);
        BlockChange old = watch.take();
        broker.publish("frames/1", CONTENT, REPLACING);
        BlockChange end = watch.take();
        assertEnded("frames/1", EndReason.REPLACED, end);
        assertEquals(old.number(), end.number());
        BlockChange successor = watch.take();
        assertPublished("frames/1", successor);
        assertTrue(successor.number() > old.number(), () -> old + " " + successor);
    }

    @Test
    void tellsWhatIsDifferentIfTooMuchHappened() {
        broker.publish("frames/1", CONTENT);
        broker.publish("frames/2", CONTENT);
        BlockChange old = watch.take();
        assertPublished("frames/2", watch.take());
        for (int i = 0; i < 1100; i++) { // the broker keeps 1024
            broker.publish("frames/1", CONTENT, REPLACING).close();
        }
        Block latest = broker.publish("frames/1", CONTENT, REPLACING);
        BlockChange end = watch.take();
        assertEnded("frames/1", EndReason.NONE, end);
        assertEquals(old.number(), end.number());
        assertPublished("frames/1", watch.take());
        assertNothing();
        latest.close();
        assertEnded("frames/1", EndReason.RELEASED, watch.take());
    }

    @Test
    void isOfAllNamesAndOfOtherUsers() {
        long user = (int) new com.sun.security.auth.module.UnixSystem().getUid();
        broker.publish("anything", CONTENT);
        try (BlockWatch all = broker.watch(""); BlockWatch ofThisUser = broker.watchFrom(user, "any");
                BlockWatch ofAnother = broker.watchFrom(54321, "")) {
            assertPublished("anything", all.take());
            assertPublished("anything", ofThisUser.take());
            assertNull(ofAnother.poll(Duration.ZERO));
            assertEquals("watch of blocks \"any\"", ofThisUser.toString());
        }
    }

    @Test
    void waitsForAChange() throws Exception {
        Waiter waiter = waiter();
        broker.publish("frames/1", CONTENT);
        assertPublished("frames/1", assertInstanceOf(BlockChange.class, waiter.result()));
    }

    @Test
    void givesEachChangeToOneOfSeveralThreads() throws Exception {
        Set<String> names = new HashSet<>();
        List<Waiter> waiters = List.of(waiter(), new Waiter(Thread::new, watch::take), new Waiter(Thread::new, watch::take));
        for (int i = 0; i < waiters.size(); i++) {
            broker.publish("frames/" + i, CONTENT);
        }
        for (Waiter waiter : waiters) {
            names.add(assertInstanceOf(BlockChange.class, waiter.result()).name());
        }
        assertEquals(Set.of("frames/0", "frames/1", "frames/2"), names);
    }

    @Test
    void isInterruptedAndCanBeUsedAgain() throws Exception {
        Waiter waiter = waiter();
        waiter.interrupt();
        Thread.currentThread().interrupt();
        broker.publish("frames/1", CONTENT);
        assertThrows(InterruptedWaitException.class, watch::take);
        assertThrows(InterruptedWaitException.class, () -> watch.poll(Duration.ofSeconds(1)));
        assertPublished("frames/1", watch.poll(Duration.ZERO));
        assertTrue(Thread.interrupted());
    }

    @Test
    void isInterruptedBehindAnotherThread() throws Exception {
        Waiter first = waiter();
        Waiter second = new Waiter(Thread::new, watch::take);
        second.interrupt();
        broker.publish("frames/1", CONTENT);
        assertPublished("frames/1", assertInstanceOf(BlockChange.class, first.result()));
    }

    @Test
    void isCancelledWithTheOtherWaits() throws Exception {
        Waiter waiter = waiter();
        broker.cancelWaits();
        assertEquals(MemoryBrokerException.class, waiter.result().getClass());
        broker.publish("frames/1", CONTENT);
        assertPublished("frames/1", watch.take());
    }

    private static void assertClosed(Object result) {
        IllegalStateException closed = assertInstanceOf(IllegalStateException.class, result);
        assertEquals("the watch of \"frames/\" is closed", closed.getMessage());
    }

    @Test
    void isClosedByAnotherThread() throws Exception {
        Waiter first = waiter();
        Waiter second = new Waiter(Thread::new, watch::take);
        Waiter attaching = new Waiter(Thread::new, () -> broker.attach("later", Duration.ofHours(1)));
        watch.close();
        assertClosed(first.result());
        assertClosed(second.result());
        watch.close();
        assertClosed(assertThrows(IllegalStateException.class, watch::take));
        assertClosed(assertThrows(IllegalStateException.class, () -> watch.poll(Duration.ZERO)));
        broker.publish("later", CONTENT);
        assertInstanceOf(BlockView.class, attaching.result());
    }

    /** Until it finds the watch closed. */
    private static Object pollAlways(BlockWatch watch) {
        while (true) {
            watch.poll(Duration.ofMillis(1));
        }
    }

    @Test
    void isClosedAtAnyMoment() throws Exception {
        broker.publish("frames/1", CONTENT);
        for (int round = 0; round < 200; round++) {
            BlockWatch closed = broker.watch("frames/");
            Waiter first = new Waiter(Thread::new, () -> pollAlways(closed));
            Waiter second = new Waiter(Thread::new, () -> pollAlways(closed));
            for (long end = System.nanoTime() + round * 20_000L; System.nanoTime() < end;) {
                Thread.onSpinWait();
            }
            closed.close();
            assertClosed(first.result());
            assertClosed(second.result());
        }
    }

    @Test
    void isClosedWithTheConnection() throws Exception {
        Waiter waiter = waiter();
        broker.close();
        assertClosed(waiter.result());
        assertThrows(IllegalStateException.class, () -> broker.watch(""));
    }

    @Test
    void continuesAfterARestart() throws Exception {
        broker.publish("frames/1", CONTENT, BlockOptions.builder().lifetime(BlockLifetime.KEEP).build());
        broker.publish("frames/2", CONTENT);
        assertPublished("frames/1", watch.take());
        BlockChange second = watch.take();
        Waiter waiter = waiter();
        daemon.kill(); // nobody keeps its descriptors, so both blocks end
        assertInstanceOf(NotConnectedException.class, waiter.result());
        daemon.start();
        broker.waitConnected(Duration.ofSeconds(20));
        assertEnded("frames/1", EndReason.NONE, watch.take());
        BlockChange end = watch.take();
        assertEnded("frames/2", EndReason.NONE, end);
        assertEquals(second.number(), end.number());
        broker.publish("frames/2", CONTENT);
        assertPublished("frames/2", watch.take());
        assertNothing();
    }

    @Test
    void refusesWhatNoPrefixIs() {
        MemoryBrokerException tooLong =
                assertThrows(MemoryBrokerException.class, () -> broker.watch("x".repeat(64)));
        assertEquals(EINVAL, tooLong.errno());
        assertThrows(MemoryBrokerException.class, () -> broker.watch("a\tb"));
        assertThrows(IllegalArgumentException.class, () -> broker.watch("a\0b"));
        assertThrows(NullPointerException.class, () -> broker.watch(null));
        assertThrows(IllegalArgumentException.class, () -> broker.watchFrom(-1, ""));
        assertThrows(IllegalArgumentException.class, () -> watch.poll(Duration.ofMillis(-1)));
        assertThrows(NullPointerException.class, () -> watch.poll(null));
    }
}

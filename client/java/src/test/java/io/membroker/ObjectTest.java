// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** Small objects. */
class ObjectTest extends WithBroker {
    private static final int EINVAL = 22;
    private static final int EMFILE = 24;

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static long user() {
        return (int) new com.sun.security.auth.module.UnixSystem().getUid();
    }

    @Test
    void isReadAsItWasPut() {
        byte[] largest = new byte[32768];
        largest[32767] = 7;
        broker.put("largest", largest);
        broker.put("empty", new byte[0]);
        assertArrayEquals(largest, broker.get("largest"));
        assertArrayEquals(new byte[0], broker.get("empty"));
        broker.put("largest", bytes("another"));
        try (MemoryBroker other = MemoryBroker.connect(daemon.options().build())) {
            assertArrayEquals(bytes("another"), other.get("largest"));
        }
    }

    /** In a frame of its own, which does not keep the session from the collector. */
    private void putByAnother() {
        try (MemoryBroker other = MemoryBroker.connect(daemon.options().build())) {
            other.put("session", bytes("1"));
            other.put("kept", bytes("2"), ObjectOptions.builder().keep().build());
            assertArrayEquals(bytes("1"), broker.get("session"));
        }
    }

    @Test
    void endsWithItsSessionOrIsRemoved() {
        putByAnother();
        TestBroker.await(() -> {
            System.gc();
            return hasNo("session");
        });
        NoSuchBlockException ended = assertThrows(NoSuchBlockException.class, () -> broker.get("session"));
        assertEquals(EndReason.NONE, ended.endReason());
        assertTrue(ended.getMessage().contains("\"session\""), ended.getMessage());
        assertArrayEquals(bytes("2"), broker.get("kept"));
        broker.remove("kept");
        assertThrows(NoSuchBlockException.class, () -> broker.get("kept"));
        assertThrows(NoSuchBlockException.class, () -> broker.remove("kept"));
    }

    private boolean hasNo(String name) {
        try {
            broker.get(name);
            return false;
        } catch (NoSuchBlockException ended) {
            return true;
        }
    }

    @Test
    void isForThoseWhoMayGetIt() {
        broker.put("all", bytes("1"), ObjectOptions.builder().access(BlockAccess.ALL).build());
        assertArrayEquals(bytes("1"), broker.getFrom(user(), "all"));
        assertThrows(NoSuchBlockException.class, () -> broker.getFrom(54321, "all"));
        assertThrows(IllegalArgumentException.class, () -> broker.getFrom(-1, "all"));
        assertThrows(IllegalArgumentException.class, () -> broker.getFrom(1L << 32, "all"));
        ObjectOptions foreign = ObjectOptions.builder().group(54321).build();
        MemoryBrokerException refused =
                assertThrows(MemoryBrokerException.class, () -> broker.put("group", bytes("2"), foreign));
        assertTrue(refused.getMessage().contains("54321"), refused.getMessage());
    }

    @Test
    void refusesWhatNoObjectIs() {
        MemoryBrokerException tooLong = assertThrows(MemoryBrokerException.class, () -> broker.put("x", new byte[32769]));
        assertEquals(EINVAL, tooLong.errno());
        assertTrue(tooLong.getMessage().contains("publish"), tooLong.getMessage());
        assertThrows(MemoryBrokerException.class, () -> broker.put("", new byte[1]));
        assertThrows(MemoryBrokerException.class, () -> broker.get("x".repeat(64)));
        assertThrows(IllegalArgumentException.class, () -> broker.remove("a\0b"));
        assertThrows(NullPointerException.class, () -> broker.put(null, new byte[1]));
        assertThrows(NullPointerException.class, () -> broker.put("x", null));
        assertThrows(NullPointerException.class, () -> broker.get(null));
        assertThrows(IllegalArgumentException.class,
                () -> new ObjectOptions(BlockLifetime.CACHE, BlockAccess.USER, 0));
        assertThrows(IllegalArgumentException.class, () -> ObjectOptions.builder().group(-1).build());
    }

    @Test
    void isOneOfSoMany() {
        try (TestBroker few = new TestBroker("[sharing]", "max_objects = 2");
                MemoryBroker own = MemoryBroker.connect(few.options().build())) {
            own.put("a", new byte[1]);
            own.put("b", new byte[1]);
            MemoryLimitException refused = assertThrows(MemoryLimitException.class, () -> own.put("c", new byte[1]));
            assertEquals(EMFILE, refused.errno());
            assertTrue(refused.getMessage().contains("max_objects"), refused.getMessage());
            assertEquals("max_objects", refused.limitName());
            assertTrue(refused.askedBytes() == 1 && refused.usedBytes() == 2 && refused.limitBytes() == 2, "numbers of objects");
            assertTrue(refused.mayFitLater());
            own.put("a", bytes("another"));
            assertArrayEquals(bytes("another"), own.get("a"));
        }
        try (TestBroker small = new TestBroker("max_physical_bytes = 8K");
                MemoryBroker own = MemoryBroker.connect(small.options().build())) {
            assertThrows(MemoryLimitException.class, () -> own.put("a", new byte[1]));
        }
    }

    @Test
    void endsWithTheBroker() throws Exception {
        broker.put("kept", bytes("1"), ObjectOptions.builder().keep().build());
        assertArrayEquals(bytes("1"), broker.get("kept"));
        daemon.kill();
        daemon.start();
        TestBroker.awaitConnected(broker);
        assertThrows(NoSuchBlockException.class, () -> broker.get("kept"));
        broker.put("kept", bytes("2"));
        assertArrayEquals(bytes("2"), broker.get("kept"));
    }

    @Test
    void isNotForAClosedBroker() {
        broker.close();
        assertThrows(IllegalStateException.class, () -> broker.put("x", new byte[1]));
        assertThrows(IllegalStateException.class, () -> broker.get("x"));
        assertThrows(IllegalStateException.class, () -> broker.remove("x"));
    }
}

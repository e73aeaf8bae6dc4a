// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.MappedByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Blocks and views in one process. */
class BlockTest extends WithBroker {
    private static final int EBUSY = 16;
    private static final int EEXIST = 17;

    @Test
    void isReadAsItWasWritten() {
        byte[] metadata = {'1', 0, '2'};
        try (Block block = broker.createBlock(5000, BlockOptions.builder().type("half").metadata(metadata).build())) {
            assertEquals(8192, block.byteSize());
            assertNull(block.name());
            block.memory().floats().fill(1.5f);
            block.publish("weights");
            assertEquals("weights", block.name());
            try (BlockView view = broker.attach("weights")) {
                assertEquals("weights", view.name());
                assertEquals("half", view.type());
                assertArrayEquals(metadata, view.metadata());
                assertEquals(8192, view.byteSize());
                assertTrue(view.number() > 0);
                FloatView floats = view.memory().floats();
                assertEquals(2048, floats.size());
                assertEquals(1.5f, floats.get(2047));
                assertEquals(1.5f, view.asByteBuffer().getFloat(8188));
                view.check();
            }
        }
        assertThrows(NoSuchBlockException.class, () -> broker.attach("weights"));
    }

    @Test
    void canOnlyBeReadAfterThePublication() {
        Block block = broker.createBlock(4096);
        MemoryRegion before = block.memory();
        IntView ints = before.ints();
        ints.fill(7);
        assertFalse(before.isReadOnly());
        block.publish("block");
        IllegalStateException ended = assertThrows(IllegalStateException.class, () -> ints.set(0, 8));
        assertTrue(ended.getMessage().contains("published"), ended.getMessage());
        assertThrows(IllegalStateException.class, () -> ints.get(0));
        assertThrows(IllegalStateException.class, before::check);
        assertThrows(IllegalStateException.class, before::asByteBuffer);
        MemoryRegion after = block.memory();
        assertTrue(after.isReadOnly());
        assertTrue(after.slice(0, 8).isReadOnly());
        assertEquals(7, after.ints().get(1023));
        assertThrows(ReadOnlyBufferException.class, () -> after.ints().set(0, 8));
        assertThrows(ReadOnlyBufferException.class, () -> after.ints().set(0, new int[] {8}, 0, 1));
        assertThrows(ReadOnlyBufferException.class, () -> after.slice(8, 8).bytes().fill((byte) 8));
        assertThrows(ReadOnlyBufferException.class, () -> after.asByteBuffer().put(0, (byte) 8));
        assertThrows(ReadOnlyBufferException.class, () -> after.asIntBuffer().put(0, 8));
        assertEquals(ByteOrder.nativeOrder(), after.asByteBuffer().order());
        after.check();
    }

    @Test
    void survivesWhoeverWritesToBuffersOfBefore() throws Exception {
        Block block = broker.createBlock(1 << 20);
        ByteBuffer kept = block.memory().asByteBuffer();
        kept.putInt(0, 42);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread writer = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted()) {
                for (int i = 4; i < kept.capacity(); i += 4096) {
                    kept.putInt(i, 1);
                }
            }
        });
        writer.setUncaughtExceptionHandler((thread, thrown) -> failure.set(thrown));
        writer.start();
        TestBroker.pause(20);
        block.publish("raced");
        try (BlockView view = broker.attach("raced")) {
            assertEquals(42, view.memory().ints().get(0));
            kept.putInt(0, 43);
            assertEquals(43, kept.getInt(0), "zeros of this process, which can be written to");
            assertEquals(42, view.memory().ints().get(0));
            block.close();
            kept.putInt(0, 44);
        }
        writer.interrupt();
        writer.join();
        assertNull(failure.get());
    }

    @Test
    void staysWritableAfterANameThatIsNone() {
        try (Block block = broker.createBlock(4096)) {
            IntView ints = block.memory().ints();
            assertThrows(MemoryBrokerException.class, () -> block.publish(""));
            assertThrows(MemoryBrokerException.class, () -> block.publish("x".repeat(300)));
            assertThrows(IllegalArgumentException.class, () -> block.publish("a\0b"));
            assertThrows(NullPointerException.class, () -> block.publish(null));
            ints.set(0, 1);
            block.publish("größe 😀");
            try (BlockView view = broker.attach("größe 😀")) {
                assertEquals(1, view.memory().ints().get(0));
            }
        }
    }

    @Test
    void takesAnotherNameIfOneIsTaken() {
        try (Block first = broker.publish("taken", BlockContent.of(new int[] {1}));
                Block second = broker.createBlock(4096)) {
            second.memory().ints().set(0, 2);
            NameTakenException taken = assertThrows(NameTakenException.class, () -> second.publish("taken"));
            assertEquals(EEXIST, taken.errno());
            assertTrue(taken.getMessage().contains("taken"), taken.getMessage());
            assertNull(second.name());
            assertTrue(second.memory().isReadOnly());
            assertEquals(2, second.memory().ints().get(0));
            second.publish("free");
            second.publish("free");
            assertThrows(MemoryBrokerException.class, () -> second.publish("third"));
            assertEquals("free", second.name());
            try (BlockView view = broker.attach("free")) {
                assertEquals(2, view.memory().ints().get(0));
            }
            assertEquals("taken", first.name());
        }
        assertThrows(MemoryBrokerException.class, () -> broker.publish("", BlockContent.of(new int[] {1})));
    }

    private static boolean isPublished(Block block, String name) {
        try {
            block.publish(name);
            return true;
        } catch (StillWritableException busy) {
            return false;
        }
    }

    /** In a frame of its own, which does not keep the buffer from the collector. */
    private static void failWhileItCanBeWrittenTo(FileChannel file, Block block) throws IOException {
        MappedByteBuffer writable = file.map(FileChannel.MapMode.READ_WRITE, 0, 4096);
        StillWritableException busy = assertThrows(StillWritableException.class, () -> block.publish("writable"));
        assertEquals(EBUSY, busy.errno());
        writable.put(0, (byte) 7);
    }

    @Test
    void isNotPublishedWhileItCanBeWrittenTo() throws IOException {
        try (Block block = broker.createBlock(12345 * 4096L)) {
            try (FileChannel file = FileChannel.open(daemon.fileOf(block.byteSize()), READ, WRITE)) {
                failWhileItCanBeWrittenTo(file, block);
            }
            TestBroker.await(() -> {
                System.gc();
                return isPublished(block, "writable");
            });
            assertEquals(7, block.memory().bytes().get(0));
        }
    }

    @Test
    void isReplacedForReadersAtOnce() {
        BlockOptions replacing = BlockOptions.builder().replace(true).build();
        try (Block old = broker.publish("model", BlockContent.of(new double[] {1}));
                BlockView before = broker.attach("model");
                Block next = broker.publish("model", BlockContent.of(new double[] {2}), replacing);
                BlockView after = broker.attach("model")) {
            assertNotSame(old, next);
            assertNotEquals(before.number(), after.number());
            assertEquals(1, before.asDoubleBuffer().get(0));
            assertEquals(2, after.asDoubleBuffer().get(0));
            before.check();
        }
    }

    @Test
    void saysWhyItEnded() {
        NoSuchBlockException never = assertThrows(NoSuchBlockException.class, () -> broker.attach("model"));
        assertEquals(EndReason.NONE, never.endReason());
        try (Block block = broker.publish("model", BlockContent.of(new double[] {1}))) {
            broker.unpublish("model");
            NoSuchBlockException ended = assertThrows(NoSuchBlockException.class, () -> broker.attach("model"));
            assertEquals(EndReason.UNPUBLISHED, ended.endReason());
            assertTrue(ended.getMessage().contains("unpublished"), ended.getMessage());
            assertThrows(NoSuchBlockException.class, () -> broker.unpublish("model"));
            assertEquals("model", block.name());
        }
    }

    @Test
    void livesAsLongAsItsOptionsSay() {
        broker.publish("session", BlockContent.of(new int[] {1})).close();
        broker.publish("kept", BlockContent.of(new int[] {2}), BlockOptions.builder().keep(Duration.ZERO).build()).close();
        broker.publish("brief", BlockContent.of(new int[] {3}),
                BlockOptions.builder().keep(Duration.ofMillis(50)).build()).close();
        BlockOptions cached = BlockOptions.builder().lifetime(BlockLifetime.CACHE).access(BlockAccess.ALL).build();
        broker.publish("cached", BlockContent.of(new int[] {4}), cached).close();
        TestBroker.await(() -> endOf("session") == EndReason.RELEASED);
        TestBroker.await(() -> endOf("brief") == EndReason.EXPIRED);
        broker.attach("kept").close();
        try (BlockView view = broker.attachFrom(user(), "cached", Duration.ZERO)) {
            assertEquals(4, view.asIntBuffer().get(0));
        }
        broker.unpublish("kept");
        broker.unpublish("cached");
    }

    @Test
    void blocksInFilesAreForTheirOwnUser() {
        BlockOptions file = BlockOptions.builder().location(Location.MMAP).build();
        try (Block block = broker.publish("file", BlockContent.of(new int[] {6}), file);
                BlockView view = broker.attach("file")) {
            assertEquals(6, view.asIntBuffer().get(0));
            assertEquals(view.byteSize(), block.byteSize());
            assertEquals(Location.MMAP, broker.blocks().get(0).location());
        }
        BlockOptions others = BlockOptions.builder().location(Location.MMAP).access(BlockAccess.ALL).build();
        MemoryBrokerException refused = assertThrows(MemoryBrokerException.class,
                () -> broker.publish("others", BlockContent.of(new int[] {7}), others));
        assertTrue(refused.getMessage().contains("for processes of its own user only"), refused.getMessage());
    }

    private EndReason endOf(String name) {
        try {
            broker.attach(name).close();
            return EndReason.NONE;
        } catch (NoSuchBlockException ended) {
            return ended.endReason();
        }
    }

    private static long user() {
        return (int) new com.sun.security.auth.module.UnixSystem().getUid();
    }

    @Test
    void isOfTheUserWhoPublishedIt() {
        try (Block block = broker.publish("own", BlockContent.of(new int[] {1}))) {
            assertThrows(NoSuchBlockException.class, () -> broker.attachFrom(54321, "own", Duration.ZERO));
            assertThrows(IllegalArgumentException.class, () -> broker.attachFrom(-1, "own", Duration.ZERO));
            assertThrows(IllegalArgumentException.class, () -> broker.attachFrom(1L << 32, "own", Duration.ZERO));
            assertEquals("own", block.name());
        }
        try (Block block = broker.createBlock(1, BlockOptions.builder().group(54321).build())) {
            MemoryBrokerException refused = assertThrows(MemoryBrokerException.class, () -> block.publish("foreign"));
            assertTrue(refused.getMessage().contains("54321"), refused.getMessage());
        }
        assertThrows(IllegalArgumentException.class, () -> BlockOptions.builder().group(1L << 32));
    }

    @Test
    void isListed() {
        assertEquals(List.of(), broker.blocks());
        BlockOptions options = BlockOptions.builder().keep(Duration.ofHours(1)).access(BlockAccess.ALL).build();
        try (Block block = broker.publish("gr\u00f6\u00dfe", BlockContent.of(new double[] {1, 2}), options);
                BlockView view = broker.attach("gr\u00f6\u00dfe")) {
            BlockInfo info = broker.blocks().get(0);
            assertEquals(1, broker.blocks().size());
            assertEquals(block.name(), info.name());
            assertTrue(info.number() == view.number() && info.name().equals("gr\u00f6\u00dfe") && info.type().equals("array"));
            assertTrue(info.byteSize() == 4096 && info.views() == 2 && info.user() == user() && info.group() == -1);
            assertEquals(Location.RAM, info.location());
            assertTrue(info.lifetime() == BlockLifetime.KEEP && info.access() == BlockAccess.ALL);
            assertTrue(info.keep().orElseThrow().toMinutes() >= 50 && info.endReason() == EndReason.NONE, info.toString());
            broker.unpublish("gr\u00f6\u00dfe");
            assertEquals(EndReason.UNPUBLISHED, broker.blocks().get(0).endReason());
            assertThrows(UnsupportedOperationException.class, () -> broker.blocks().clear());
        }
    }

    @Test
    void copiesLeasedMemory() {
        try (Lease lease = broker.acquire(8192)) {
            lease.memory().bytes().fill((byte) 7);
            try (Block block = broker.publish("copy", BlockContent.of(lease.memory().slice(100, 5000)));
                    BlockView view = broker.attach("copy")) {
                lease.memory().bytes().fill((byte) 8);
                assertEquals(5000, view.content().byteSize());
                assertTrue(view.content().bytes().get(0) == 7 && view.content().bytes().get(4999) == 7, block.toString());
            }
        }
    }

    @Test
    void copiesNoMemoryThatHasEnded() {
        Lease lease = broker.acquire(4096);
        BlockContent late = BlockContent.of(lease.memory());
        lease.close();
        assertThrows(IllegalStateException.class, () -> broker.publish("late", late));
        assertEquals(List.of(), broker.blocks());
    }

    @Test
    void carriesBytesAndArrays() {
        ByteBuffer text = ByteBuffer.wrap("0123456789".getBytes(StandardCharsets.US_ASCII)).position(2).limit(6);
        double[] numbers = {1, 2, 3, 4, 5, 6};
        try (Block bytes = broker.publish("bytes", BlockContent.of(text));
                Block array = broker.publish("array", BlockContent.of(numbers, 2, 3));
                Block longs = broker.publish("longs", BlockContent.of(new long[] {-1, 1L << 40}));
                Block none = broker.publish("none", BlockContent.of(new float[0]));
                BlockView ofBytes = broker.attach("bytes");
                BlockView ofArray = broker.attach("array");
                BlockView ofLongs = broker.attach("longs");
                BlockView ofNone = broker.attach("none")) {
            assertEquals(4, text.remaining());
            assertEquals("2345", StandardCharsets.US_ASCII.decode(ofBytes.asByteBuffer()).toString());
            assertEquals(new ArrayDescription("<f8", List.of(2L, 3L), 'C', 48), ofArray.array());
            assertEquals("{\"dtype\":\"<f8\",\"shape\":[2,3],\"order\":\"C\",\"bytes\":48}",
                    new String(ofArray.metadata(), StandardCharsets.US_ASCII));
            double[] copy = new double[6];
            ofArray.asDoubleBuffer().get(0, copy);
            assertArrayEquals(numbers, copy);
            assertEquals(6, ofArray.content().doubles().size());
            assertEquals(1L << 40, ofLongs.asLongBuffer().get(1));
            FloatBuffer empty = ofNone.asFloatBuffer();
            assertEquals(0, empty.capacity());
            assertThrows(IllegalStateException.class, ofArray::asFloatBuffer);
            assertThrows(IllegalStateException.class, ofBytes::asDoubleBuffer);
            assertThrows(ReadOnlyBufferException.class, () -> ofArray.asDoubleBuffer().put(0, 1));
            assertEquals("array", array.name() + bytes.name().substring(5) + longs.name().substring(5)
                    + none.name().substring(4));
        }
        assertThrows(IllegalArgumentException.class, () -> BlockContent.of(numbers, 2, 2));
        assertThrows(IllegalArgumentException.class, () -> BlockContent.of(numbers, -2, -3));
    }

    @Test
    void copiesLargeContentInPieces() {
        int[] numbers = java.util.stream.IntStream.range(0, 1000).toArray();
        try (Block block = broker.createBlock(4000)) {
            BlockContent.of(numbers).copyTo(block.memory(), 24);
            int[] copy = new int[1000];
            block.memory().ints().get(0, copy, 0, 1000);
            assertArrayEquals(numbers, copy);
        }
    }

    @Test
    void refusesBuffersThatTheJdkCannotHave() {
        try (Block block = broker.createBlock(3L << 30)) {
            block.memory().slice((3L << 30) - 8, 8).longs().set(0, 42);
            block.publish("large");
            try (BlockView view = broker.attach("large")) {
                assertThrows(IllegalArgumentException.class, view::asByteBuffer);
                assertThrows(IllegalArgumentException.class, () -> view.memory().longs());
                assertEquals(42, view.memory().asByteBuffer((3L << 30) - 8, 8).getLong());
                assertEquals(42, view.memory().slice((3L << 30) - 8, 8).longs().get(0));
            }
        }
    }

    @Test
    void endsWithCloseAndItsBuffersHaveZeros() {
        Block block = broker.publish("closed", BlockContent.of(new int[] {7}));
        BlockView view = broker.attach("closed");
        IntView ints = view.memory().ints();
        ByteBuffer kept = view.asByteBuffer();
        assertEquals(7, ints.get(0));
        view.close();
        view.close();
        assertThrows(IllegalStateException.class, () -> ints.get(0));
        assertThrows(IllegalStateException.class, () -> ints.get(0, new int[1], 0, 1));
        assertThrows(IllegalStateException.class, view::check);
        assertThrows(IllegalStateException.class, view::memory);
        assertEquals(0, kept.getInt(0));
        assertEquals("array", view.type());
        assertTrue(view.toString().endsWith(", closed"), view.toString());
        broker.close();
        assertThrows(IllegalStateException.class, block::memory);
        assertThrows(IllegalStateException.class, () -> block.publish("again"));
        assertThrows(IllegalStateException.class, () -> broker.attach("closed"));
        assertThrows(IllegalStateException.class, () -> broker.createBlock(1));
    }

    @Test
    void outlivesItsConnectionAsAView() {
        Block block = broker.publish("view", BlockContent.of(new int[] {7}), BlockOptions.builder().keep(Duration.ZERO).build());
        BlockView view = broker.attach("view");
        broker.close();
        assertThrows(IllegalStateException.class, block::memory);
        assertEquals(7, view.asIntBuffer().get(0));
        view.check();
        view.close();
    }

    @Test
    void isReleasedByTheCollectorIfNobodyRefersToIt() {
        try (Block block = broker.publish("dropped", BlockContent.of(new int[] {7}))) {
            FloatBuffer kept = attachAndDrop();
            collect(3);
            assertEquals(3, kept.capacity() - 1021, "a buffer keeps the view");
            assertEquals(2, daemon.leases().size());
            kept = null;
            TestBroker.await(() -> {
                collect(1);
                return daemon.leases().size() == 1;
            });
            assertEquals("dropped", block.name());
        }
    }

    private FloatBuffer attachAndDrop() {
        return broker.attach("dropped").memory().asFloatBuffer();
    }

    private static void collect(int times) {
        for (int i = 0; i < times; i++) {
            System.gc();
            TestBroker.pause(10);
        }
    }

    @Test
    void refusesWhatIsTooMuch() {
        assertThrows(MemoryLimitException.class, () -> broker.createBlock(16L << 30));
        assertThrows(IllegalArgumentException.class, () -> broker.createBlock(-1));
        BlockOptions wordy = BlockOptions.builder().metadata(new byte[4097]).build();
        MemoryBrokerException refused = assertThrows(MemoryBrokerException.class, () -> broker.createBlock(1, wordy));
        assertTrue(refused.getMessage().contains("4096"), refused.getMessage());
    }
}

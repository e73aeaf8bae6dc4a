// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Blocks between processes, and what becomes of views that are lost. */
class BlockProcessesTest extends WithBroker {
    /** Publishes until its input ends. */
    public static final class Publisher {
        private Publisher() {
        }

        public static void main(String[] arguments) throws IOException {
            ConnectOptions options = ConnectOptions.builder().socket(arguments[0]).shared(false).build();
            double[] numbers = new double[100_000];
            for (int i = 0; i < numbers.length; i++) {
                numbers[i] = i;
            }
            try (MemoryBroker broker = MemoryBroker.connect(options);
                    Block block = broker.publish("numbers", BlockContent.of(numbers, 100, 1000))) {
                System.out.println(block);
                while (System.in.read() >= 0) {
                    Thread.onSpinWait();
                }
            }
        }
    }

    private Process publisher() throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return new ProcessBuilder(List.of(java, "-cp", System.getProperty("java.class.path"), Publisher.class.getName(),
                daemon.socket())).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    }

    private static double sum(BlockView view) {
        DoubleView numbers = view.content().doubles();
        double sum = 0;
        for (int i = 0; i < numbers.size(); i++) {
            sum += numbers.get(i);
        }
        view.check();
        return sum;
    }

    @Test
    void isReadWhileItsPublisherLivesAndAfterIt() throws Exception {
        Process publisher = publisher();
        try (BlockView view = broker.attach("numbers", Duration.ofMinutes(1))) {
            assertEquals(List.of(100L, 1000L), view.array().shape());
            assertEquals(4_999_950_000.0, sum(view));
            assertEquals(100_000, view.asDoubleBuffer().capacity());
            publisher.destroyForcibly().waitFor();
            TestBroker.await(() -> endOfNumbers() == EndReason.DIED);
            assertEquals(4_999_950_000.0, sum(view), "this user's views keep it");
        } finally {
            publisher.destroyForcibly().waitFor();
        }
    }

    private EndReason endOfNumbers() {
        try {
            broker.attach("numbers").close();
            return EndReason.NONE;
        } catch (NoSuchBlockException ended) {
            return ended.endReason();
        }
    }

    /** A thread that waits for a block that nobody publishes. */
    private Thread waiter(AtomicReference<RuntimeException> failure) {
        Thread waiting = new Thread(() -> {
            try {
                broker.attach("never", Duration.ofHours(1)).close();
            } catch (RuntimeException ended) {
                failure.set(ended);
            }
        });
        waiting.start();
        return waiting;
    }

    @Test
    void isWaitedForUntilTheWaitIsCancelled() throws Exception {
        AtomicReference<RuntimeException> failure = new AtomicReference<>();
        Thread waiting = waiter(failure);
        while (waiting.isAlive()) {
            broker.cancelWaits();
            waiting.join(10);
        }
        assertEquals(MemoryBrokerException.class, failure.get().getClass());
        assertThrows(NoSuchBlockException.class, () -> broker.attach("never", Duration.ofMillis(1)));
    }

    @Test
    void isWaitedForUntilTheThreadIsInterrupted() throws Exception {
        AtomicReference<RuntimeException> failure = new AtomicReference<>();
        Thread waiting = waiter(failure);
        waiting.interrupt();
        waiting.join(60_000);
        assertEquals(InterruptedWaitException.class, failure.get().getClass());
    }

    @Test
    void tellsTheLossOfAView() throws Exception {
        Process publisher = publisher();
        try (BufferedReader output = new BufferedReader(
                new InputStreamReader(publisher.getInputStream(), StandardCharsets.UTF_8))) {
            assertTrue(output.readLine().startsWith("block \"numbers\""));
            try (BlockView view = broker.attach("numbers")) {
                DoubleView numbers = view.content().doubles();
                ByteBuffer kept = view.asByteBuffer();
                double[] copy = new double[numbers.size()];
                numbers.get(0, copy, 0, copy.length);
                daemon.leases().forEach(lease -> daemon.ctl("revoke", lease));
                LeaseLostException lost = assertThrows(LeaseLostException.class, () -> numbers.get(0, copy, 0, copy.length));
                assertTrue(lost.getMessage().contains("revoked"), lost.getMessage());
                assertThrows(LeaseLostException.class, view::check);
                TestBroker.await(() -> kept.getDouble(kept.capacity() - 8) == 0); // when the broker has freed the block
                for (int i = 0; i < kept.capacity(); i += 4096) {
                    assertEquals(0, kept.getDouble(i));
                }
            }
        } finally {
            publisher.destroyForcibly().waitFor();
        }
    }

    @Test
    void tellsTheLossOfABlockThatIsNotPublished() {
        try (Block block = broker.createBlock(1 << 20)) {
            ByteBuffer kept = block.memory().asByteBuffer();
            kept.putInt(0, 1);
            daemon.revokeTheLease();
            assertThrows(LeaseLostException.class, () -> block.memory().check());
            assertThrows(LeaseLostException.class, () -> block.publish("lost"));
            for (int i = 0; i < kept.capacity(); i += 4096) {
                kept.putInt(i, 1);
            }
        }
        assertThrows(NoSuchBlockException.class, () -> broker.attach("lost"));
    }
}

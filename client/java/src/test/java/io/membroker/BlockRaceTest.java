// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Blocks and views that one thread publishes or closes while another one copies. */
class BlockRaceTest extends WithBroker {
    private static final int ROUNDS = 40;
    private static final int COUNT = 1 << 20;

    /** Runs it beside this thread until it finds that the memory has ended. */
    private static Thread repeat(Runnable copy) throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(2);
        Thread thread = new Thread(() -> {
            try {
                while (true) {
                    copy.run();
                    begun.countDown();
                }
            } catch (IllegalStateException ended) {
                // as it should be
            }
        });
        thread.start();
        begun.await();
        return thread;
    }

    /** At another moment of a copy in each round. */
    private static void wait(int round) {
        for (long end = System.nanoTime() + round * 20_000L; System.nanoTime() < end;) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aCopyThatReturnsHasTheBlocksBytes() throws Exception {
        int[] sevens = new int[COUNT];
        Arrays.fill(sevens, 7);
        AtomicInteger wrong = new AtomicInteger();
        try (Block block = broker.publish("sevens", BlockContent.of(sevens))) {
            for (int round = 0; round < ROUNDS; round++) {
                BlockView view = broker.attach("sevens");
                IntView ints = view.content().ints();
                int[] copy = new int[COUNT];
                Thread reader = repeat(() -> {
                    ints.get(0, copy, 0, COUNT);
                    wrong.addAndGet(Arrays.equals(copy, sevens) ? 0 : 1);
                });
                wait(round);
                view.close();
                reader.join();
            }
            assertEquals("sevens", block.name());
        }
        assertEquals(0, wrong.get());
    }

    @Test
    void whatIsWrittenBeforeThePublicationIsPublished() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            try (Block block = broker.createBlock(4L * COUNT)) {
                IntView ints = block.memory().ints();
                AtomicInteger written = new AtomicInteger();
                int[] numbers = new int[COUNT];
                Thread writer = repeat(() -> {
                    int next = written.get() + 1;
                    Arrays.fill(numbers, next);
                    ints.set(0, numbers, 0, COUNT);
                    written.set(next);
                });
                wait(round);
                block.publish("numbers");
                writer.join();
                int[] published = new int[COUNT];
                block.memory().ints().get(0, published, 0, COUNT);
                int last = written.get();
                assertTrue(Arrays.stream(published).allMatch(number -> number == last || number == last + 1),
                        () -> last + ", and " + Arrays.stream(published).distinct().boxed().toList());
            }
        }
    }
}

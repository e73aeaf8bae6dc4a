// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.membroker.InterruptTest.Waiter;
import java.util.concurrent.ThreadFactory;
import org.junit.jupiter.api.Test;

/** The wait of a virtual thread ends as that of another. */
class VirtualInterruptTest {
    private static final ThreadFactory VIRTUAL = Thread.ofVirtual().factory();

    @Test
    void endsTheWaitOfItsThreadOnly() throws InterruptedException {
        InterruptTest.endsOneWaitOfTwo(VIRTUAL);
    }

    @Test
    void endsTheWaitForAChangeOfNames() throws InterruptedException {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            BlockWatch watch = broker.watch("");
            new Waiter(VIRTUAL, watch::take).interrupt();
            Waiter second = new Waiter(VIRTUAL, watch::take);
            watch.close();
            assertInstanceOf(IllegalStateException.class, second.result());
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import org.junit.jupiter.api.Test;

/** The wait of a virtual thread ends as that of another. */
class VirtualInterruptTest {
    @Test
    void endsTheWaitOfItsThreadOnly() throws InterruptedException {
        InterruptTest.endsOneWaitOfTwo(Thread.ofVirtual().factory()::newThread);
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Tests that each have a broker of their own, and a client of it without limits. */
abstract class WithBroker {
    TestBroker daemon;
    MemoryBroker broker;

    @BeforeEach
    final void connect() {
        daemon = new TestBroker();
        broker = MemoryBroker.connect(daemon.options().maxBytes(0).build());
    }

    @AfterEach
    final void disconnect() {
        broker.close();
        daemon.close();
    }
}

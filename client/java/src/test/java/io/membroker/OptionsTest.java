// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** A value that is wrong in itself is an IllegalArgumentException that names the option, before a broker is asked. */
class OptionsTest {
    private static final Duration NEGATIVE = Duration.ofSeconds(-1);

    private static void expect(String named, Executable call) {
        String message = assertThrows(IllegalArgumentException.class, call, named).getMessage();
        assertTrue(message.contains(named), message);
    }

    @Test
    void ofConnections() {
        expect("timeout is negative: PT-1S", () -> ConnectOptions.builder().timeout(NEGATIVE).build());
        expect("retryWait is negative: PT-1S", () -> ConnectOptions.builder().retryWait(NEGATIVE).build());
        expect("maxWait is negative: PT-1S", () -> ConnectOptions.builder().maxWait(NEGATIVE).build());
        expect("name must have at most 63 bytes", () -> ConnectOptions.builder().name("x".repeat(64)).build());
    }

    @Test
    void ofLeases() {
        expect("name must have at most 63 bytes", () -> LeaseOptions.builder().name("x".repeat(64)).build());
        expect("name must have", () -> LeaseOptions.builder().name("a\nb").build());
        expect("numaNode must be the number of a node, or -1 for any, not -5",
                () -> LeaseOptions.builder().numaNode(-5).build());
        expect("ttl is negative", () -> LeaseOptions.builder().ttl(NEGATIVE).build());
        expect("ttl must be at most 24 days, not PT24000H", () -> LeaseOptions.builder().ttl(Duration.ofDays(1000)).build());
        expect("maxWait is negative", () -> LeaseOptions.builder().maxWait(NEGATIVE).build());
        expect("file must be a name without a directory that begins with no dot, not \"/tmp/a\"",
                () -> LeaseOptions.builder().file("/tmp/a").build());
        assertEquals(Duration.ofDays(1000), LeaseOptions.builder().maxWait(Duration.ofDays(1000)).build().maxWait());
    }

    @Test
    void ofBuffers() {
        expect("alignment must be a power of two of at most 2 MiB, or 0, not 3",
                () -> new BufferOptions(null, Location.RAM, true, 3));
        expect("alignment", () -> new BufferOptions(null, Location.RAM, true, 4 << 20));
        assertEquals(2 << 20, new BufferOptions(null, Location.RAM, true, 2 << 20).alignment());
    }

    @Test
    void ofWorkspaces() {
        expect("initialSize is negative: -1", () -> WorkspaceConfiguration.builder().initialSize(-1).build());
        expect("minSize is negative: -2", () -> WorkspaceConfiguration.builder().minSize(-2).build());
        expect("maxSize is negative: -3", () -> WorkspaceConfiguration.builder().maxSize(-3).build());
        for (double wrong : new double[] {Double.NaN, -0.1, 1e7}) {
            expect("overallocationLimit must be", () -> WorkspaceConfiguration.builder().overallocationLimit(wrong).build());
        }
        expect("tempFilePath must be a name without a directory that begins with no dot, not \"/tmp/a/b\"",
                () -> WorkspaceConfiguration.builder().policyLocation(LocationPolicy.MMAP).tempFilePath("/tmp/a/b").build());
        expect("policySpill FAIL needs an initialSize",
                () -> WorkspaceConfiguration.builder().policySpill(SpillPolicy.FAIL).build());
        expect("stepsNumber", () -> WorkspaceConfiguration.builder().stepsNumber(0).build());
        expect("cyclesBeforeInitialization", () -> WorkspaceConfiguration.builder().cyclesBeforeInitialization(5).build());
    }

    @Test
    void ofCalls() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build());
                Lease lease = broker.acquire(1)) {
            expect("a lease has at least one byte, not 0", () -> broker.acquire(0));
            expect("a buffer has at least one byte, not 0", () -> broker.createBuffer(0));
            expect("the lease has 1 extents, and no number 5", () -> lease.memory(5));
            WorkspaceManager manager = broker.workspaces();
            for (Map.Entry<String, Executable> call : Map.<String, Executable>of("options", () -> broker.acquire(1, null),
                    "id", () -> manager.getAndActivateWorkspace((String) null),
                    "configuration", () -> manager.getAndActivateWorkspace(null, "x")).entrySet()) {
                assertEquals(call.getKey(), assertThrows(NullPointerException.class, call.getValue()).getMessage());
            }
            expect("id must have at most 63 bytes", () -> manager.getAndActivateWorkspace("x".repeat(64)));
        }
    }

    @Test
    void thatAreStatesAreIllegalStates() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build())) {
            WorkspaceManager manager = broker.workspaces();
            MemoryWorkspace outer = manager.getWorkspaceForCurrentThread("outer");
            assertThrows(IllegalStateException.class, () -> outer.alloc(16, true));
            assertThrows(IllegalStateException.class, outer::notifyScopeBorrowed);
            outer.notifyScopeEntered();
            try (MemoryWorkspace inner = manager.getAndActivateWorkspace("inner")) {
                assertThrows(IllegalStateException.class, outer::notifyScopeEntered, inner.getId());
            }
            outer.destroyWorkspace();
        }
    }

    @Test
    void nameTheProcess() {
        System.setProperty("io.membroker.name", "training 7");
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(
                        ConnectOptions.builder().socket(daemon.socket()).shared(false).build());
                Lease lease = broker.acquire(1)) {
            assertTrue(daemon.ctl("leases", "--json").contains("training 7"), lease.toString());
        } finally {
            System.clearProperty("io.membroker.name");
        }
    }
}

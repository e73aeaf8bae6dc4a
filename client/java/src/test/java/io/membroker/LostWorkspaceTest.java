// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LostWorkspaceTest {
    private static final WorkspaceConfiguration FIXED =
            WorkspaceConfiguration.builder().initialSize(1 << 20).policyAllocation(AllocationPolicy.STRICT).build();
    private TestBroker daemon;
    private MemoryBroker broker;
    private WorkspaceManager manager;

    @BeforeEach
    void start() {
        daemon = new TestBroker();
        broker = MemoryBroker.connect(daemon.options().build());
        manager = broker.workspaces();
    }

    @AfterEach
    void stop() {
        manager.destroyAllWorkspacesForCurrentThread();
        broker.close();
        daemon.close();
    }

    @Test
    void throwsAtTheEndOfTheCycleAtLast() {
        List<String> leases = new ArrayList<>();
        LeaseLostException lost = assertThrows(LeaseLostException.class, () -> {
            try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "cycle")) {
                LongView longs = ws.alloc(4096, true).longs();
                leases.addAll(daemon.leases());
                daemon.revokeTheLease();
                longs.set(0, 1); // perhaps into a page of nobody's
            }
        });
        assertTrue(lost.getMessage().contains("revoked"), lost.getMessage());
        assertEquals(leases, List.of(Long.toString(lost.leaseId())));
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "cycle")) {
            ws.alloc(4096, true).longs().set(0, 1);
        }
        assertEquals(1, daemon.leases().size(), "it was opened again");
    }

    @Test
    void throwsInBulkAccess() {
        float[] copy = new float[100];
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "cycle")) {
            MemoryRegion memory = ws.alloc(4096, true);
            FloatView floats = memory.floats();
            daemon.revokeTheLease();
            assertThrows(LeaseLostException.class, () -> floats.get(0, copy, 0, 100));
            assertThrows(LeaseLostException.class, () -> floats.set(0, copy, 0, 100));
            assertThrows(LeaseLostException.class, memory::detach);
            assertThrows(LeaseLostException.class, ws::check);
            assertThrows(LeaseLostException.class, ws::close);
        } catch (IllegalStateException closedAlready) {
            assertTrue(closedAlready.getMessage().contains("no scope of workspace \"cycle\""), closedAlready.getMessage());
        }
    }

    @Test
    void throwsInElementAccess() {
        MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "cycle");
        IntView ints = ws.alloc(4096, true).ints();
        daemon.revokeTheLease();
        TestBroker.await(() -> LostLeaseTest.throwsLoss(() -> ints.set(0, ints.get(1))));
        assertThrows(LeaseLostException.class, ws::close);
    }

    @Test
    void goesOnWithTheNextBroker() throws Exception {
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "cycle")) {
            ws.alloc(4096, true);
        }
        daemon.kill();
        daemon.start();
        TestBroker.awaitConnected(broker);
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "cycle")) {
            ws.alloc(4096, true).ints().set(1, 1);
        }
    }
}

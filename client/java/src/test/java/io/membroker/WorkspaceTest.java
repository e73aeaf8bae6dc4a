// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WorkspaceTest {
    private static final WorkspaceConfiguration FIXED = WorkspaceConfiguration.builder().initialSize(1 << 20)
            .policyAllocation(AllocationPolicy.STRICT).policyLearning(LearningPolicy.NONE).build();
    private static TestBroker daemon;
    private MemoryBroker broker;
    private WorkspaceManager manager;

    @BeforeAll
    static void start() {
        daemon = new TestBroker();
    }

    @AfterAll
    static void stop() {
        daemon.close();
    }

    @BeforeEach
    void connect() {
        broker = MemoryBroker.connect(daemon.options().build());
        manager = broker.workspaces();
    }

    @AfterEach
    void disconnect() {
        manager.destroyAllWorkspacesForCurrentThread();
        broker.close();
    }

    @Test
    void learnsItsSizeFromTheFirstCycle() {
        WorkspaceConfiguration configuration = WorkspaceConfiguration.builder().build();
        for (int cycle = 1; cycle <= 3; cycle++) {
            try (MemoryWorkspace ws = manager.getAndActivateWorkspace(configuration, "learning")) {
                ws.alloc(1000, false).ints().set(0, cycle);
                assertEquals(cycle, ws.getGenerationId());
                assertEquals(cycle == 1 ? 1 : 0, ws.getStatistics().spilledCount());
            }
        }
        MemoryWorkspace ws = manager.getWorkspaceForCurrentThread("learning");
        assertTrue(ws.getCurrentSize() >= 1008 * 1.3 - 1, () -> "size " + ws.getCurrentSize());
        assertEquals(1008, ws.getMaxCycleAllocations());
        assertEquals(3, ws.getCyclesCount());
    }

    @Test
    void endsItsMemoryWithTheCycle() {
        IntView kept;
        MemoryRegion memory;
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "ending")) {
            memory = ws.alloc(64, true);
            kept = memory.ints();
            kept.set(3, 7);
            assertEquals(7, kept.get(3));
            assertSame(ws, memory.workspace());
        }
        IllegalStateException leaked = assertThrows(IllegalStateException.class, () -> kept.get(3));
        assertTrue(leaked.getMessage().contains("\"ending\""), leaked.getMessage());
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "ending")) {
            assertThrows(IllegalStateException.class, () -> kept.get(3));
            assertThrows(IllegalStateException.class, memory::asByteBuffer);
            assertThrows(IllegalStateException.class, memory::check);
            assertEquals(7, ws.alloc(64, false).ints().get(3), "not cleared between cycles");
            assertEquals(0, ws.alloc(64, true).ints().get(3));
        }
    }

    @Test
    void nestsAndScopesOut() {
        assertNull(manager.getCurrentWorkspace());
        try (MemoryWorkspace outer = manager.getAndActivateWorkspace(FIXED, "outer")) {
            MemoryRegion ofOuter = outer.alloc(16, true);
            try (MemoryWorkspace inner = manager.getAndActivateWorkspace(FIXED, "inner")) {
                assertSame(inner, manager.getCurrentWorkspace());
                try (MemoryWorkspace again = inner.notifyScopeEntered()) {
                    assertSame(inner, again);
                    assertEquals(1, again.getGenerationId());
                }
                assertSame(inner, manager.getCurrentWorkspace());
                try (MemoryWorkspace none = manager.scopeOutOfWorkspaces()) {
                    assertNull(manager.getCurrentWorkspace());
                    assertEquals(MemoryWorkspace.Type.DUMMY, none.getWorkspaceType());
                    assertThrows(UnsupportedOperationException.class, () -> none.alloc(16, true));
                    assertThrows(IllegalStateException.class, inner::close);
                }
                try (MemoryWorkspace borrowed = outer.notifyScopeBorrowed()) {
                    assertSame(outer, manager.getCurrentWorkspace());
                    borrowed.alloc(16, true).bytes();
                }
                assertThrows(IllegalStateException.class, outer::close);
                assertThrows(IllegalStateException.class, outer::notifyScopeEntered);
                assertSame(inner, manager.getCurrentWorkspace());
            }
            ofOuter.bytes().set(0, (byte) 1);
            assertSame(outer, manager.getCurrentWorkspace());
        }
        assertNull(manager.getCurrentWorkspace());
        assertFalse(manager.anyWorkspaceActiveForCurrentThread());
    }

    @Test
    void isFoundByItsId() {
        assertFalse(manager.checkIfWorkspaceExists("one"));
        MemoryWorkspace one = manager.getWorkspaceForCurrentThread(FIXED, "one");
        assertSame(one, manager.getWorkspaceForCurrentThread("one"));
        assertSame(one, manager.getWorkspaceForCurrentThread(FIXED, "one"));
        assertTrue(manager.checkIfWorkspaceExists("one"));
        assertFalse(manager.checkIfWorkspaceExistsAndActive("one"));
        assertThrows(IllegalStateException.class, () -> manager
                .getWorkspaceForCurrentThread(WorkspaceConfiguration.builder().initialSize(4096).build(), "one"));
        assertThrows(IllegalStateException.class, () -> manager.createNewWorkspace(FIXED, "one"));
        assertEquals("workspace \"one\"", one.toString());
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace("one")) {
            assertEquals("workspace \"one\", in cycle 1", ws.toString());
            String memory = ws.alloc(100, true).toString();
            assertTrue(memory.matches("100 bytes at 0x[0-9a-f]+ in workspace \"one\""), memory);
            assertTrue(manager.checkIfWorkspaceExistsAndActive("one"));
            assertTrue(manager.anyWorkspaceActiveForCurrentThread());
            assertSame(one, ws);
        }
        manager.createNewWorkspace(FIXED, "two");
        assertEquals(List.of("one", "two"), manager.getAllWorkspacesIdsForCurrentThread());
        manager.destroyWorkspace(one);
        assertEquals(List.of("two"), manager.getAllWorkspacesIdsForCurrentThread());
        assertNotSame(one, manager.getWorkspaceForCurrentThread(FIXED, "one"));
        assertThrows(IllegalStateException.class, one::notifyScopeEntered);
    }

    @Test
    void isOneForEachThread() throws Exception {
        MemoryWorkspace own = manager.getWorkspaceForCurrentThread(FIXED, "same");
        AtomicReference<MemoryWorkspace> others = new AtomicReference<>();
        AtomicReference<IntView> view = new AtomicReference<>();
        AtomicReference<Throwable> foreign = new AtomicReference<>();
        Thread thread = new Thread(() -> {
            try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "same")) {
                others.set(ws);
                view.set(ws.alloc(64, true).ints());
                own.alloc(16, true);
            } catch (IllegalStateException expected) {
                foreign.set(expected);
            }
        }, "another");
        thread.start();
        thread.join();
        assertNotSame(own, others.get());
        assertTrue(foreign.get().getMessage().contains("belongs to thread"), foreign.get().getMessage());
        // its thread has ended, and with it the mapping
        IllegalStateException dead = assertThrows(IllegalStateException.class, () -> view.get().get(0));
        assertTrue(dead.getMessage().contains("another"), dead.getMessage());
        assertThrows(IllegalStateException.class, () -> others.get().notifyScopeEntered());
    }

    @Test
    void spillsGrowsOrFails() {
        WorkspaceConfiguration fails = WorkspaceConfiguration.builder().initialSize(4096).policySpill(SpillPolicy.FAIL)
                .policyAllocation(AllocationPolicy.STRICT).build();
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(fails, "fails")) {
            ws.alloc(4000, false);
            MemoryLimitException full = assertThrows(MemoryLimitException.class, () -> ws.alloc(4000, false));
            assertTrue(full.getMessage().contains("fails"), full.getMessage());
            ws.alloc(16, false).bytes().set(0, (byte) 1);
        }
        WorkspaceConfiguration grows = WorkspaceConfiguration.builder().initialSize(4096)
                .policySpill(SpillPolicy.REALLOCATE).build();
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(grows, "grows")) {
            ws.alloc(100_000, true).bytes().fill((byte) 1);
            assertEquals(1, ws.getStatistics().spilledCount());
        }
        assertTrue(manager.getWorkspaceForCurrentThread("grows").getCurrentSize() >= 100_000);
    }

    @Test
    void keepsCircularMemoryUntilItIsOverwritten() {
        WorkspaceConfiguration ring = WorkspaceConfiguration.builder().initialSize(4096)
                .policyAllocation(AllocationPolicy.STRICT).policyReset(ResetPolicy.ENDOFBUFFER_REACHED)
                .policyLearning(LearningPolicy.NONE).build();
        MemoryRegion first;
        IntView[] views = {null};
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(ring, "ring")) {
            assertEquals(MemoryWorkspace.Type.CIRCULAR, ws.getWorkspaceType());
            first = ws.alloc(2048, true);
            views[0] = first.ints();
            views[0].set(0, 5);
        }
        first.check();
        assertEquals(5, views[0].get(0));
        for (int i = 0; i < 2; i++) {
            try (MemoryWorkspace ws = manager.getAndActivateWorkspace(ring, "ring")) {
                ws.alloc(2048, true).ints().fill(9);
            }
        }
        IllegalStateException over = assertThrows(IllegalStateException.class, first::check);
        assertTrue(over.getMessage().contains("overwritten"), over.getMessage());
        assertThrows(IllegalStateException.class, () -> views[0].get(0));
        MemoryRegion outside;
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(ring, "ring")) {
            outside = ws.alloc(8192, true);
            outside.bytes().fill((byte) 1);
        }
        assertThrows(IllegalStateException.class, outside::bytes);
    }

    /** For each piece, element access and the library agree, whatever the sizes are. */
    @Test
    void knowsEachPieceOfARingThatIsOverwritten() {
        WorkspaceConfiguration ring = WorkspaceConfiguration.builder().initialSize(65536)
                .policyAllocation(AllocationPolicy.STRICT).policyReset(ResetPolicy.ENDOFBUFFER_REACHED)
                .policyLearning(LearningPolicy.NONE).build();
        java.util.Random random = new java.util.Random(7);
        java.util.List<MemoryRegion> pieces = new java.util.ArrayList<>();
        java.util.List<ByteView> views = new java.util.ArrayList<>();
        int ended = 0;
        for (int cycle = 0; cycle < 200; cycle++) {
            try (MemoryWorkspace ws = manager.getAndActivateWorkspace(ring, "pieces")) {
                for (int i = random.nextInt(4); i >= 0; i--) {
                    pieces.add(ws.alloc(1 + random.nextInt(9000), false));
                    views.add(pieces.get(pieces.size() - 1).bytes());
                }
            }
            ended = 0;
            for (int i = Math.max(0, pieces.size() - 60); i < pieces.size(); i++) {
                ByteView view = views.get(i);
                boolean isValid = succeeds(pieces.get(i)::verify);
                assertEquals(isValid, succeeds(() -> view.get(0)), "piece " + i + " in cycle " + cycle);
                ended += isValid ? 0 : 1;
            }
        }
        assertTrue(ended > 0 && ended < 60, () -> "no mixture");
    }

    private static boolean succeeds(Runnable access) {
        try {
            access.run();
            return true;
        } catch (IllegalStateException ended) {
            return false;
        }
    }

    @Test
    void destroysWhatIsOpen() {
        MemoryWorkspace outer = manager.getAndActivateWorkspace(FIXED, "outer");
        MemoryWorkspace inner = manager.getAndActivateWorkspace(FIXED, "inner");
        ByteView bytes = inner.alloc(16, true).bytes();
        inner.destroyWorkspace();
        assertThrows(IllegalStateException.class, () -> bytes.get(0));
        assertSame(outer, manager.getCurrentWorkspace());
        outer.close();
    }

    @Test
    void closesTheScopesOfADestroyedWorkspaceOnce() {
        try (MemoryWorkspace outer = manager.getAndActivateWorkspace(FIXED, "outer");
                MemoryWorkspace again = manager.getAndActivateWorkspace(FIXED, "outer")) {
            assertSame(outer, again);
            manager.destroyAllWorkspacesForCurrentThread();
            assertThrows(IllegalStateException.class, () -> outer.alloc(16, true));
        }
        MemoryWorkspace one = manager.getAndActivateWorkspace(FIXED, "one");
        one.destroyWorkspace();
        one.close();
        assertThrows(IllegalStateException.class, one::close);
        assertNull(manager.getCurrentWorkspace());
    }

    @Test
    void sizesItselfWhenToldTo() {
        WorkspaceConfiguration told = WorkspaceConfiguration.builder().policyLearning(LearningPolicy.OVER_TIME).build();
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(told, "told")) {
            ws.alloc(5000, false);
        }
        MemoryWorkspace ws = manager.getWorkspaceForCurrentThread("told");
        assertEquals(0, ws.getCurrentSize());
        ws.initializeWorkspace();
        assertTrue(ws.getCurrentSize() >= 5000);
        try (MemoryWorkspace open = ws.notifyScopeEntered()) {
            open.toggleWorkspaceUse(false);
            open.alloc(16, true);
            assertEquals(0, open.getPrimaryOffset());
            open.toggleWorkspaceUse(true);
            open.alloc(16, true);
            assertEquals(16, open.getPrimaryOffset());
        }
    }

    @Test
    void obeysTheDebugMode() {
        manager.setDebugMode(DebugMode.SPILL_EVERYTHING);
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "debugged")) {
            ws.alloc(16, true).bytes().set(0, (byte) 1);
            assertEquals(1, ws.getStatistics().spilledCount());
            assertEquals(DebugMode.SPILL_EVERYTHING, manager.getDebugMode());
        } finally {
            manager.setDebugMode(DebugMode.DISABLED);
        }
    }

    @Test
    void keepsAllMemoryUntilItIsDestroyedInBypassMode() {
        manager.setDebugMode(DebugMode.BYPASS_EVERYTHING);
        try {
            for (ResetPolicy reset : ResetPolicy.values()) {
                WorkspaceConfiguration configuration = WorkspaceConfiguration.builder().initialSize(4096).overallocationLimit(1)
                        .policyReset(reset).build();
                MemoryWorkspace ws = manager.getAndActivateWorkspace(configuration, "bypassed");
                MemoryRegion first = ws.alloc(16, true);
                first.ints().set(0, 7);
                ws.close();
                ws.notifyScopeEntered();
                ws.alloc(4096, true).ints().set(0, 8);
                ws.close();
                first.check();
                assertEquals(7, first.ints().get(0));
                assertEquals(7, first.detach().ints().get(0));
                ws.destroyWorkspace();
                assertThrows(IllegalStateException.class, first::check);
                assertThrows(IllegalStateException.class, first::ints);
            }
        } finally {
            manager.setDebugMode(DebugMode.DISABLED);
        }
    }

    @Test
    void hasTheFiguresIfItIsFull() {
        WorkspaceConfiguration strict = WorkspaceConfiguration.builder().initialSize(1024).policySpill(SpillPolicy.FAIL)
                .policyAllocation(AllocationPolicy.STRICT).policyLearning(LearningPolicy.NONE).build();
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(strict, "full")) {
            ws.alloc(1000, true);
            MemoryLimitException full = assertThrows(MemoryLimitException.class, () -> ws.alloc(100, true));
            assertEquals(List.of(112L, 1024L, 1008L, 16L), List.of(full.askedBytes(), full.limitBytes(), full.usedBytes(),
                    full.freeBytes()));
            assertEquals("workspace initial_size", full.limitOwner() + " " + full.limitName());
        }
    }

    @Test
    void printsATable() {
        try (MemoryWorkspace ws = manager.getAndActivateWorkspace(FIXED, "printed")) {
            ws.alloc(12_345, true);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        manager.printAllocationStatisticsForCurrentThread(new PrintStream(bytes));
        assertTrue(bytes.toString().contains("printed"), bytes.toString());
        assertTrue(bytes.toString().contains("1,048,576"), bytes.toString());
    }

    @Test
    void copiesOutOfACycle() {
        MemoryRegion detached;
        MemoryRegion leveraged;
        try (MemoryWorkspace outer = manager.getAndActivateWorkspace(FIXED, "outer")) {
            try (MemoryWorkspace inner = manager.getAndActivateWorkspace(FIXED, "inner")) {
                MemoryRegion memory = inner.alloc(40, true);
                memory.doubles().set(4, 2.5);
                detached = memory.detach();
                leveraged = memory.leverage();
                assertSame(outer, leveraged.workspace());
                assertSame(leveraged, leveraged.leverageTo("outer"));
                assertSame(memory, memory.migrate());
                assertFalse(detached.isAttached());
                assertSame(detached, detached.detach());
                assertSame(inner, detached.migrate().workspace());
                assertSame(inner, leveraged.leverageTo("inner").workspace());
                assertFalse(memory.leverageOrDetach("nowhere").isAttached());
                assertThrows(IllegalStateException.class, () -> memory.leverageTo("nowhere"));
            }
            assertEquals(2.5, leveraged.doubles().get(4));
        }
        assertEquals(2.5, detached.doubles().get(4));
        assertThrows(IllegalStateException.class, leveraged::doubles);
        assertThrows(IllegalStateException.class, leveraged::detach);
    }
}

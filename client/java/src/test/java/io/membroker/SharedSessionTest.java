// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SharedSessionTest {
    @Test
    void isOneForTheProcess() {
        try (TestBroker daemon = new TestBroker()) {
            ConnectOptions options = daemon.options().shared(true).build();
            MemoryBroker first = MemoryBroker.connect(options);
            MemoryBroker second = MemoryBroker.connect(options);
            MemoryBroker own = MemoryBroker.connect(daemon.options().build());
            assertEquals(first.sessionNumber(), second.sessionNumber());
            assertNotEquals(first.sessionNumber(), own.sessionNumber());
            ConnectOptions others = daemon.options().shared(true).maxBytes(1).build();
            assertThrows(IllegalStateException.class, () -> MemoryBroker.connect(others));
            first.close();
            first.close();
            second.ping();
            second.close();
            own.close();
        }
    }

    @Test
    void takesOtherOptionsAfterItsEnd() {
        try (TestBroker daemon = new TestBroker()) {
            MemoryBroker.connect(daemon.options().shared(true).maxBytes(1 << 20).build()).close();
            try (MemoryBroker broker = MemoryBroker.connect(daemon.options().shared(true).maxBytes(8 << 20).build());
                    Lease lease = broker.acquire(4 << 20)) {
                assertTrue(lease.isAlive());
            }
        }
    }

    private static void useAWorkspace(ConnectOptions options) {
        try (MemoryBroker broker = MemoryBroker.connect(options);
                MemoryWorkspace workspace = broker.workspaces().getAndActivateWorkspace("again")) {
            workspace.alloc(4096, true).bytes().set(0, (byte) 1);
        }
    }

    /** As programs do that connect for each piece of work. */
    @Test
    void opensAWorkspaceOfTheSameNameInEachConnection() {
        try (TestBroker daemon = new TestBroker()) {
            for (int round = 0; round < 3; round++) {
                useAWorkspace(daemon.options().shared(true).build());
                useAWorkspace(daemon.options().shared(true).maxBytes(1 << (24 + round)).build());
                useAWorkspace(daemon.options().build());
            }
            TestBroker.await(() -> {
                System.gc();
                return !daemon.ctl("sessions").contains("java-test");
            });
        }
    }

    /** A scope that is open, or a buffer, keeps the session, and the next connection takes it. */
    @Test
    void takesTheSessionThatIsStillInUse() {
        try (TestBroker daemon = new TestBroker()) {
            ConnectOptions options = daemon.options().shared(true).build();
            MemoryBroker first = MemoryBroker.connect(options);
            long number = first.sessionNumber();
            MemoryWorkspace open = first.workspaces().getAndActivateWorkspace("open");
            first.close();
            try (MemoryBroker second = MemoryBroker.connect(options)) {
                assertEquals(number, second.sessionNumber());
                assertTrue(second.workspaces().getWorkspaceForCurrentThread("open") == open && open.isScopeActive());
                open.close();
            }
            assertThrows(IllegalStateException.class, open::notifyScopeEntered); // it was destroyed
        }
    }

    /** The session of an earlier test may still wait for the collector. */
    private static Session openAsAnotherLibrary(ConnectOptions options) {
        Session[] opened = {null};
        TestBroker.await(() -> {
            System.gc();
            try {
                opened[0] = Session.open(options, Session.Sharing.SHARED);
            } catch (MemoryBrokerException earlierSession) {
                assertTrue(earlierSession.getMessage().contains("shared client"), earlierSession.getMessage());
            }
            return opened[0] != null;
        });
        return opened[0];
    }

    @Test
    void isThatOfAnotherLibraryOfTheProcess() {
        try (TestBroker daemon = new TestBroker()) {
            Session others = openAsAnotherLibrary(daemon.options().maxBytes(1 << 20).build());
            ConnectOptions ours = daemon.options().shared(true).build();
            MemoryBrokerException differs = assertThrows(MemoryBrokerException.class, () -> MemoryBroker.connect(ours));
            assertTrue(differs.getMessage().contains("max_bytes"), differs.getMessage());
            Session same = SharedSession.use(ours, true);
            assertEquals(NativeClient.sessionNumber(others.handle()), NativeClient.sessionNumber(same.handle()));
            SharedSession.drop(same);
            java.lang.ref.Reference.reachabilityFence(others);
        }
    }

    /** Element access compares the number of losses, so a session that is not told of one would read zeros for ever. */
    private static void expectLossOf(TrackedBuffer buffer, TestBroker daemon) {
        LongView longs = buffer.longs();
        longs.fill(7);
        daemon.revokeTheLease();
        TestBroker.await(() -> {
            try {
                longs.get(1);
                return false;
            } catch (LeaseLostException lost) {
                return true;
            }
        });
    }

    @Test
    void tellsOfLossesAlsoIfAnotherLibraryConnectedIt() {
        try (TestBroker daemon = new TestBroker()) {
            Session others = openAsAnotherLibrary(daemon.options().maxBytes(1 << 24).build());
            Session same = SharedSession.use(daemon.options().shared(true).build(), true);
            expectLossOf(TrackedBuffer.create(same, 1 << 20, BufferOptions.DEFAULT), daemon);
            assertEquals(1, same.losses());
            TestBroker.await(() -> others.losses() == 1);
            SharedSession.drop(same);
        }
    }

    /** The other one has memory freed in another way, or not at all. */
    @Test
    void runsTheCollectorAlsoIfAnotherLibraryConnectedIt() {
        try (TestBroker daemon = new TestBroker()) {
            Session others = openAsAnotherLibrary(daemon.options().maxBytes(16 << 20).maxRetries(0).build());
            Session same = SharedSession.use(daemon.options().shared(true).build(), true);
            for (int i = 0; i < 5; i++) { // nothing refers to the buffer afterwards
                TrackedBuffer.create(same, 10 << 20, BufferOptions.DEFAULT).bytes().set(0, (byte) i);
            }
            SharedSession.drop(same);
            java.lang.ref.Reference.reachabilityFence(others);
        }
    }

    @Test
    void tellsABufferOfLossesAfterItsConnectionWasClosedAndAnotherOpened() {
        try (TestBroker daemon = new TestBroker()) {
            ConnectOptions options = daemon.options().shared(true).build();
            MemoryBroker first = MemoryBroker.connect(options);
            TrackedBuffer buffer = first.createBuffer(1 << 20);
            first.close();
            try (MemoryBroker second = MemoryBroker.connect(options)) {
                expectLossOf(buffer, daemon);
                TestBroker.await(() -> second.losses() == 1);
            }
        }
    }

    @Test
    void endsWhenNothingUsesIt() {
        try (TestBroker daemon = new TestBroker()) {
            MemoryBroker.connect(daemon.options().build()).close();
            for (int i = 0; i < 1000 && daemon.ctl("sessions").contains("java-test"); i++) {
                System.gc();
                TestBroker.pause(20);
            }
            String sessions = daemon.ctl("sessions");
            assertTrue(!sessions.contains("java-test"), sessions);
        }
    }
}

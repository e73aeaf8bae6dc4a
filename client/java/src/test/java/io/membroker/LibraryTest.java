// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How the classes and the shim are loaded and unloaded, and what the JVM prints at its end. */
class LibraryTest {
    private static final String JAVA = Path.of(System.getProperty("java.home"), "bin", "java").toString();

    /** A program for another JVM. */
    static final class Leaking {
        private Leaking() {
        }

        public static void main(String[] arguments) {
            MemoryBroker broker = MemoryBroker.connect();
            TrackedBuffer kept = broker.createBuffer(12_345);
            broker.createBuffer(100).close();
            Lease held = broker.acquire(54_321);
            broker.acquire(200).close();
            System.out.println(broker.options().maxBytes() + " " + broker.options().maxPhysicalBytes());
            kept.check();
            held.check();
        }
    }

    private static String run(TestBroker daemon, String... options) throws Exception {
        return run(daemon, 0, options);
    }

    private static String run(TestBroker daemon, int status, String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of(JAVA, "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(options));
        command.add(Leaking.class.getName());
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("MEMBROKER_SOCKET", daemon.socket());
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(status, process.waitFor(), output);
        return output;
    }

    /** A program whose main() returns while another thread goes on. */
    static final class Server {
        private Server() {
        }

        public static void main(String[] arguments) {
            MemoryBroker broker = MemoryBroker.connect();
            new Thread(() -> {
                try {
                    System.in.read();
                } catch (java.io.IOException ended) {
                    // as if it had been read
                }
                broker.close();
            }).start();
            broker.workspaces().getAndActivateWorkspace(
                    WorkspaceConfiguration.builder().initialSize(1 << 20).build(), "of main").alloc(100, true);
        }
    }

    @Test
    void endsTheWorkspacesOfMainWithIt() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            ProcessBuilder builder =
                    new ProcessBuilder(JAVA, "-cp", System.getProperty("java.class.path"), Server.class.getName());
            builder.environment().put("MEMBROKER_SOCKET", daemon.socket());
            Process process = builder.start();
            TestBroker.await(() -> daemon.ctl("status", "--json").replace(" ", "").contains("\"granted\":1"));
            TestBroker.await(() -> daemon.leases().isEmpty());
            assertTrue(process.isAlive());
            process.getOutputStream().close();
            assertEquals(0, process.waitFor());
        }
    }

    /** A program whose heap is full while its lease is revoked. */
    static final class Full {
        private static final long SECONDS = 3;
        private static Object[] hold = new Object[1 << 20];
        private static int held;

        private Full() {
        }

        private static void fill(int bytes) {
            try {
                while (true) {
                    hold[held] = new byte[bytes];
                    held++;
                }
            } catch (OutOfMemoryError full) {
                // as it should be
            }
        }

        /** After so much collecting in vain, the JVM may refuse once more, although nothing is held any longer. */
        private static boolean hasRoom() {
            try {
                hold = new Object[1 << 16];
                return true;
            } catch (OutOfMemoryError stillFull) {
                return false;
            }
        }

        public static void main(String[] arguments) throws Exception {
            MemoryBroker broker = MemoryBroker.connect();
            Lease lease = broker.acquire(1 << 20);
            ByteView view = lease.memory().bytes();
            view.fill((byte) 1);
            new ProcessBuilder("sh", "-c", "sleep 1; " + arguments[0] + " revoke " + lease.id()).start();
            long end = System.nanoTime() + SECONDS * 1_000_000_000L;
            for (int bytes = 1 << 20; bytes >= 16; bytes /= 2) {
                fill(bytes);
            }
            while (System.nanoTime() < end) {
                fill(8);
            }
            do {
                hold = null;
            } while (!hasRoom());
            TestBroker.await(() -> broker.losses() == 1);
            view.get(0);
        }
    }

    @Test
    void isToldOfALossLaterIfTheHeapIsFull() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            String ctl = Path.of(System.getProperty("membroker.build", "build"), "membrokerctl").toAbsolutePath().toString();
            ProcessBuilder builder = new ProcessBuilder(JAVA, "-Xmx32m", "-cp", System.getProperty("java.class.path"),
                    Full.class.getName(), ctl);
            builder.environment().put("MEMBROKER_SOCKET", daemon.socket());
            Process process = builder.redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(1, process.waitFor(), output);
            assertTrue(output.contains("LeaseLostException: lease 1 is lost: it was revoked"), output);
        }
    }

    @Test
    void reportsLeaksWithTheirPlacesUnderAProperty() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            String report = run(daemon, "-Dio.membroker.leaks=true");
            assertTrue(report.contains("12,345 bytes in 1 buffers"), report);
            assertTrue(report.contains("LibraryTest$Leaking.main(LibraryTest.java:"), report);
            assertTrue(report.contains("54,321 bytes in 1 leases"), report);
            assertEquals(2, report.split("LibraryTest.Leaking.main", -1).length - 1, report);
            assertTrue(!report.contains("100 bytes") && !report.contains("200 bytes"), report);
            assertTrue(!run(daemon).contains("buffers"), "no report without the property");
        }
    }

    @Test
    void takesTheLimitsOfTheCommandLine() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            String limits = run(daemon, "-Xmx64m", "-Dorg.bytedeco.javacpp.maxbytes=512m",
                    "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0");
            assertTrue(limits.contains("536870912 0"), limits);
            assertTrue(daemon.run("sessions").output().isEmpty() || limits.contains("536870912"), limits);
        }
    }

    @Test
    void saysWhyTheNativePartIsNotLoaded() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            String unpacked = run(daemon, 1, "-Djava.io.tmpdir=/nonexistent");
            assertTrue(unpacked.contains("native part can't be unpacked: ") && unpacked.contains("-Djava.io.tmpdir, or"), unpacked);
            String absent = run(daemon, 1, "-Dio.membroker.library=/nonexistent/lib.so");
            assertTrue(absent.contains("-Dio.membroker.library names /nonexistent/lib.so, which can't be loaded"), absent);
            String other = Path.of(System.getProperty("membroker.build", "build"), "libmembroker.so").toAbsolutePath().toString();
            String wrong = run(daemon, 1, "-Dio.membroker.library=" + other);
            assertTrue(wrong.contains("names " + other + ", which is not membroker's native part"), wrong);
        }
    }

    @Test
    void hasTheClassForJava22WhateverBuiltTheJar() {
        assertNotNull(LibraryTest.class.getResource("/META-INF/versions/22/io/membroker/CycleSegments.class"));
        assertNull(LibraryTest.class.getResource("/META-INF/versions/22/java/lang/foreign/Arena.class"));
    }

    @Test
    void saysHowToGetAMissingShim() {
        UnsatisfiedLinkError missing = assertThrows(UnsatisfiedLinkError.class, () -> NativeLibrary.loadFor("none"));
        assertTrue(missing.getMessage().contains("libmembroker-java"), missing.getMessage());
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
            System.out.println(broker.options().maxBytes() + " " + broker.options().maxPhysicalBytes());
            kept.check();
        }
    }

    private static String run(TestBroker daemon, String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of(JAVA, "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(options));
        command.add(Leaking.class.getName());
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("MEMBROKER_SOCKET", daemon.socket());
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
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

    @Test
    void reportsLeaksWithTheirPlacesUnderAProperty() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            String report = run(daemon, "-Dio.membroker.leaks=true");
            assertTrue(report.contains("12,345 bytes in 1 buffers"), report);
            assertTrue(report.contains("LibraryTest$Leaking.main(LibraryTest.java:"), report);
            assertTrue(!report.contains("100 bytes"), report);
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
    void saysHowToGetAMissingShim() {
        UnsatisfiedLinkError missing = assertThrows(UnsatisfiedLinkError.class, () -> NativeLibrary.loadFor("none"));
        assertTrue(missing.getMessage().contains("libmembroker-java"), missing.getMessage());
    }
}

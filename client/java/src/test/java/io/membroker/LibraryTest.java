// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
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
    void canBeUnloaded() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            WeakReference<ClassLoader> loader = useInALoaderOfItsOwn(daemon);
            for (int i = 0; i < 500 && loader.get() != null; i++) {
                System.gc();
                TestBroker.pause(10);
            }
            assertNull(loader.get());
        }
    }

    private static WeakReference<ClassLoader> useInALoaderOfItsOwn(TestBroker daemon) throws Exception {
        List<URL> path = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
            path.add(Path.of(entry).toUri().toURL());
        }
        URLClassLoader loader = new URLClassLoader(path.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
        Class<?> user = loader.loadClass(User.class.getName());
        assertTrue(user.getClassLoader() == loader);
        user.getDeclaredMethod("use", String.class).invoke(null, daemon.socket());
        loader.close();
        return new WeakReference<>(loader);
    }

    /** What a part of an application server does. */
    public static final class User {
        private User() {
        }

        public static void use(String socket) {
            ConnectOptions options = ConnectOptions.builder().socket(socket).build();
            try (MemoryBroker broker = MemoryBroker.connect(options)) {
                broker.createBuffer(4096).bytes().fill((byte) 1);
                try (MemoryWorkspace ws = broker.workspaces().getAndActivateWorkspace("unloaded")) {
                    ws.alloc(4096, true).ints().fill(1);
                }
                broker.workspaces().destroyAllWorkspacesForCurrentThread();
            }
        }
    }

    @Test
    void saysHowToGetAMissingShim() {
        UnsatisfiedLinkError missing = assertThrows(UnsatisfiedLinkError.class, () -> NativeLibrary.loadFor("none"));
        assertTrue(missing.getMessage().contains("libmembroker-java"), missing.getMessage());
    }
}

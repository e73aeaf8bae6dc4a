// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Class loaders that each have the client, as the parts of an application server do. */
class LoadersTest {
    private static final Path BUILD = Path.of(System.getProperty("membroker.build", "build")).toAbsolutePath();

    private static URLClassLoader loader() throws Exception {
        List<URL> path = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
            path.add(Path.of(entry).toUri().toURL());
        }
        return new URLClassLoader(path.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
    }

    private static Object callIn(ClassLoader loader, Class<?> ours, String method, Object... arguments) throws Exception {
        Class<?> its = loader.loadClass(ours.getName());
        assertTrue(its != ours && its.getClassLoader() == loader);
        Class<?>[] types = arguments.length == 0 ? new Class<?>[] {} : new Class<?>[] {String.class};
        return its.getDeclaredMethod(method, types).invoke(null, arguments);
    }

    private static Set<String> shims() throws Exception {
        Set<String> shims = new HashSet<>();
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
            if (line.contains("libmembroker_jni")) {
                shims.add(line.replaceFirst("^(\\S+\\s+){4}", "")); // the inode and the path
            }
        }
        return shims;
    }

    // ---- one after the other ----

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

    private static WeakReference<ClassLoader> useInALoaderOfItsOwn(TestBroker daemon) throws Exception {
        URLClassLoader loader = loader();
        callIn(loader, User.class, "use", daemon.socket());
        loader.close();
        return new WeakReference<>(loader);
    }

    /** The shim stays in the process, so the next loader must get the same one. */
    @Test
    void canBeUnloadedAndLoadedAgain() throws Exception {
        try (TestBroker daemon = new TestBroker()) {
            NativeClient.version();
            int before = shims().size();
            for (int i = 0; i < 4; i++) {
                WeakReference<ClassLoader> loader = useInALoaderOfItsOwn(daemon);
                TestBroker.await(() -> {
                    System.gc();
                    return loader.get() == null;
                });
                assertNull(loader.get());
            }
            assertTrue(shims().size() <= before + 2, shims().toString()); // one may wait for the JVM's own cleaner
        }
    }

    // ---- at the same time ----

    /** Holds a lease, and says what becomes of it. */
    public static final class Holder {
        private static MemoryBroker broker;
        private static Lease lease;

        private Holder() {
        }

        public static Long hold(String socket) {
            broker = MemoryBroker.connect(ConnectOptions.builder().socket(socket).build());
            lease = broker.acquire(1 << 20);
            lease.memory().bytes().fill((byte) 7);
            return broker.sessionNumber();
        }

        public static Boolean isLost() {
            byte[] bytes = new byte[4096];
            try {
                lease.memory().bytes().get(0, bytes, 0, bytes.length);
                return false;
            } catch (LeaseLostException lost) {
                return true;
            }
        }

        public static void end() {
            broker.close();
            broker = null;
            lease = null;
        }
    }

    /** Each loader is told of the loss of its own lease, whichever of the handlers of SIGBUS is asked first. */
    private static int holdInTwoLoaders() throws Exception {
        try (TestBroker daemon = new TestBroker(); URLClassLoader first = loader(); URLClassLoader second = loader()) {
            Object session = callIn(first, Holder.class, "hold", daemon.socket());
            Object other = callIn(second, Holder.class, "hold", daemon.socket());
            List<String> leases = daemon.leases();
            assertEquals(2, leases.size());
            daemon.ctl("revoke", leases.get(0));
            boolean isFirstLost = (boolean) callIn(first, Holder.class, "isLost");
            assertEquals(!isFirstLost, callIn(second, Holder.class, "isLost"));
            daemon.ctl("revoke", leases.get(1));
            assertEquals(true, callIn(first, Holder.class, "isLost"));
            assertEquals(true, callIn(second, Holder.class, "isLost"));
            callIn(first, Holder.class, "end");
            callIn(second, Holder.class, "end");
            return session.equals(other) ? 1 : 2;
        }
    }

    @Test
    void twoAtATimeHaveAShimEach() throws Exception {
        assertEquals(2, holdInTwoLoaders());
    }

    /** Prints the number of sessions and of shims of two loaders beside its own. */
    public static final class TwoLoaders {
        private TwoLoaders() {
        }

        public static void main(String[] arguments) throws Exception {
            NativeClient.version();
            System.out.println("sessions " + holdInTwoLoaders() + " shims " + shims().size());
        }
    }

    /** With the installed shim they share libmembroker, and so a session, if their options are the same. */
    @ParameterizedTest
    @ValueSource(strings = {"java.library.path=/java", "io.membroker.library=/java/libmembroker_jni.so"})
    void twoAtATimeShareTheSessionOfAnInstalledShim(String property) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-D" + property.replace("=", "=" + BUILD), "-Dmembroker.build=" + BUILD, "-cp",
                System.getProperty("java.class.path"), TwoLoaders.class.getName());
        builder.environment().put("LD_LIBRARY_PATH", BUILD.toString());
        Process process = builder.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        assertTrue(output.contains("sessions 1 shims 3"), output);
    }
}

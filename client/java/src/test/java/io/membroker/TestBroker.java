// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A broker of a test's own, and membrokerctl as the second process that looks at it. */
public final class TestBroker implements AutoCloseable {
    private static final Path BUILD = Path.of(System.getProperty("membroker.build", "build")).toAbsolutePath();
    private final Path directory;
    private final Path socket;
    private Process daemon;

    /** Starts a broker; the lines follow a configuration with 8 GiB of RAM. */
    public TestBroker(String... lines) {
        try {
            directory = Files.createTempDirectory("membroker-java");
            socket = directory.resolve("socket");
            List<String> configuration = new ArrayList<>(List.of("[mapped]", "directory = " + directory.resolve("spill"),
                    "[pressure]", "pause_ram_at = never", "[limits]"));
            if (List.of(lines).stream().noneMatch(line -> line.startsWith("max_mapped_bytes"))) {
                configuration.add("max_mapped_bytes = 8G");
            }
            if (lines.length == 0) {
                configuration.add("max_physical_bytes = 8G");
            }
            configuration.addAll(List.of(lines));
            Files.write(directory.resolve("conf"), configuration);
            start();
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    void start() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(BUILD.resolve("membrokerd").toString(), "--config",
                directory.resolve("conf").toString(), "--socket", socket.toString(), "--quiet");
        builder.environment().put("STATE_DIRECTORY", directory.toString());
        daemon = builder.redirectErrorStream(true).redirectOutput(directory.resolve("log").toFile()).start();
        for (int i = 0; i < 1000; i++) {
            if (run("ping").exit == 0) {
                return;
            }
            pause(20);
        }
        fail("the broker does not start: " + Files.readString(directory.resolve("log")));
    }

    /** Its workers end too, but a moment later: until then they may change the directory. */
    void kill() throws InterruptedException {
        List<ProcessHandle> workers = daemon.descendants().toList();
        daemon.destroyForcibly().waitFor();
        workers.forEach(ProcessHandle::destroyForcibly);
        workers.forEach(worker -> await(() -> hasEnded(worker.pid())));
    }

    /** `onExit()` of a process that is no child waits until its new parent has collected it, and looks seldom. */
    private static boolean hasEnded(long process) {
        try {
            String status = Files.readString(Path.of("/proc", Long.toString(process), "stat"));
            return status.startsWith("Z", status.lastIndexOf(')') + 2);
        } catch (IOException gone) {
            return true;
        }
    }

    public String socket() {
        return socket.toString();
    }

    /** Options with a session of its own. */
    ConnectOptions.Builder options() {
        return ConnectOptions.builder().socket(socket.toString()).name("java-test").shared(false);
    }

    record Answer(int exit, String output) {
    }

    /** What membrokerctl answers. */
    Answer run(String... words) {
        List<String> command = new ArrayList<>(List.of(BUILD.resolve("membrokerctl").toString()));
        command.addAll(List.of(words));
        command.addAll(List.of("--socket", socket.toString()));
        try {
            ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
            builder.environment().put("LC_ALL", "C.UTF-8"); // a locale without letters shows question marks for them
            Process process = builder.start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Answer(process.waitFor(), output);
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    public String ctl(String... words) {
        Answer answer = run(words);
        assertEquals(0, answer.exit, answer.output);
        return answer.output;
    }

    /** The numbers of the leases that the broker lists. */
    List<String> leases() {
        return java.util.regex.Pattern.compile("\"lease\": *(\\d+)").matcher(ctl("leases", "--json")).results()
                .map(found -> found.group(1)).toList();
    }

    /** Revokes the only lease that there is. */
    void revokeTheLease() {
        List<String> all = leases();
        assertEquals(1, all.size(), all.toString());
        ctl("revoke", all.get(0));
    }

    /** The file of the broker's whose size that is. */
    Path fileOf(long bytes) throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + daemon.pid() + "/fd"))) {
            return descriptors.filter(path -> isOfSize(path, bytes)).findFirst().orElseThrow();
        }
    }

    private static boolean isOfSize(Path path, long bytes) {
        try {
            return Files.isRegularFile(path) && Files.size(path) == bytes;
        } catch (IOException closed) {
            return false;
        }
    }

    static void await(java.util.function.BooleanSupplier condition) {
        for (int i = 0; !condition.getAsBoolean(); i++) {
            if (i == 2000) {
                fail("timeout");
            }
            pause(10);
        }
    }

    /** Until the client is connected to the broker of now: its thread may not have noticed yet that another one ended. */
    static void awaitConnected(MemoryBroker broker) {
        await(() -> answers(broker));
    }

    private static boolean answers(MemoryBroker broker) {
        try {
            broker.ping();
            return true;
        } catch (MemoryBrokerException broken) {
            return false;
        }
    }

    static void pause(long milliseconds) {
        try {
            TimeUnit.MILLISECONDS.sleep(milliseconds);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    @Override
    public void close() {
        try {
            kill();
            try (Stream<Path> files = Files.walk(directory)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }
}

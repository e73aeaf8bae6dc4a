// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Compiles and runs the samples of the README. */
class ReadmeTest {
    private static final Path README = Path.of("client/java/README.md");
    private Path directory;

    @BeforeEach
    void makeDirectory() throws IOException {
        directory = Files.createTempDirectory("membroker-readme");
    }

    @AfterEach
    void removeDirectory() throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static List<String> samples() throws IOException {
        return Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(README)).results()
                .map((MatchResult found) -> found.group(1))
                .filter(text -> !text.contains("public class"))
                .filter(text -> Runtime.version().feature() >= 22 || !text.contains("MemorySegment"))
                .toList();
    }

    private static String program(String sample) {
        String foreign = sample.contains("MemorySegment") ? "import java.lang.foreign.*;\n" : "";
        return "import io.membroker.*;\nimport io.membroker.array.*;\nimport java.nio.*;\nimport java.time.*;\n" + foreign
                + "public class Sample {\n    public static void main(String[] arguments) throws Exception {\n" + sample
                + "    }\n}\n";
    }

    /** What the sample prints. */
    private String run(String sample, TestBroker daemon) throws Exception {
        Path source = Files.writeString(directory.resolve("Sample.java"), program(sample));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter complaints = new StringWriter();
        String path = System.getProperty("java.class.path");
        boolean isCompiled = compiler.getTask(complaints, null, null, List.of("-cp", path, "-d", directory.toString()), null,
                compiler.getStandardFileManager(null, null, null).getJavaFileObjects(source)).call();
        assertTrue(isCompiled, sample + complaints);
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp", directory + java.io.File.pathSeparator + path, "Sample"));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("MEMBROKER_SOCKET", daemon.socket());
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), sample + output);
        return output;
    }

    @Test
    void samplesDoWhatTheySay() throws Exception {
        List<String> samples = samples();
        assertTrue(samples.size() >= 6, () -> samples.size() + " samples");
        try (TestBroker daemon = new TestBroker()) {
            for (String sample : samples) {
                String output = run(sample, daemon);
                for (MatchResult said : Pattern.compile("println\\(.*// (\\S+)$", Pattern.MULTILINE).matcher(sample).results()
                        .toList()) {
                    assertTrue(output.contains(said.group(1)), sample + output);
                }
            }
        }
    }

    private static String block(String beginning) throws IOException {
        return Pattern.compile(beginning + "(.*?)```", Pattern.DOTALL).matcher(Files.readString(README)).results()
                .map((MatchResult found) -> found.group(1)).findFirst().orElseThrow();
    }

    @Test
    void firstProgramRunsWithTheCommandsBesideIt() throws Exception {
        Path build = Path.of(System.getProperty("membroker.build", "build")).toAbsolutePath();
        Files.createSymbolicLink(directory.resolve("build"), build);
        Files.writeString(directory.resolve("Hello.java"), block("```java\n(?=import)"));
        String commands = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + block("```sh\n");
        ProcessBuilder builder = new ProcessBuilder("bash", "-e", "-c", commands).directory(directory.toFile());
        builder.environment().put("STATE_DIRECTORY", directory.toString());
        builder.environment().merge("PATH", Path.of(System.getProperty("java.home"), "bin") + ":", (path, bin) -> bin + path);
        Process process = builder.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        String said = Pattern.compile("prints `(.*?)`").matcher(Files.readString(README)).results()
                .map((MatchResult found) -> found.group(1)).findFirst().orElseThrow();
        assertTrue(output.lines().anyMatch(said::equals), output);
    }

    @Test
    void hasTheSampleOfTheDocumentation() throws IOException {
        String source = Files.readString(Path.of("client/java/src/test/java/io/membroker/array/Sample.java"));
        String sample = source.substring(source.indexOf("WorkspaceConfiguration mmap"), source.indexOf("        System.out"));
        assertTrue(samples().contains(sample.replaceAll("(?m) +$", "")), sample);
    }
}

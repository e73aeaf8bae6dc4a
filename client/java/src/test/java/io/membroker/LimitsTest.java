// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LimitsTest {
    private static final long GIB = 1L << 30;

    @ParameterizedTest
    @CsvSource({"0, 0", "8G, 8589934592", "512m, 536870912", "1kb, 1024", "7b, 7", "7, 7", "2TB, 2199023255552",
        "' 3 g ', 3221225472", "50%, 536870912"})
    void readsSizesAsJavacppDoes(String text, long bytes) {
        assertEquals(bytes, ByteSize.parse(text, GIB));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "G", "-1", "1.5G", "1x", "1 gib", "99999999999999999999", "9999999999G"})
    void refusesWhatIsNoSize(String text) {
        assertThrows(IllegalArgumentException.class, () -> ByteSize.parse(text, GIB));
    }

    @Test
    void readsThePropertiesOfJavacpp() {
        Properties properties = new Properties();
        assertEquals(new JavacppLimits(GIB, null, null, 10),
                JavacppLimits.read(properties, GIB));
        properties.setProperty("org.bytedeco.javacpp.maxbytes", "1G");
        properties.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "2G");
        properties.setProperty("org.bytedeco.javacpp.maxretries", "3");
        assertEquals(new JavacppLimits(GIB, GIB, 2 * GIB, 3), JavacppLimits.read(properties, GIB));
        properties.setProperty("org.bytedeco.javacpp.maxBytes", "0");
        properties.setProperty("org.bytedeco.javacpp.maxRetries", "-1");
        assertEquals(0, JavacppLimits.read(properties, GIB).maxBytes());
        assertEquals(0, JavacppLimits.read(properties, GIB).maxRetries()); // as JavaCPP
    }

    @ParameterizedTest
    @CsvSource({"maxBytes, foo", "maxBytes, -1", "maxPhysicalBytes, 1.5G", "maxRetries, x"})
    void namesThePropertyThatIsWrong(String name, String text) {
        Properties properties = new Properties();
        properties.setProperty("org.bytedeco.javacpp." + name, text);
        String message =
                assertThrows(IllegalArgumentException.class, () -> JavacppLimits.read(properties, GIB)).getMessage();
        assertTrue(message.startsWith("-Dorg.bytedeco.javacpp." + name + " must be ") && message.contains(text), message);
    }

    @Test
    void ignoresEmptyPropertiesAsJavacppDoes() {
        Properties properties = new Properties();
        properties.setProperty("org.bytedeco.javacpp.maxBytes", "");
        properties.setProperty("org.bytedeco.javacpp.maxRetries", "");
        assertEquals(new JavacppLimits(GIB, null, null, 10), JavacppLimits.read(properties, GIB));
    }

    @Test
    void refusesSizesThatNothingHas() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().build());
                Lease lease = broker.acquire(4096);
                MemoryWorkspace workspace = broker.workspaces().getAndActivateWorkspace("sizes")) {
            for (Executable call : new Executable[] {() -> workspace.alloc(0, true), () -> workspace.alloc(-1, true),
                () -> lease.extend(-1, Duration.ZERO), () -> lease.memory(-1), () -> lease.reportUse(-1)}) {
                String message = assertThrows(IllegalArgumentException.class, call).getMessage();
                assertTrue(message.matches(".*(-1|at least one byte, not 0)"), message);
            }
        }
    }

    @Test
    void refusesNegativeOptions() {
        for (ConnectOptions.Builder options : List.of(ConnectOptions.builder().maxBytes(-1),
                ConnectOptions.builder().maxPhysicalBytes(-2), ConnectOptions.builder().heapBytes(Long.MIN_VALUE),
                ConnectOptions.builder().cacheBytes(-3), ConnectOptions.builder().maxRetries(-1))) {
            String message = assertThrows(IllegalArgumentException.class, options::build).getMessage();
            assertTrue(message.matches("(max(Physical)?Bytes|heapBytes|cacheBytes|maxRetries) is negative: -[0-9]+"), message);
        }
    }

    @Test
    void saysWhereAJavaProgramSetsItsOwnLimits() {
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(4096).build())) {
            String ram = assertThrows(MemoryLimitException.class, () -> broker.acquire(8192)).getMessage();
            assertTrue(ram.contains("max_bytes is 4 KiB") && !ram.contains("MMAP"), ram);
            assertTrue(ram.contains("In Java max_bytes is -Dorg.bytedeco.javacpp.maxBytes; without it the Java client takes twice -Xmx,"),
                    ram);
            String file = assertThrows(MemoryLimitException.class,
                    () -> broker.acquire(8192, LeaseOptions.builder().location(Location.MMAP).build())).getMessage();
            assertTrue(file.contains(" In Java max_bytes is -Dorg.bytedeco.javacpp.maxBytes"), file);
        }
        try (TestBroker daemon = new TestBroker();
                MemoryBroker broker = MemoryBroker.connect(daemon.options().maxBytes(8192).maxPhysicalBytes(4096).build())) {
            String ram = assertThrows(MemoryLimitException.class, () -> broker.acquire(8192)).getMessage();
            assertTrue(ram.contains("-Dorg.bytedeco.javacpp.maxPhysicalBytes; without it the limit is maxBytes if that is set, else"),
                    ram);
        }
    }

    @Test
    void hasTwiceTheHeapByDefault() {
        try (TestBroker daemon = new TestBroker("max_physical_bytes = unlimited");
                MemoryBroker broker = MemoryBroker.connect(daemon.options().heapBytes(16 << 20).build())) {
            broker.acquire(32 << 20).close();
            assertEquals(32 << 20,
                    assertThrows(MemoryLimitException.class, () -> broker.acquire(33 << 20)).limitBytes());
        }
    }
}

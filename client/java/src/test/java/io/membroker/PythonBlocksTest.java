// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What Python publishes and Java reads, and the other way round. */
class PythonBlocksTest {
    private static final Path PACKAGE = Path.of(System.getProperty("membroker.build", "build"), "python").toAbsolutePath();
    private static final String PUBLISHING = """
            import sys, numpy, membroker
            with membroker.connect() as broker:
                broker.publish("floats", numpy.arange(6, dtype="<f4").reshape(2, 3))
                broker.publish("columns", numpy.asfortranarray(numpy.arange(6, dtype="<f8").reshape(2, 3)))
                broker.publish("network", numpy.array([1, 2], dtype=">i4"))
                broker.publish("one", numpy.array(7, dtype="<i8"))
                broker.publish("none", numpy.zeros((0, 5)))
                broker.publish("flags", numpy.array([True, False]))
                broker.publish("text", b"0123456789")
                broker.publish("last", b"")
                sys.stdin.read()
            """;
    private static final String READING = """
            import numpy, membroker
            with membroker.connect() as broker:
                table, whole = broker.attach("table"), broker.attach("whole")
                print(table.dtype.str, table.shape, table.tolist(), table.flags.writeable)
                print(whole.dtype.str, whole.shape, whole.tolist())
                with broker.view("text") as view:
                    print(view.type, bytes(view))
            """;
    private TestBroker daemon;
    private MemoryBroker broker;

    @BeforeEach
    void start() {
        daemon = new TestBroker();
        broker = MemoryBroker.connect(daemon.options().build());
    }

    @AfterEach
    void stop() {
        broker.close();
        daemon.close();
    }

    private Process python(String program) throws IOException {
        ProcessBuilder builder = new ProcessBuilder("/usr/bin/python3", "-c", program).redirectErrorStream(true);
        builder.environment().put("PYTHONPATH", PACKAGE.toString());
        builder.environment().put("MEMBROKER_SOCKET", daemon.socket());
        return builder.start();
    }

    private BlockView attach(String name) {
        return broker.attach(name, Duration.ofMinutes(1));
    }

    @Test
    void javaReadsWhatPythonPublishes() throws Exception {
        Process python = python(PUBLISHING);
        try (BlockView last = attach("last");
                BlockView floats = attach("floats");
                BlockView columns = attach("columns");
                BlockView network = attach("network");
                BlockView one = attach("one");
                BlockView none = attach("none");
                BlockView flags = attach("flags");
                BlockView text = attach("text")) {
            assertEquals(new ArrayDescription("<f4", List.of(2L, 3L), 'C', 24), floats.array());
            assertEquals(5, floats.asFloatBuffer().get(5));
            assertEquals(6, floats.asFloatBuffer().capacity());
            assertEquals('F', columns.array().order());
            assertEquals(3, columns.asDoubleBuffer().get(1), "the second row's first element is adjacent");
            assertEquals(ByteOrder.BIG_ENDIAN, network.array().byteOrder());
            assertEquals(2, network.asIntBuffer().get(1));
            assertEquals(List.of(), one.array().shape());
            assertEquals(7, one.asLongBuffer().get(0));
            assertEquals(List.of(0L, 5L), none.array().shape());
            assertEquals(0, none.asDoubleBuffer().capacity());
            assertEquals("|b1", flags.array().dtype());
            assertThrows(IllegalStateException.class, flags::asIntBuffer);
            assertEquals("0123456789", StandardCharsets.US_ASCII.decode(text.asByteBuffer()).toString());
            assertEquals(0, last.asByteBuffer().capacity());
        } finally {
            python.destroyForcibly().waitFor();
        }
    }

    @Test
    void pythonReadsWhatJavaPublishes() throws Exception {
        try (Block table = broker.publish("table", BlockContent.of(new double[] {1, 2, 3, 4, 5, 6}, 2, 3));
                Block whole = broker.publish("whole", BlockContent.of(new int[] {-1, 7}));
                Block text = broker.publish("text", BlockContent.of(ByteBuffer.wrap(new byte[] {'a', 'b'})))) {
            Process python = python(READING);
            String output = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals("""
                    <f8 (2, 3) [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] False
                    <i4 (2,) [-1, 7]
                    bytes b'ab'
                    """, output, () -> table + " " + whole + " " + text);
            assertEquals(0, python.waitFor());
        }
    }
}

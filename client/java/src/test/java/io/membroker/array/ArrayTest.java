// SPDX-License-Identifier: Apache-2.0
package io.membroker.array;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.membroker.ConnectOptions;
import io.membroker.MemoryBroker;
import io.membroker.MemoryRegion;
import io.membroker.TestBroker;
import org.junit.jupiter.api.Test;

/** The arrays themselves; io.membroker.array.SampleTest runs them in a process. */
class ArrayTest {
    @Test
    void hasNoImpossibleLength() {
        for (long length : new long[] {-1, -5, 1L << 30, 1L << 62, Long.MIN_VALUE}) {
            String message = assertThrows(IllegalArgumentException.class, () -> Nd4j.create(length)).getMessage();
            assertTrue(message.endsWith("not " + length), message);
            assertThrows(IllegalArgumentException.class, () -> Nd4j.createUninitialized(length));
        }
    }

    @Test
    void checksIndexesAndShowsItsElements() {
        try (TestArrays arrays = new TestArrays()) {
            INDArray array = arrays.of(20);
            array.putScalar(0, 1.5).putScalar(9, 7);
            for (long index : new long[] {-1, 20, 1L << 32}) {
                assertThrows(IndexOutOfBoundsException.class, () -> array.getFloat(index));
                assertThrows(IndexOutOfBoundsException.class, () -> array.putScalar(index, 1));
            }
            assertEquals("[1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0, ... 20 elements]", array.toString());
            assertEquals("[0.0, 0.0]", arrays.of(2).toString());
            array.close();
            assertEquals("[the buffer is closed]", array.toString());
            assertEquals("FloatView of 2 elements", arrays.of(2).data().toString());
            String message = assertThrows(IndexOutOfBoundsException.class, () -> arrays.of(2).data().get(2)).getMessage();
            assertEquals("index 2 of a view of 2 elements", message);
        }
    }

    /** Arrays of a broker of their own. */
    private static final class TestArrays implements AutoCloseable {
        private final TestBroker daemon = new TestBroker();
        private final MemoryBroker broker =
                MemoryBroker.connect(ConnectOptions.builder().socket(daemon.socket()).shared(false).build());

        INDArray of(int length) {
            MemoryRegion memory = broker.createBuffer(4L * length);
            return new INDArray(memory, length);
        }

        @Override
        public void close() {
            broker.close();
            daemon.close();
        }
    }
}

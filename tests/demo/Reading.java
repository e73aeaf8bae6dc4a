// SPDX-License-Identifier: Apache-2.0
import io.membroker.BlockView;
import io.membroker.MemoryBroker;
import java.io.IOException;
import java.nio.DoubleBuffer;
import java.time.Duration;
import java.util.List;

/** Reads a table that another process publishes, and keeps its view until the input ends. Usage: Reading NAME */
public final class Reading {
    private Reading() {
    }

    public static void main(String[] arguments) throws IOException {
        try (MemoryBroker broker = MemoryBroker.connect();
                BlockView view = broker.attach(arguments[0], Duration.ofMinutes(1))) {
            DoubleBuffer table = view.asDoubleBuffer();
            double sum = 0;
            for (int i = 0; i < table.limit(); i++) {
                sum += table.get(i);
            }
            view.check(); // until here, all that was read were the block's bytes
            List<Long> shape = view.array().shape();
            System.out.printf("Java:   read %d x %d numbers, sum %.0f%n", shape.get(0), shape.get(1), sum);
            System.in.readAllBytes();
        }
    }
}

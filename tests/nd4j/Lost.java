/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.BooleanIndexing;
import org.nd4j.linalg.indexing.conditions.Conditions;
import org.nd4j.linalg.ops.transforms.Transforms;

/**
 * An array outside workspaces, whose lease is lost while this waits for a line. Then it does one thing until there is an
 * exception, and some more times. Argument: operate, create, enter, close or drop.
 */
public final class Lost {
    private static final int ELEMENTS = 4 << 20;
    private static final long LIMIT_NANOSECONDS = 20_000_000_000L;
    private static INDArray array;
    private static INDArray other;

    private Lost() {
    }

    /** What calls the plug-in. */
    private interface Action {
        void run() throws InterruptedException;
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        array = Nd4j.valueArrayOf(new long[] {ELEMENTS}, 7f, DataType.FLOAT);
        other = Nd4j.ones(DataType.FLOAT, 10);
        compute();
        System.out.println("computed " + compute());
        pause("allocated");
        Action action = action(arguments[0]);
        untilItThrows(action);
        for (int i = 0; i < 3; i++) {
            action.run();
        }
        System.out.println("computed " + compute());
        pause("went on");
    }

    private static void untilItThrows(Action action) throws InterruptedException {
        for (long end = System.nanoTime() + LIMIT_NANOSECONDS; System.nanoTime() < end;) {
            try {
                action.run();
            } catch (RuntimeException lost) {
                System.out.println(lost);
                return;
            }
        }
    }

    private static Action action(String what) {
        switch (what) {
            case "operate":
                return () -> other.addi(1);
            case "create":
                return () -> Nd4j.createUninitialized(DataType.FLOAT, 10);
            case "enter":
                return Lost::enter;
            case "close":
                return Lost::close;
            case "drop":
                return Lost::drop;
            default:
                throw new IllegalArgumentException(what);
        }
    }

    /** ND4J keeps the shapes, the dimensions and the arguments of operations. */
    private static String compute() {
        INDArray twos = Nd4j.ones(DataType.FLOAT, 3, 7).addi(1);
        INDArray cubes = Transforms.pow(twos, 3);
        BooleanIndexing.replaceWhere(twos, 5, Conditions.lessThan(3));
        return cubes.sum(1) + " " + cubes.std(false, 0) + " " + twos.sumNumber();
    }

    /** Older versions refuse it the second time. */
    private static void close() {
        if (!array.wasClosed()) {
            array.close();
        }
    }

    private static void enter() {
        try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace("ENTERED")) {
            workspace.getId();
        }
    }

    /** Only ND4J's own thread gets to know of the loss; the next call says so. */
    private static void drop() throws InterruptedException {
        array = null;
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(100);
        }
        other.addi(1);
    }

    private static void pause(String what) throws IOException {
        System.out.println(what);
        System.in.read();
    }
}

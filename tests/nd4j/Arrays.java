/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

/** Arrays outside workspaces: closed, collected, enlarged, and seen through a view. It waits for a line at each point. */
public final class Arrays {
    private static final int ELEMENTS = 16 << 20;

    private Arrays() {
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        INDArray array = Nd4j.ones(DataType.FLOAT, ELEMENTS);
        pause("allocated " + array.sumNumber());
        array.close();
        pause("closed " + array.wasClosed());
        dropped();
        System.gc();
        pause("dropped");
        manyDropped();
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(100); // ND4J's own threads free them
        }
        pause("many dropped");
        enlarged();
        viewed();
        System.out.println("finished");
    }

    private static void dropped() {
        Nd4j.ones(DataType.FLOAT, ELEMENTS).addi(1);
    }

    /** Of all sizes that the library keeps for the thread that frees them. */
    private static void manyDropped() {
        for (int i = 0; i < 2000; i++) {
            Nd4j.ones(DataType.FLOAT, 1 + i * 7);
        }
    }

    private static void enlarged() throws IOException {
        DataBuffer buffer = Nd4j.createBuffer(new float[] {1, 2, 3});
        buffer.reallocate(ELEMENTS);
        pause("enlarged " + buffer.getFloat(0) + " " + buffer.getFloat(1) + " " + buffer.getFloat(2));
        buffer.close();
    }

    private static void viewed() throws IOException, InterruptedException {
        INDArray view = Nd4j.ones(DataType.FLOAT, 4, ELEMENTS / 4).get(NDArrayIndex.point(3), NDArrayIndex.all());
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(100);
        }
        pause("viewed " + view.sumNumber());
    }

    private static void pause(String what) throws IOException {
        System.out.println(what);
        System.in.read();
    }
}

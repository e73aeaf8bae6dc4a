/* SPDX-License-Identifier: Apache-2.0 */

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Keeps some arrays of 1 MiB, and makes and drops many more. Arguments: how many it keeps and drops. */
public final class Drop {
    private static final int ELEMENTS = 1 << 18;

    private Drop() {
    }

    public static void main(String[] arguments) {
        List<INDArray> kept = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(arguments[0]); i++) {
            kept.add(Nd4j.createUninitialized(DataType.FLOAT, ELEMENTS));
        }
        int dropped = 0;
        for (; dropped < Integer.parseInt(arguments[1]); dropped++) {
            Nd4j.createUninitialized(DataType.FLOAT, ELEMENTS);
        }
        System.out.println("dropped " + dropped + " beside " + kept.size());
    }
}

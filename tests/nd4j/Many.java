/* SPDX-License-Identifier: Apache-2.0 */

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** How many arrays of 16 MiB fit, of at most 20. */
public final class Many {
    private static final int ELEMENTS = 4 << 20;
    private static final int MOST = 20;

    private Many() {
    }

    public static void main(String[] arguments) {
        List<INDArray> arrays = new ArrayList<>();
        String end = "all fit";
        try {
            while (arrays.size() < MOST) {
                arrays.add(Nd4j.ones(DataType.FLOAT, ELEMENTS));
            }
        } catch (OutOfMemoryError refused) {
            end = refused.getMessage();
        }
        System.out.println(arrays.size() + " arrays: " + end);
        System.exit(0);
    }
}

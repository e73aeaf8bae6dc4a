/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.LocationPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** The sample of ND4J's page on memory, word for word, with one line more in its block: it holds the block open. */
public final class Seed {
    private Seed() {
    }

    public static void main(String[] arguments) throws IOException {
        // sample
WorkspaceConfiguration mmap = WorkspaceConfiguration.builder()
                .initialSize(1000000000)
                .policyLocation(LocationPolicy.MMAP)
                .build();
                
try (MemoryWorkspace ws = Nd4j.getWorkspaceManager().getAndActivateWorkspace(mmap, "M2")) {
    INDArray x = Nd4j.create(10000);
    show(x); // not of the sample
}
        // end of the sample
    }

    /** Fills the array with 1, 2, 3, ..., says where it is, and waits for a line. */
    private static void show(INDArray x) throws IOException {
        for (int i = 0; i < x.length(); i++) {
            x.putScalar(i, i + 1);
        }
        System.out.printf("array at %x, attached: %b%n", x.data().address(), x.isAttached());
        System.in.read();
    }
}

/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.api.memory.enums.LocationPolicy;
import org.nd4j.linalg.api.memory.enums.ResetPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Cycles of one workspace, with a line to wait for between them. Arguments: scoped, circular, or the name of a file; and the
 * number that the first cycle writes, or nothing: then it reads.
 */
public final class Cycles {
    private static final int ELEMENTS = 1000;

    private Cycles() {
    }

    public static void main(String[] arguments) throws IOException {
        WorkspaceConfiguration configuration = configuration(arguments[0]);
        for (int cycle = 0; cycle < 3; cycle++) {
            try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace(configuration, "CYCLES")) {
                INDArray array = Nd4j.createUninitialized(DataType.FLOAT, new long[] {ELEMENTS}, 'c');
                if (cycle > 0 || arguments.length > 1) {
                    array.assign(cycle + (arguments.length > 1 ? Integer.parseInt(arguments[1]) : 0));
                }
                System.out.println("cycle " + cycle + " sum " + array.sumNumber().intValue() + " attached " + array.isAttached());
            } catch (RuntimeException lost) {
                System.out.println(lost);
            }
            System.out.println("after " + cycle);
            System.in.read();
        }
    }

    private static WorkspaceConfiguration configuration(String kind) {
        boolean isNamed = !kind.equals("scoped") && !kind.equals("circular");
        return WorkspaceConfiguration.builder().initialSize(ELEMENTS * 8).overallocationLimit(1)
                .policyLearning(LearningPolicy.NONE)
                .policyReset(kind.equals("circular") ? ResetPolicy.ENDOFBUFFER_REACHED : ResetPolicy.BLOCK_LEFT)
                .policyLocation(isNamed ? LocationPolicy.MMAP : LocationPolicy.RAM).tempFilePath(isNamed ? kind : null).build();
    }
}

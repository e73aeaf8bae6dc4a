/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A workspace that learns its size over time. Each line of input runs cycles, and what the newest one found is printed: the
 * size of the arena, and the exception if there was one. Arguments: the elements that a cycle allocates, and the cycles that
 * a line runs. The third line ends it.
 */
public final class Learned {
    private static final WorkspaceConfiguration CONFIGURATION = WorkspaceConfiguration.builder()
            .policyLearning(LearningPolicy.OVER_TIME).cyclesBeforeInitialization(3).build();

    private Learned() {
    }

    public static void main(String[] arguments) throws IOException {
        int elements = Integer.parseInt(arguments[0]);
        int cycles = Integer.parseInt(arguments[1]);
        Nd4j.create(DataType.FLOAT, 1);
        System.out.println("ready");
        for (int round = 0; System.in.read() >= 0 && round < 2; round++) {
            String newest = null;
            for (int cycle = 0; cycle < cycles; cycle++) {
                newest = cycle(elements);
            }
            System.out.println("round " + round + ": " + newest);
        }
    }

    private static String cycle(int elements) {
        try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace(CONFIGURATION, "LEARNED")) {
            Nd4j.create(DataType.FLOAT, elements);
            return "size " + workspace.getCurrentSize();
        } catch (RuntimeException | Error failed) {
            return failed.toString();
        }
    }
}

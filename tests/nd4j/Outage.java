/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.api.memory.enums.LocationPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Cycles of one workspace until there is a line to read, and what each says, if it differs from what the last one said.
 * Argument: known, learned or mapped; or array, which is
 * in no workspace.
 */
public final class Outage {
    private Outage() {
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        WorkspaceConfiguration configuration = configuration(arguments[0]);
        String last = "";
        while (System.in.available() == 0) {
            String now = arguments[0].equals("array") ? compute() : cycle(configuration);
            if (!now.equals(last)) {
                System.out.println(now);
            }
            last = now;
            Thread.sleep(20);
        }
    }

    private static String cycle(WorkspaceConfiguration configuration) {
        try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace(configuration, "OUTAGE")) {
            return compute();
        } catch (RuntimeException failed) {
            return failed.toString();
        }
    }

    private static String compute() {
        try {
            INDArray array = Nd4j.ones(1000).addi(1);
            return array.sumNumber().intValue() == 2000 ? "fine" : "wrong";
        } catch (RuntimeException failed) {
            return failed.toString();
        }
    }

    private static WorkspaceConfiguration configuration(String kind) {
        return WorkspaceConfiguration.builder().initialSize(kind.equals("learned") ? 0 : 1_000_000)
                .policyLearning(kind.equals("learned") ? LearningPolicy.FIRST_LOOP : LearningPolicy.NONE)
                .policyLocation(kind.equals("mapped") ? LocationPolicy.MMAP : LocationPolicy.RAM).build();
    }
}

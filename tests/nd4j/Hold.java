/* SPDX-License-Identifier: Apache-2.0 */

import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.AllocationPolicy;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.factory.Nd4j;

/** Holds a workspace of that many bytes until it reads a line, and then ends the workspace's scope. */
public final class Hold {
    private Hold() {
    }

    public static void main(String[] arguments) throws Exception {
        WorkspaceConfiguration fixed = WorkspaceConfiguration.builder().initialSize(Long.parseLong(arguments[0]))
                .policyAllocation(AllocationPolicy.STRICT).policyLearning(LearningPolicy.NONE).build();
        try (MemoryWorkspace workspace = Nd4j.getWorkspaceManager().getAndActivateWorkspace(fixed, "HOLD")) {
            Nd4j.ones(DataType.FLOAT, 1000);
            System.out.println("holding " + workspace.getId());
            System.in.read();
        } catch (RuntimeException lost) {
            System.out.println(lost);
        }
    }
}

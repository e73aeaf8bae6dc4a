// SPDX-License-Identifier: Apache-2.0
package io.membroker.array;

import io.membroker.LocationPolicy;
import io.membroker.MemoryWorkspace;
import io.membroker.WorkspaceConfiguration;

/** The sample of ND4J's documentation on memory-mapped workspaces, as it stands there; only the imports are ours. */
final class Sample {
    private Sample() {
    }

    @SuppressWarnings({"try", "unused"})
    public static void main(String[] arguments) throws Exception {
WorkspaceConfiguration mmap = WorkspaceConfiguration.builder()
                .initialSize(1000000000)
                .policyLocation(LocationPolicy.MMAP)
                .build();
                
try (MemoryWorkspace ws = Nd4j.getWorkspaceManager().getAndActivateWorkspace(mmap, "M2")) {
    INDArray x = Nd4j.create(10000);
}
        System.out.println("ready");
        System.in.read(); // so that somebody can look
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker.bench;

import java.util.concurrent.TimeUnit;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.AllocationPolicy;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.factory.Nd4j;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** ND4J's own workspace in the places of {@link Bench}. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Nd4jBench {
    private static final int ALLOCATIONS = 1000;
    private static final int KIB = 1024;
    private MemoryWorkspace workspace;

    @Setup(Level.Trial)
    public void begin() {
        WorkspaceConfiguration configuration = WorkspaceConfiguration.builder().initialSize(64 << 20)
                .policyAllocation(AllocationPolicy.STRICT).policyLearning(LearningPolicy.NONE).build();
        workspace = Nd4j.getWorkspaceManager().createNewWorkspace(configuration, "cycles");
    }

    @TearDown(Level.Trial)
    public void end() {
        Nd4j.getWorkspaceManager().destroyAllWorkspacesForCurrentThread();
    }

    @Benchmark
    public void cycle() {
        workspace.notifyScopeEntered();
        workspace.notifyScopeLeft();
    }

    @Benchmark
    @OperationsPerInvocation(ALLOCATIONS)
    public long allocate() {
        long sum = 0;
        try (MemoryWorkspace scope = workspace.notifyScopeEntered()) {
            for (int i = 0; i < ALLOCATIONS; i++) {
                sum += scope.alloc(KIB, DataType.FLOAT, false).limit();
            }
        }
        return sum;
    }
}

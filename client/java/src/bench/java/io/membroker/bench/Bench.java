// SPDX-License-Identifier: Apache-2.0
package io.membroker.bench;

import io.membroker.AllocationPolicy;
import io.membroker.FloatView;
import io.membroker.MemoryBroker;
import io.membroker.MemoryWorkspace;
import io.membroker.TrackedBuffer;
import io.membroker.WorkspaceConfiguration;
import io.membroker.WorkspaceManager;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.FloatPointer;
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

/** What the Java client costs, beside what a program would use instead. Needs a broker ($MEMBROKER_SOCKET). */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Bench {
    private static final int ELEMENTS = 4096;
    private static final int ALLOCATIONS = 1000;
    private static final int KIB = 1024;

    private MemoryBroker broker;
    private MemoryWorkspace workspace;
    private MemoryWorkspace open;
    private FloatView viewX;
    private FloatView viewY;
    private FloatBuffer directX;
    private FloatBuffer directY;
    private FloatPointer pointerX;
    private FloatPointer pointerY;

    @Setup(Level.Trial)
    public void begin() {
        broker = MemoryBroker.connect();
        WorkspaceManager manager = broker.workspaces();
        WorkspaceConfiguration configuration =
                WorkspaceConfiguration.builder().initialSize(64 << 20).policyAllocation(AllocationPolicy.STRICT).build();
        workspace = manager.createNewWorkspace(configuration, "cycles");
        open = manager.createNewWorkspace(configuration, "open").notifyScopeEntered();
        viewX = open.alloc(4L * ELEMENTS, true).floats();
        viewY = open.alloc(4L * ELEMENTS, true).floats();
        directX = direct(4 * ELEMENTS).asFloatBuffer();
        directY = direct(4 * ELEMENTS).asFloatBuffer();
        pointerX = new FloatPointer(ELEMENTS);
        pointerY = new FloatPointer(ELEMENTS);
    }

    @TearDown(Level.Trial)
    public void end() {
        if (open.getStatistics().totalSpilledBytes() + workspace.getStatistics().totalSpilledBytes() > 0) {
            throw new IllegalStateException("the arena was too small: spills were measured");
        }
        broker.workspaces().destroyAllWorkspacesForCurrentThread();
        broker.close();
    }

    private static ByteBuffer direct(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    // ---- a cycle ----

    @Benchmark
    public void cycle() {
        workspace.notifyScopeEntered();
        workspace.notifyScopeLeft();
    }

    // ---- 1 KiB, without the cycle around it ----

    @Benchmark
    @OperationsPerInvocation(ALLOCATIONS)
    public long allocate() {
        long sum = 0;
        try (MemoryWorkspace scope = workspace.notifyScopeEntered()) {
            for (int i = 0; i < ALLOCATIONS; i++) {
                sum += scope.alloc(KIB, false).byteSize();
            }
        }
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(ALLOCATIONS)
    public float allocateAndTouch() {
        float sum = 0;
        try (MemoryWorkspace scope = workspace.notifyScopeEntered()) {
            for (int i = 0; i < ALLOCATIONS; i++) {
                FloatView floats = scope.alloc(KIB, false).floats();
                floats.set(0, i);
                sum += floats.get(0);
            }
        }
        return sum;
    }

    // ---- a buffer of 1 KiB that is freed ----

    @Benchmark
    public long trackedBuffer() {
        try (TrackedBuffer buffer = broker.createBuffer(KIB)) {
            return buffer.byteSize();
        }
    }

    @Benchmark
    public ByteBuffer allocateDirect() {
        return ByteBuffer.allocateDirect(KIB);
    }

    @Benchmark
    public long floatPointer() {
        try (FloatPointer pointer = new FloatPointer(KIB / 4)) {
            return pointer.limit();
        }
    }

    // ---- y = a x + y, for each element ----

    @Benchmark
    @OperationsPerInvocation(ELEMENTS)
    public void saxpyView() {
        FloatView x = viewX;
        FloatView y = viewY;
        for (int i = 0; i < ELEMENTS; i++) {
            y.set(i, 1.5f * x.get(i) + y.get(i));
        }
    }

    @Benchmark
    @OperationsPerInvocation(ELEMENTS)
    public void saxpyDirect() {
        FloatBuffer x = directX;
        FloatBuffer y = directY;
        for (int i = 0; i < ELEMENTS; i++) {
            y.put(i, 1.5f * x.get(i) + y.get(i));
        }
    }

    @Benchmark
    @OperationsPerInvocation(ELEMENTS)
    public void saxpyPointer() {
        FloatPointer x = pointerX;
        FloatPointer y = pointerY;
        for (int i = 0; i < ELEMENTS; i++) {
            y.put(i, 1.5f * x.get(i) + y.get(i));
        }
    }
}

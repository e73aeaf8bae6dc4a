/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.TrackedBuffer;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.pointers.PagedPointer;
import org.nd4j.linalg.cpu.nativecpu.bindings.Nd4jCpu;
import org.nd4j.nativeblas.OpaqueDataBuffer;

/** ND4J's native operations, but the memory of an array outside workspaces is a tracked buffer. */
public class LeasedNativeOps extends Nd4jCpu {
    private static final int WRAPPER_FRAMES = 3;

    @Override
    public OpaqueDataBuffer allocateDataBuffer(long elements, int type, boolean both) {
        long bytes = bytes(elements, type);
        if (bytes <= 0) {
            return super.allocateDataBuffer(elements, type, both);
        }
        TrackedBuffer memory = Broker.buffer(bytes);
        return new LeasedDataBuffer(dbCreateExternalDataBuffer(elements, type, pointer(memory), null), type, memory);
    }

    /** ND4J's own code would allocate the larger memory itself. */
    @Override
    public void dbExpand(OpaqueDataBuffer buffer, long elements) {
        if (buffer instanceof LeasedDataBuffer) {
            expand((LeasedDataBuffer) buffer, elements);
        } else {
            super.dbExpand(buffer, elements);
        }
    }

    private void expand(LeasedDataBuffer buffer, long elements) {
        Pointer present = dbPrimaryBuffer(buffer);
        TrackedBuffer larger = Broker.buffer(bytes(elements, buffer.type()));
        Pointer.memcpy(pointer(larger), present, Math.min(buffer.bytes(), larger.byteSize()));
        dbSetPrimaryBuffer(buffer, pointer(larger), elements);
        buffer.replace(larger);
    }

    /** Tells of no loss: ND4J's own threads call it, and an exception would end them. */
    @Override
    public void deleteDataBuffer(OpaqueDataBuffer buffer) {
        super.deleteDataBuffer(buffer);
        if (buffer instanceof LeasedDataBuffer) {
            ((LeasedDataBuffer) buffer).releaseLater();
        }
    }

    @Override
    public void dbClose(OpaqueDataBuffer buffer) {
        super.dbClose(buffer);
        if (buffer instanceof LeasedDataBuffer) {
            ((LeasedDataBuffer) buffer).release();
        }
        ArrayLosses.tell();
    }

    // ---- lost leases ----

    /** ND4J asks for the address of each array that it has made, among others. */
    @Override
    public Pointer dbPrimaryBuffer(OpaqueDataBuffer buffer) {
        ArrayLosses.tell();
        return super.dbPrimaryBuffer(buffer);
    }

    /** ND4J asks after each operation. */
    @Override
    public int lastErrorCode() {
        if (ArrayLosses.exist() && !isAskedByWrapper()) {
            ArrayLosses.tell();
        }
        return super.lastErrorCode();
    }

    /** OpaqueDataBuffer would wrap the exception. It asks for the address next, and then the program gets it as it is. */
    private static boolean isAskedByWrapper() {
        return StackWalker.getInstance().walk(frames -> frames.limit(WRAPPER_FRAMES)
                .anyMatch(frame -> frame.getClassName().equals(OpaqueDataBuffer.class.getName())));
    }

    private static long bytes(long elements, int type) {
        return elements * DataType.fromInt(type).width();
    }

    private static Pointer pointer(TrackedBuffer memory) {
        return new PagedPointer(memory.address());
    }
}

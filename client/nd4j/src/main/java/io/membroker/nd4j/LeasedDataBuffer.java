/* SPDX-License-Identifier: Apache-2.0 */
package io.membroker.nd4j;

import io.membroker.TrackedBuffer;
import org.nd4j.nativeblas.OpaqueDataBuffer;

/** ND4J's native description of an array's memory, with the tracked buffer that is this memory. */
final class LeasedDataBuffer extends OpaqueDataBuffer {
    private final int type;
    private TrackedBuffer memory;
    private ArrayLosses.Watch watch;

    LeasedDataBuffer(OpaqueDataBuffer description, int type, TrackedBuffer memory) {
        super(description);
        this.type = type;
        this.memory = memory;
        this.watch = ArrayLosses.watch(memory);
    }

    int type() {
        return type;
    }

    synchronized long bytes() {
        return memory.byteSize();
    }

    /** Takes other memory in place of the present one, which it frees. */
    synchronized void replace(TrackedBuffer other) {
        release();
        memory = other;
        watch = ArrayLosses.watch(other);
    }

    /** ND4J may close an array, and delete it later. */
    synchronized void release() {
        watch.end();
        memory.close();
    }

    /** In a thread of ND4J's that deletes what the collector found, and allocates nothing. */
    synchronized void releaseLater() {
        watch.end();
        memory.closeLater();
    }
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.ByteBuffer;

/** The shim's memory.c. */
final class NativeMemory {
    private NativeMemory() {
    }

    /** A direct buffer over an address; more than 2^31 - 1 bytes are refused. */
    static native ByteBuffer directBuffer(long address, long bytes);

    /** Removes the zeros that a released lease has left at its addresses. */
    static native void unmap(long address, long bytes);
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The shim's buffer.c. A buffer is a handle that {@link #create} returned and {@link #unref} has not ended. */
final class NativeBuffer {
    static final int ZEROED = 1;

    private NativeBuffer() {
    }

    static native long create(long connection, long bytes, byte[] name, int location, int flags, long alignment);

    static native long data(long buffer);

    static native void unref(long buffer);

    static native void check(long buffer);

    static native int location(long buffer);
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The shim's workspace.c. A workspace is a handle that {@link #open} returned and {@link #close} has not ended. */
final class NativeWorkspace {
    static final int REFERENCE_NUMBERS = 5;
    static final int REFERENCE_ARENA_BYTES = 4;
    static final int REFERENCE_VALID = 0;

    private NativeWorkspace() {
    }

    static native long open(long connection, byte[] name, byte[] file, long[] sizes, double overallocationLimit,
            int[] settings);

    static native void close(long workspace);

    /** Returns whether a cycle that begins so is one of debug mode BYPASS_EVERYTHING. */
    static native boolean enter(long workspace);

    static native void borrow(long workspace);

    static native void leave(long workspace);

    static native void check(long workspace);

    static native void scopeOut();

    static native void scopeIn();

    static native void initialize(long workspace);

    static native void toggle(long workspace, boolean use);

    static native long alloc(long workspace, long bytes, boolean zeroed);

    /** A negative address is outside the arena; the reference's numbers are for {@link #referenceState}. */
    static native long allocCircular(long workspace, long bytes, boolean zeroed, long[] reference);

    static native int referenceState(long address, long bytes, long[] reference);

    static native void statistics(long workspace, long[] numbers);

    static native long sizings(long workspace);

    static native void setDebugMode(int mode);

    static native int debugMode();
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The shim's lease.c. A lease is a handle that {@link #acquire} returned and {@link #release} has not ended. */
final class NativeLease {
    static final int ID = 0;
    static final int BYTES = 1;
    static final int FILE_BYTES = 2;
    static final int EXTENTS = 3;
    static final int TTL_MS = 4;
    static final int LOCATION = 5;
    static final int HAS_HUGE_PAGES = 6;
    static final int CHARGE = 7;
    static final int END_REASON = 8;

    private NativeLease() {
    }

    static native long acquire(long connection, long bytes, byte[] name, byte[] file, int[] settings);

    static native int extend(long lease, long bytes, int waitMilliseconds);

    static native long map(long lease, int extent, long[] bytes);

    static native void release(long lease, boolean leavesZeros);

    static native void check(long lease);

    static native boolean isAlive(long lease);

    static native void reportUse(long lease, long bytes);

    static native long property(long lease, int which);
}

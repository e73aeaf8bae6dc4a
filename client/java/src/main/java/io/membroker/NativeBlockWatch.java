// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The shim's block_watch.c. A watch is a handle that {@link #begin} returned and {@link #end} has not ended. */
final class NativeBlockWatch {
    private NativeBlockWatch() {
    }

    /** An owner of -1 is this process's user. */
    static native long begin(long connection, long owner, byte[] prefix);

    /** One thread at a time. Null: nothing changed in that time. */
    static native BlockChange next(long watch, int waitMilliseconds, CancellableWaits waits);

    /** Also after the connection's end. */
    static native void end(long watch);
}

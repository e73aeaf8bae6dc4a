// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The shim's client.c. A handle is a connection that {@link #connect} returned and {@link #disconnect} has not ended. */
final class NativeClient {
    static {
        NativeLibrary.load();
    }

    private NativeClient() {
    }

    static native long connect(Session session, byte[] socket, byte[] name, long[] numbers, int[] settings);

    static native void disconnect(long handle);

    static native void ping(long handle);

    static native void waitConnected(long handle, int milliseconds);

    static native void trim(long handle);

    static native void cancelWaits(long handle);

    /** Only while the wait lasts: see {@link InterruptibleWait}. */
    static native void cancelWait(long wait);

    static native long sessionNumber(long handle);

    static native int pressure(long handle);

    static native String version();
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** The shim's object.c. */
final class NativeObject {
    private NativeObject() {
    }

    static native void put(long connection, byte[] name, byte[] data, int lifetime, int access, int group);

    /** An owner of -1 is this process's user. */
    static native byte[] get(long connection, long owner, byte[] name);

    static native void remove(long connection, byte[] name);
}

// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.util.List;

/** The shim's block.c. Blocks and views are handles, which end when their lease is released. */
final class NativeBlock {
    /** What {@link #look} and {@link #lookAtView} return. */
    static final int LEASE = 0;
    static final int ADDRESS = 1;
    static final int BYTES = 2;
    static final int NUMBER = 3;

    private NativeBlock() {
    }

    static native long create(long connection, long bytes, byte[] type, byte[] metadata, int[] settings);

    /** Afterwards the block may have another address, also if this failed. */
    static native void publish(long block, byte[] name);

    static native long[] look(long block);

    static native void unpublish(long connection, byte[] name);

    /** Adds the blocks by {@link BlockInfo}'s add(). */
    static native void list(long connection, List<BlockInfo> to);

    /** An owner of -1 is this process's user. */
    static native long attach(long connection, long owner, byte[] name, int waitMilliseconds);

    static native long[] lookAtView(long view);

    static native byte[] type(long view);

    static native byte[] metadata(long view);
}

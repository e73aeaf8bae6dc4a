// SPDX-License-Identifier: Apache-2.0
package io.membroker;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Direct buffers over any address, as slices of a few large ones: making a slice costs no call of the shim. A window
 * begins at a multiple of 1 GiB and has 2 GiB, so it contains every piece of 1 GiB that begins in its first half. A window
 * itself is only an address.
 */
final class Windows {
    private static final int STEP_BITS = 30;
    private static final long STEP = 1L << STEP_BITS;
    private static final ConcurrentHashMap<Long, Window> ALL = new ConcurrentHashMap<>();
    private static Window latest = new Window(-1, null); // a race costs a look into the map

    private record Window(long number, ByteBuffer bytes) {
    }

    private Windows() {
    }

    /** A buffer in the byte order of the machine. More than 2^31 - 1 bytes are refused. */
    static ByteBuffer slice(long address, long bytes) {
        if (bytes > STEP) {
            return NativeMemory.directBuffer(address, bytes).order(ByteOrder.nativeOrder());
        }
        int offset = (int) (address & (STEP - 1));
        return window(address >>> STEP_BITS).slice(offset, (int) bytes).order(ByteOrder.nativeOrder());
    }

    private static ByteBuffer window(long number) {
        Window window = latest;
        if (window.number != number) {
            window = ALL.computeIfAbsent(number, Windows::open);
            latest = window;
        }
        return window.bytes;
    }

    private static Window open(long number) {
        return new Window(number, NativeMemory.directBuffer(number << STEP_BITS, Integer.MAX_VALUE));
    }
}

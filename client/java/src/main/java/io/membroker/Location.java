// SPDX-License-Identifier: Apache-2.0
package io.membroker;

/** Where the memory of a lease or a block is. */
public enum Location {
    /** Memory of the host. */
    RAM(1),
    /** A file, allocated in full and mapped. */
    MMAP(2),
    /** RAM if the limits and the host allow it at the moment of the request, otherwise a file. */
    AUTO(3);

    final int code;

    Location(int code) {
        this.code = code;
    }

    static Location of(long code) {
        return code == MMAP.code ? MMAP : RAM;
    }
}
